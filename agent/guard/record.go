package guard

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// decide judges the evidence and records what comes of it. Nothing is open.
func (v *visit) decide(ctx context.Context) error {
	c, err := v.choose(ctx)
	if err == nil && c.Action.Acts() && c.match != nil && c.match.reused {
		v.afresh = true
		c, err = v.choose(ctx)
	}
	if err != nil {
		return err
	}
	if phase, calm := evidence.Calm(c.Decision); calm {
		if reason, message := decide.Standing(v.evidence); reason != "" && c.Action == decide.NoAction {
			v.hold(held{reason, message}) // quiet now, and nothing could be done if it were not
			return nil
		}
		v.phase(phase, c.Reason, c.Message)
		return nil
	}
	if d := v.standing(c); d != nil {
		v.project(d, c)
		return nil
	}
	return v.record(ctx, c)
}

// standing finds the decision that says the same on the same trouble already.
func (v *visit) standing(c choice) *v1alpha1.ModelDecision {
	for i := range v.decisions {
		d := &v.decisions[i]
		if !v.sameTrouble(d, c.Cause) || !evidence.Same(d, c.Decision) {
			continue
		}
		switch d.Status.State {
		case v1alpha1.StateHeld, v1alpha1.Failed:
			// A hold stands while it is the answer. An act that failed is tried
			// again when there may be something new to try it on.
			if d.Spec.Action == string(decide.Hold) || v.now.Sub(ended(d)) < v.retryAfter(d) {
				return d
			}
		case v1alpha1.Proposed:
			if d.Spec.Autonomy == c.level {
				return d
			}
		}
	}
	return nil
}

func (v *visit) sameTrouble(d *v1alpha1.ModelDecision, cause decide.Cause) bool {
	return d.Spec.Cause == string(cause) && d.Spec.From == v.fields.Version && v.work.Is(d.Spec.WorkloadUID) &&
		!d.Spec.DecidedAt.Time.Before(v.evidence.RolloutSince)
}

func (v *visit) retryAfter(d *v1alpha1.ModelDecision) time.Duration {
	if d.Spec.Action == string(decide.Train) {
		return max(v.policy.Cooldown, v.policy.MatchWindow)
	}
	return max(v.policy.Cooldown, time.Minute)
}

func ended(d *v1alpha1.ModelDecision) time.Time {
	if n := len(d.Status.Steps); n > 0 {
		return d.Status.Steps[n-1].Time.Time
	}
	return d.Spec.DecidedAt.Time
}

// record creates the decision and begins with it. The list it looks at is the
// API server's own, so that a decision which the cache has not seen yet (made
// by this leader a moment ago, or by another) is gone on with instead.
func (v *visit) record(ctx context.Context, c choice) error {
	var live v1alpha1.ModelDecisionList
	if err := v.Live.List(ctx, &live, client.InNamespace(v.guard.Namespace)); err != nil {
		return fmt.Errorf("list decisions: %w", err)
	}
	attempt := 1
	for i := range live.Items {
		d := &live.Items[i]
		if d.Spec.Guard != v.guard.Name {
			continue
		}
		if journal.Open(d) && d.Status.State != v1alpha1.StateTraining {
			return v.resume(ctx, d)
		}
		if v.sameTrouble(d, c.Cause) {
			attempt = max(attempt, int(d.Spec.Attempt)+1)
		}
	}
	d, err := v.document(ctx, c, attempt)
	if err != nil {
		return err
	}
	d, created, err := v.journal.Create(ctx, d)
	if err != nil {
		return err
	}
	v.guard.Status.Decision = &v1alpha1.DecisionRef{Name: d.Name}
	if !created {
		if journal.Open(d) {
			return v.resume(ctx, d)
		}
		return nil // made and ended by another: look again in the next round
	}
	v.metrics.decided(v.guard, d)
	v.log.Info("decided", zap.String("decision", d.Name), zap.String("cause", d.Spec.Cause), zap.String("action", d.Spec.Action),
		zap.String("reason", d.Spec.Reason), zap.String("from", d.Spec.From), zap.String("to", d.Spec.To), zap.String("message", c.Message))
	v.event(d, eventType(c.Action), string(c.Reason), c.Message)
	return v.start(ctx, d, c)
}

func eventType(a decide.Action) string {
	if a.Acts() {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}

// document writes down everything that the decision rests on: it has to be
// explained from this record alone.
func (v *visit) document(ctx context.Context, c choice, attempt int) (*v1alpha1.ModelDecision, error) {
	s, err := v.reads().Sample(ctx, v.fields.Version, v.verifyWindow())
	if err != nil {
		return nil, err
	}
	return evidence.Record{
		Guard: v.guard, Decision: c.Decision, Level: c.level, To: v.version(c.Target), Match: c.match.answer(), Before: s,
		From: v.fields.Version, FromArtifact: v.fields.Artifact, WorkloadUID: string(v.work.UID),
		Since: v.troubleSince(), Attempt: attempt, Now: v.now,
	}.Document(), nil
}

func (v *visit) troubleSince() time.Time {
	if t := v.evidence.SettledAt; !t.IsZero() {
		return t
	}
	return v.evidence.RolloutSince
}

// verifyWindow is how much of the version before is compared with.
func (v *visit) verifyWindow() time.Duration { return max(v.policy.VerifyFor, 5*time.Second) }

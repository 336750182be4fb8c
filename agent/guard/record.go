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
	evidence.Want(&v.guard.Status, c.Decision)
	standing := evidence.Standing(v.decisions, v.trouble(), c.Decision, c.level, v.policy, v.now)
	if h := v.hungUp(c, standing != nil); h != nil {
		v.hold(*h)
		return nil
	}
	if phase, calm := evidence.Calm(c.Decision); calm {
		if reason, message := decide.Standing(v.evidence); reason != "" && c.Action == decide.NoAction {
			v.hold(held{reason, message}) // quiet now, and nothing could be done if it were not
			return nil
		}
		v.phase(phase, c.Reason, c.Message)
		return nil
	}
	if standing == nil && c.Reason == decide.ReasonCooldown {
		standing = v.cameToNothing(c)
	}
	if standing != nil {
		v.project(standing, c)
		return nil
	}
	return v.record(ctx, c)
}

// cameToNothing is the decision that was undone a moment ago and is to be tried
// again when the cooldown has passed: what it came to says more than that.
func (v *visit) cameToNothing(c choice) *v1alpha1.ModelDecision {
	for i := range v.decisions {
		if d := &v.decisions[i]; v.trouble().Is(d, c.Cause) && d.Spec.To == c.Target && d.Status.Outcome == outcomeUndone {
			return d
		}
	}
	return nil
}

// trouble is what the decisions of now are about.
func (v *visit) trouble() evidence.Trouble {
	return evidence.Trouble{From: v.fields.Version, WorkloadUID: string(v.work.UID), Since: v.evidence.RolloutSince}
}

// record creates the decision and begins with it. The list it looks at is the
// API server's own, so that a decision which the cache has not seen yet (made
// by this leader a moment ago, or by another) is gone on with instead.
func (v *visit) record(ctx context.Context, c choice) error {
	var live v1alpha1.ModelDecisionList
	if err := v.Live.List(ctx, &live, client.InNamespace(v.guard.Namespace)); err != nil {
		return fmt.Errorf("list decisions: %w", err)
	}
	var own []v1alpha1.ModelDecision
	for i := range live.Items {
		d := &live.Items[i]
		if d.Spec.Guard != v.guard.Name {
			continue
		}
		if journal.Open(d) && !inTraining(d) {
			return v.resume(ctx, d)
		}
		if inTraining(d) && onTrack(c.Action) {
			return nil // the cache has not seen it yet
		}
		own = append(own, *d)
	}
	d, err := v.document(ctx, c, evidence.Attempt(own, v.trouble(), c.Cause))
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
		Guard: v.guard, Decision: c.Decision, Level: c.level, To: v.version(c.Target), Match: c.match.answer(), Evidence: c.judged, Policy: v.policy, Before: s,
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

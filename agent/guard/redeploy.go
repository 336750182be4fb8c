package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// redeploy decides what becomes of a trained version that passed the gate: the
// match runs again on today's rows. Deploying it is a decision of its own, made
// before the training ends, so that a leader stopped in between loses neither.
func (v *visit) redeploy(ctx context.Context, d *v1alpha1.ModelDecision) (bool, error) {
	v.showTraining(d, gating)
	for i := range v.decisions {
		r := &v.decisions[i]
		if r.Spec.Action == string(decide.Redeploy) && r.Spec.To == d.Status.Version && !r.Spec.DecidedAt.Time.Before(d.Spec.DecidedAt.Time) {
			return false, v.endTraining(ctx, d, v1alpha1.Done, decide.ReasonGatePassed, "ok",
				fmt.Sprintf("version %s was trained and passed the gate; decision %s deploys it", d.Status.Version, r.Name))
		}
	}
	if open, err := v.open(ctx); err != nil || open != nil {
		return false, err // one change at a time
	}
	c, err := v.afterTraining(ctx, d.Status.Version, decide.Cause(d.Spec.Cause), journal.Has(d, stepTainted))
	if err != nil {
		return false, err
	}
	switch {
	case c.Action == decide.Redeploy:
		return true, v.record(ctx, c)
	case c.Action == decide.Wait || passes(c.Reason):
		if v.now.Sub(journal.At(d, journal.GatePassed)) < v.retrainTimeout() {
			return false, nil
		}
		return false, v.endTraining(ctx, d, v1alpha1.StateHeld, c.Reason, "", "waited for too long to be deployed: "+c.Message)
	case c.Reason == decide.ReasonDriftGone || c.Reason == decide.ReasonLiveFits:
		return false, v.endTraining(ctx, d, v1alpha1.Done, c.Reason, "ok", c.Message)
	}
	return false, v.endTraining(ctx, d, v1alpha1.StateHeld, c.Reason, "", c.Message)
}

// passes says that a hold is one that time ends.
func passes(r decide.Reason) bool {
	switch r {
	case decide.ReasonTooFewRows, decide.ReasonNoData, decide.ReasonNoTraffic, decide.ReasonPartialProfile,
		decide.ReasonSourceUnreachable, decide.ReasonSidecarMissing, decide.ReasonCooldown, decide.ReasonChangesPerDay,
		decide.ReasonFleetLimit, decide.ReasonArtifactUnreachable, ReasonPaused:
		return true
	}
	return false
}

// afterTraining judges a trained version on the evidence of now.
func (v *visit) afterTraining(ctx context.Context, version string, cause decide.Cause, tainted bool) (choice, error) {
	d := decide.Diagnose(v.evidence, v.policy, v.now)
	var m *matched
	if d.NeedsMatch || d.Cause == decide.ConceptDrift || d.Cause == decide.PredictionDrift {
		from := d.MatchFrom
		if !d.NeedsMatch {
			from = v.now.Add(-max(v.policy.MatchWindow, time.Second))
		}
		found, reason, detail, err := v.match(ctx, from, false)
		if err != nil {
			return choice{}, err
		}
		if reason != "" {
			return choice{Decision: decide.Decision{Cause: decide.Blind, Action: decide.Wait, Reason: reason, Message: detail}}, nil
		}
		m = found
	}
	trained := decide.Retrained{Version: version, Cause: cause, Tainted: tainted}
	r, judged, err := v.usableTarget(ctx, m, func(e decide.Evidence) decide.Decision {
		return decide.AfterRetrain(trained, d, m.answer().Judged(), e, v.policy, v.now)
	})
	if err != nil {
		return choice{}, err
	}
	c := v.allowed(r, m)
	c.judged = judged
	return c, nil
}

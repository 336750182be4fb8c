package evidence

import (
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Trouble is what makes two decisions be about the same: the version that is in
// service, and since when.
type Trouble struct {
	From, WorkloadUID string
	// Since the rollout of the version began.
	Since time.Time
}

// Is says that a record is about the same trouble.
func (t Trouble) Is(d *v1alpha1.ModelDecision, cause decide.Cause) bool {
	return d.Spec.Cause == string(cause) && d.Spec.From == t.From && d.Spec.WorkloadUID == t.WorkloadUID && !d.Spec.DecidedAt.Time.Before(t.Since)
}

// Standing finds the record that says the same on the same trouble already.
func Standing(decisions []v1alpha1.ModelDecision, t Trouble, c decide.Decision, level v1alpha1.AutonomyLevel, p decide.Policy, now time.Time) *v1alpha1.ModelDecision {
	for i := range decisions {
		d := &decisions[i]
		if !t.Is(d, c.Cause) || !Same(d, c) {
			continue
		}
		switch d.Status.State {
		case v1alpha1.StateHeld, v1alpha1.Failed:
			// A hold stands while it is the answer. An act that failed is tried
			// again when there may be something new to try it on.
			if d.Spec.Action == string(decide.Hold) || now.Sub(ended(d)) < retryAfter(d, p) {
				return d
			}
		case v1alpha1.Proposed:
			if d.Spec.Autonomy == level {
				return d
			}
		}
	}
	return nil
}

// Attempt is the number of the next record on a trouble.
func Attempt(decisions []v1alpha1.ModelDecision, t Trouble, cause decide.Cause) int {
	next := 1
	for i := range decisions {
		if d := &decisions[i]; t.Is(d, cause) {
			next = max(next, int(d.Spec.Attempt)+1)
		}
	}
	return next
}

func retryAfter(d *v1alpha1.ModelDecision, p decide.Policy) time.Duration {
	if d.Spec.Action == string(decide.Train) {
		return max(p.Cooldown, p.MatchWindow)
	}
	return max(p.Cooldown, time.Minute)
}

func ended(d *v1alpha1.ModelDecision) time.Time {
	if n := len(d.Status.Steps); n > 0 {
		return d.Status.Steps[n-1].Time.Time
	}
	return d.Spec.DecidedAt.Time
}

// Approvable turns a hold into what a person may say yes to, where that is all
// that stands in the way.
func Approvable(c *decide.Decision, level *v1alpha1.AutonomyLevel) {
	if c.Action != decide.Hold || c.Proposed == "" {
		return
	}
	c.Action = c.Proposed
	if *level == v1alpha1.Auto {
		*level = v1alpha1.Approve
	}
}

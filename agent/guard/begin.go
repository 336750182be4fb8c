package guard

import (
	"context"
	"fmt"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// start writes the first lines of a new decision's journal, and goes on at once
// where nobody has to be asked.
func (v *visit) start(ctx context.Context, d *v1alpha1.ModelDecision, c choice) error {
	journal.Step(d, journal.Decided, v.Now(), c.Message)
	if err := v.settleState(ctx, d, c.Message); err != nil {
		return err
	}
	if d.Status.State == v1alpha1.StateActing {
		return v.actOn(ctx, d)
	}
	return nil
}

// begin is start for a decision whose maker was stopped before its first line.
func (v *visit) begin(ctx context.Context, d *v1alpha1.ModelDecision) error {
	message := fmt.Sprintf("%s: %s, by %s", d.Spec.Cause, d.Spec.Action, d.Spec.Reason)
	journal.Step(d, journal.Decided, v.Now(), "resumed: its maker was stopped before it wrote why")
	return v.settleState(ctx, d, message)
}

// settleState gives a decision the state that its action and autonomy call for.
func (v *visit) settleState(ctx context.Context, d *v1alpha1.ModelDecision, message string) error {
	d.Status.Reason, d.Status.Message = d.Spec.Reason, message
	switch {
	case !decide.Action(d.Spec.Action).Acts():
		d.Status.State = v1alpha1.StateHeld
	case evidence.Alone(d.Spec.Autonomy, decide.Action(d.Spec.Action)):
		d.Status.State = v1alpha1.StateActing
	case d.Spec.Autonomy == v1alpha1.Approve:
		d.Status.State = v1alpha1.AwaitingApproval
	default:
		d.Status.State = v1alpha1.Proposed
	}
	if err := v.journal.Write(ctx, d); err != nil {
		return err
	}
	v.show(d, message)
	return nil
}

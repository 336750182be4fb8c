package guard

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
)

// approvalFor is how long a decision waits for a person.
const approvalFor = time.Hour

// end closes a decision.
func (v *visit) end(ctx context.Context, d *v1alpha1.ModelDecision, state v1alpha1.DecisionState, reason decide.Reason, outcome, message string) error {
	d.Status.State, d.Status.Reason, d.Status.Outcome, d.Status.Message = state, string(reason), outcome, message
	journal.Step(d, journal.Ended, v.Now(), string(state)+", "+string(reason))
	if err := v.journal.Write(ctx, d); err != nil {
		return err
	}
	v.metrics.end(v.guard, d)
	v.fleet.release(keyOf(v.guard))
	v.log.Info("ended", zap.String("decision", d.Name), zap.String("state", string(state)), zap.String("reason", string(reason)),
		zap.String("outcome", outcome), zap.String("message", message))
	kind := corev1.EventTypeNormal
	if state == v1alpha1.StateHeld || state == v1alpha1.Failed {
		kind = corev1.EventTypeWarning
	}
	v.event(d, kind, string(reason), message)
	v.show(d, message)
	return nil
}

// supersede ends a decision that something else has overtaken.
func (v *visit) supersede(ctx context.Context, d *v1alpha1.ModelDecision, reason decide.Reason, message string) error {
	return v.end(ctx, d, v1alpha1.Superseded, reason, "superseded", message)
}

// supersedeChanged ends a decision whose workload somebody else has changed in
// the middle.
func (v *visit) supersedeChanged(ctx context.Context, d *v1alpha1.ModelDecision, w *workload.Workload, f workload.Fields) error {
	// What was between may never have been seen: this is a new stay all the same.
	v.guard.Status.TemplateHash = ""
	return v.supersede(ctx, d, decide.ReasonHumanChanged,
		fmt.Sprintf("%s changed %s to version %s, %s, after this was decided", v.changer(w), w.Ref(), f.Version, f.Artifact))
}

// changer names who wrote the artifact last, and when.
func (v *visit) changer(w *workload.Workload) string {
	o, ok := w.ChangedBy(v.guard.Spec.Artifact)
	switch {
	case !ok:
		return "somebody"
	case o.Time.IsZero():
		return o.Manager
	}
	return fmt.Sprintf("%s (at %s)", o.Manager, o.Time.UTC().Format(time.RFC3339))
}

// aboutAnother says that a decision is about a workload or a model that its guard,
// which was changed or made again, does not name; empty: it is about the guard's.
func (v *visit) aboutAnother(d *v1alpha1.ModelDecision) string {
	g := v.guard.Spec
	if d.Spec.Model == g.Model && d.Spec.Workload.Name == g.Workload.Name && cmp.Or(d.Spec.Workload.Kind, "Deployment") == kindOf(v.guard) {
		return ""
	}
	return fmt.Sprintf("it is about model %s in workload %s, and its guard now names model %s in %s %s",
		d.Spec.Model, d.Spec.Workload.Name, g.Model, strings.ToLower(kindOf(v.guard)), g.Workload.Name)
}

// abandon ends what is open for a workload that is no more, or that is another
// guard's.
func (v *visit) abandon(ctx context.Context, h held) error {
	if h.reason != ReasonWorkloadMissing && h.reason != ReasonDuplicate {
		return nil
	}
	for i := range v.decisions {
		if !journal.Open(&v.decisions[i]) {
			continue
		}
		d, err := v.journal.Read(ctx, v.guard.Namespace, v.decisions[i].Name)
		if err != nil {
			return err
		}
		if !journal.Open(d) {
			continue
		}
		if err := v.supersede(ctx, d, h.reason, h.message); err != nil {
			return err
		}
	}
	v.hold(h)
	return nil
}

// await waits for a person. When one approves, the decision is made again, and
// acted on only if it comes out the same: what was right an hour ago may not be.
func (v *visit) await(ctx context.Context, d *v1alpha1.ModelDecision) error {
	switch {
	case v.fields.Version != d.Spec.From || !v.work.Is(d.Spec.WorkloadUID):
		return v.supersede(ctx, d, decide.ReasonHumanChanged, fmt.Sprintf("%s changed %s to version %s", v.changer(v.work), v.work.Ref(), v.fields.Version))
	case v.now.Sub(d.Spec.DecidedAt.Time) > approvalFor:
		return v.supersede(ctx, d, ReasonApprovalExpired, "nobody approved it within "+approvalFor.String())
	}
	by := d.Annotations[v1alpha1.AnnotationApprovedBy]
	if by == "" {
		now := decide.Diagnose(v.evidence, v.policy, v.now)
		if now.Cause != decide.Cause(d.Spec.Cause) && len(now.Alerts) > 0 && (now.Action.Acts() || now.NeedsMatch || now.Action == decide.Hold) {
			return v.supersede(ctx, d, ReasonDecidedOtherwise, "there is something else to answer: "+now.Message)
		}
		v.show(d, d.Status.Message)
		return nil
	}
	c, err := v.again(ctx, d)
	if err != nil {
		return err
	}
	if c.level == v1alpha1.Observe {
		v.phase(v1alpha1.Held, ReasonNoPermission, "approved by "+by+", but Leeway may not act in this namespace, or the guard says Observe")
		return nil
	}
	if !evidence.Same(d, c.Decision) {
		return v.supersede(ctx, d, ReasonDecidedOtherwise, fmt.Sprintf("%s approved it, but made again it came out otherwise: %s", by, c.Message))
	}
	journal.Step(d, journal.Approved, v.Now(), "by "+by)
	d.Status.ApprovedBy, d.Status.State = by, v1alpha1.StateActing
	if err := v.journal.Write(ctx, d); err != nil {
		return err
	}
	v.event(d, corev1.EventTypeNormal, journal.Approved, "approved by "+by)
	return v.actOn(ctx, d)
}

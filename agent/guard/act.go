package guard

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
)

// act resumes a decision that is being acted on. One whose act was not begun is
// made again first: it may be hours since its maker was stopped.
func (v *visit) act(ctx context.Context, d *v1alpha1.ModelDecision) error {
	if !journal.Has(d, journal.Applying) && !journal.Has(d, journal.JobStart) {
		c, err := v.again(ctx, d)
		if err != nil {
			return err
		}
		if !evidence.Same(d, c.Decision) || !evidence.Alone(c.level, c.Action) && d.Status.ApprovedBy == "" || c.level == v1alpha1.Observe {
			return v.supersede(ctx, d, ReasonDecidedOtherwise, "before it was acted on, the same question was answered otherwise: "+c.Message)
		}
	}
	return v.actOn(ctx, d)
}

// again makes a decision again, on the evidence of now. An artifact that can't
// be reached now is no other answer: the decision stays open, and is tried in the
// next round.
func (v *visit) again(ctx context.Context, d *v1alpha1.ModelDecision) (c choice, err error) {
	v.afresh = true
	if d.Spec.Action == string(decide.Redeploy) {
		c, err = v.afterTraining(ctx, d.Spec.To, decide.Cause(d.Spec.Cause), false)
	} else {
		c, err = v.choose(ctx)
	}
	if err == nil && c.Reason == decide.ReasonArtifactUnreachable {
		err = fmt.Errorf("decision %s waits: %s", d.Name, c.Message)
	}
	return c, err
}

func (v *visit) actOn(ctx context.Context, d *v1alpha1.ModelDecision) error {
	if onTrack(decide.Action(d.Spec.Action)) {
		return v.startTraining(ctx, d)
	}
	return v.change(ctx, d)
}

// conflictTries is how often a change is tried in one visit: while a rollout is
// under way the workload's status changes several times a second, and each time
// makes what was read a moment ago old.
const conflictTries = 5

// change brings the workload to the version chosen and waits for it to roll
// out.
func (v *visit) change(ctx context.Context, d *v1alpha1.ModelDecision) error {
	var err error
	for range conflictTries {
		if err = v.changeOnce(ctx, d); !errors.Is(err, errWorkloadMoved) {
			return err
		}
	}
	return err
}

// errWorkloadMoved: the workload was written by somebody since it was read. It
// is read again, and judged again.
var errWorkloadMoved = errors.New("the workload has changed since it was read")

// changeOnce takes the next step. What was done already is read from the
// workload itself: a leader may have been stopped after the patch and before
// the line that says so.
func (v *visit) changeOnce(ctx context.Context, d *v1alpha1.ModelDecision) error {
	w, f, err := v.liveWorkload(ctx, d)
	if err != nil || w == nil {
		return err
	}
	mark := w.Annotations[v1alpha1.AnnotationDecision]
	switch {
	case journal.Has(d, journal.Undoing):
		return v.undo(ctx, d, w, f)
	case journal.Has(d, journal.Applied):
		return v.rollOut(ctx, d, w, f)
	case f.Same(toFields(d)) && mark == markOf(d, journal.Applying):
		return v.applied(ctx, d, w.Counts.Generation)
	case !f.Same(v.fromFields(d)):
		return v.supersedeChanged(ctx, d, w, f)
	}
	if !v.fleet.reserve(keyOf(v.guard)) {
		v.phase(v1alpha1.Deciding, decide.ReasonFleetLimit, "other guards act now; this one waits for its turn")
		return nil
	}
	if !journal.Has(d, journal.Applying) {
		journal.Step(d, journal.Applying, v.Now(), fmt.Sprintf("change %s from version %s to version %s", w.Ref(), d.Spec.From, d.Spec.To))
		if err := v.journal.Write(ctx, d); err != nil {
			return err
		}
	}
	v.show(d, d.Status.Message)
	generation, err := workload.Apply(ctx, v.Client, w, workload.Change{
		Artifact: v.guard.Spec.Artifact, To: v.withArtifactDigest(toFields(d)), Decision: markOf(d, journal.Applying),
	})
	if err != nil {
		return v.refused(ctx, d, err)
	}
	return v.applied(ctx, d, generation)
}

// liveWorkload reads the workload past the cache. It returns none when the
// decision is not about it any more, and has been ended for that.
func (v *visit) liveWorkload(ctx context.Context, d *v1alpha1.ModelDecision) (*workload.Workload, workload.Fields, error) {
	w, err := workload.Get(ctx, v.Live, v.guard.Namespace, d.Spec.Workload)
	if apierrors.IsNotFound(err) {
		return nil, workload.Fields{}, v.supersede(ctx, d, ReasonWorkloadMissing, "the workload is gone")
	}
	if err != nil {
		return nil, workload.Fields{}, err
	}
	if !w.Is(d.Spec.WorkloadUID) {
		return nil, workload.Fields{}, v.supersede(ctx, d, ReasonSuperseded, w.Ref()+" was deleted and made again")
	}
	f, err := w.Fields(v.guard.Spec.Artifact)
	if err != nil {
		return nil, workload.Fields{}, v.supersede(ctx, d, ReasonArtifactField, err.Error())
	}
	return w, f, nil
}

func (v *visit) applied(ctx context.Context, d *v1alpha1.ModelDecision, generation int64) error {
	d.Status.Generation = generation
	message := fmt.Sprintf("%s is at generation %d with version %s", v.work.Ref(), generation, d.Spec.To)
	journal.Step(d, journal.Applied, v.Now(), message)
	if err := v.journal.Write(ctx, d); err != nil {
		return err
	}
	v.log.Info("applied", zap.String("decision", d.Name), zap.String("to", d.Spec.To), zap.Int64("generation", generation))
	v.event(d, corev1.EventTypeNormal, journal.Applied, message)
	v.show(d, message)
	return v.rejectLeft(ctx, d)
}

// refused looks at why a change was not made. What may go away by itself is
// tried again; what the API server judges wrong is not.
func (v *visit) refused(ctx context.Context, d *v1alpha1.ModelDecision, err error) error {
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) {
		return v.end(ctx, d, v1alpha1.Failed, ReasonRefused, "", err.Error())
	}
	if apierrors.IsConflict(err) {
		return fmt.Errorf("%w: %w", errWorkloadMoved, err)
	}
	return err
}

// rollOut waits for the change to be rolled out, and undoes one that is not in
// time: for lack of room, or because the version does not start.
func (v *visit) rollOut(ctx context.Context, d *v1alpha1.ModelDecision, w *workload.Workload, f workload.Fields) error {
	if err := v.rejectLeft(ctx, d); err != nil {
		return err
	}
	if !f.Same(toFields(d)) {
		return v.supersedeChanged(ctx, d, w, f)
	}
	progress := w.Progress(d.Status.Generation)
	if !progress.Complete {
		return v.rollingOut(ctx, d, w, f, progress)
	}
	journal.Step(d, journal.RolledOut, v.Now(), progress.Message)
	d.Status.State = v1alpha1.StateVerifying
	if err := v.journal.Write(ctx, d); err != nil {
		return err
	}
	v.log.Info("rolled out", zap.String("decision", d.Name), zap.String("to", d.Spec.To))
	v.event(d, corev1.EventTypeNormal, journal.RolledOut, progress.Message)
	v.show(d, progress.Message)
	return nil
}

// rollingOut says what a rollout waits for, and ends the wait for one that is not
// through in time.
func (v *visit) rollingOut(ctx context.Context, d *v1alpha1.ModelDecision, w *workload.Workload, f workload.Fields, progress workload.Progress) error {
	verdict := decide.Verify(evidence.SampleOf(d.Spec.Baseline), decide.Sample{}, v.readyPolicy(w), journal.At(d, journal.Applied), v.now)
	late := verdict.Outcome == decide.Worse
	if h := v.waitsForPerson(w); h != nil {
		if late {
			return v.endUnrolled(ctx, d, h)
		}
		v.hold(*h)
		return nil
	}
	reason, detail := v.hindrance(w, d.Spec.To)
	switch {
	case late:
		return v.giveUp(ctx, d, w, f, reason, verdict.Message+": "+progress.Message+orNot("; ", detail))
	case reason != decide.ReasonNotReady:
		v.phase(v1alpha1.Acting, reason, fmt.Sprintf("version %s is waited for: %s", d.Spec.To, detail))
	default:
		v.show(d, progress.Message)
	}
	return nil
}

func orNot(separator, detail string) string {
	if detail == "" {
		return ""
	}
	return separator + detail
}

// readyPolicy takes the workload's own progress deadline.
func (v *visit) readyPolicy(w *workload.Workload) decide.Policy {
	p := v.policy
	if w.DeadlineSeconds > 0 {
		p.ReadyWithin = max(seconds(w.DeadlineSeconds), p.VerifyFor)
	}
	return p
}

func toFields(d *v1alpha1.ModelDecision) workload.Fields {
	return workload.Fields{Version: d.Spec.To, Artifact: d.Spec.ToArtifact, ProfileDigest: d.Spec.ToProfileDigest}
}

// fromFields is what the workload had before the change.
func (v *visit) fromFields(d *v1alpha1.ModelDecision) workload.Fields {
	f := workload.Fields{Version: d.Spec.From, Artifact: d.Spec.FromArtifact}
	if r := v.version(d.Spec.From); r != nil && r.Spec.Profile != nil {
		f.ProfileDigest = r.Spec.Profile.Digest
	}
	return f
}

func (v *visit) withArtifactDigest(f workload.Fields) workload.Fields {
	if r := v.version(f.Version); r != nil {
		f.ArtifactDigest = r.Spec.Artifact.SHA256
	}
	return f
}

// markOf is what the workload's annotation says after a step of a decision.
func markOf(d *v1alpha1.ModelDecision, step string) string { return d.Name + "/" + step }

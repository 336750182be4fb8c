package guard

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// unverifiable is how long past its time a verification waits for numbers that
// don't come.
const unverifiable = 5 * time.Minute

// outcomeUndone is that of a change that was put back.
const outcomeUndone = "undone"

// verify watches the version chosen, and undoes the change if it proves worse.
func (v *visit) verify(ctx context.Context, d *v1alpha1.ModelDecision) error {
	w, f, err := v.liveWorkload(ctx, d)
	if err != nil || w == nil {
		return err
	}
	if journal.Has(d, journal.Undoing) {
		return v.undo(ctx, d, w, f)
	}
	if !f.Same(toFields(d)) {
		return v.supersedeChanged(ctx, d, w, f)
	}
	since := journal.At(d, journal.RolledOut)
	after, err := v.reads().Sample(ctx, d.Spec.To, max(v.now.Sub(since), time.Second))
	if err != nil {
		if v.now.Sub(since) < v.policy.VerifyFor+unverifiable {
			return fmt.Errorf("verify %s: %w", d.Name, err)
		}
		return v.end(ctx, d, v1alpha1.StateHeld, decide.ReasonInconclusive, string(decide.Inconclusive), "there are no numbers to verify by: "+err.Error())
	}
	v.standing(&after, d.Spec.To, since)
	before, err := v.before(ctx, d)
	if err != nil {
		return fmt.Errorf("verify %s: %w", d.Name, err)
	}
	verdict := decide.Verify(before, after, v.readyPolicy(w), journal.At(d, journal.Applied), v.now)
	if verdict.Outcome == decide.Inconclusive && v.evidence.Blind != "" && v.now.Sub(since) < v.policy.VerifyFor+unverifiable {
		// A leader that has just come back may not have been sent yet what happened
		// while nobody led.
		verdict = decide.Verdict{Outcome: decide.Pending, Message: fmt.Sprintf("its time is over, and nothing can be seen (%s): it is waited for", v.evidence.Blind)}
	}
	if verdict.Outcome == decide.Pending {
		v.show(d, verdict.Message)
		return nil
	}
	d.Status.Before, d.Status.After = evidence.Baseline(before), evidence.Baseline(after)
	d.Status.VerifiedBy = string(verdict.By)
	v.log.Info("verified", zap.String("decision", d.Name), zap.String("outcome", string(verdict.Outcome)),
		zap.String("by", string(verdict.By)), zap.String("message", verdict.Message))
	switch verdict.Outcome {
	case decide.Worse:
		message := verdict.Message
		if verdict.Reason == decide.ReasonNotReady {
			_, detail := v.hindrance(w, d.Spec.To)
			message += orNot("; ", detail)
		}
		return v.giveUp(ctx, d, w, f, verdict.Reason, message)
	case decide.Inconclusive:
		return v.end(ctx, d, v1alpha1.StateHeld, verdict.Reason, string(verdict.Outcome), verdict.Message)
	}
	journal.Step(d, journal.Verified, v.Now(), fmt.Sprintf("by %s: %s", verdict.By, verdict.Message))
	return v.end(ctx, d, v1alpha1.Done, verdict.Reason, string(verdict.Outcome), verdict.Message)
}

// before is what the version left showed, to compare with. After a drift its
// error is that of the labels that came in since the change: they are the late
// truth about today's rows, as the labels of the version chosen are. Those that
// had come in by the decision are mostly of yesterday's rows, which the version
// left was good at.
func (v *visit) before(ctx context.Context, d *v1alpha1.ModelDecision) (decide.Sample, error) {
	s := evidence.SampleOf(d.Spec.Baseline)
	if c := decide.Cause(d.Spec.Cause); c != decide.InputDrift && c != decide.ConceptDrift {
		return s, nil
	}
	err := v.reads().Labels(ctx, &s, d.Spec.From, max(v.now.Sub(journal.At(d, journal.Applied)), time.Second))
	return s, err
}

// rejectLeft marks the version that a bad release was rolled back from, so that
// nothing goes to it again. It is marked as soon as it is left: whoever puts it
// back after that does so against the registry's word, and is held.
func (v *visit) rejectLeft(ctx context.Context, d *v1alpha1.ModelDecision) error {
	if d.Spec.Cause != string(decide.BadRelease) {
		return nil
	}
	return v.setLifecycle(ctx, d.Spec.From, registryv1.Rejected, fmt.Sprintf("%s, decision %s", d.Spec.Cause, d.Name))
}

// giveUp begins to undo a change that proved worse than what it replaced, or
// that could not be rolled out.
func (v *visit) giveUp(ctx context.Context, d *v1alpha1.ModelDecision, w *workload.Workload, f workload.Fields, reason decide.Reason, message string) error {
	if reason == decide.ReasonArtifactMissing {
		v.noteImage(d.Spec.To, message)
	}
	d.Status.Reason = string(reason)
	journal.Step(d, journal.Undoing, v.Now(), message)
	if err := v.journal.Write(ctx, d); err != nil {
		return err
	}
	v.event(d, corev1.EventTypeWarning, string(reason), fmt.Sprintf("version %s: %s; going back to version %s", d.Spec.To, message, d.Spec.From))
	return v.undo(ctx, d, w, f)
}

// undo puts the version before back, and says so once it has been.
func (v *visit) undo(ctx context.Context, d *v1alpha1.ModelDecision, w *workload.Workload, f workload.Fields) error {
	from := v.withArtifactDigest(v.fromFields(d))
	mark := markOf(d, journal.Undoing)
	switch {
	case f.Same(from) && w.Annotations[v1alpha1.AnnotationDecision] == mark:
	case !f.Same(toFields(d)):
		return v.supersedeChanged(ctx, d, w, f)
	default:
		if stands, err := v.mayNotUndo(ctx, d, w); stands {
			return err
		}
		generation, err := workload.Apply(ctx, v.Client, w, workload.Change{Artifact: v.guard.Spec.Artifact, To: from, Decision: mark})
		if apierrors.IsForbidden(err) && v.now.Sub(journal.At(d, journal.Undoing)) < 2*permissionFor {
			return err // it may be the RoleBinding, which is asked for again by then
		}
		if err != nil {
			return v.refused(ctx, d, err)
		}
		d.Status.Generation = generation
	}
	if d.Spec.Cause == string(decide.BadRelease) {
		if err := v.setLifecycle(ctx, d.Spec.From, registryv1.Registered, "the version gone back to was no better, decision "+d.Name); err != nil {
			return err
		}
	}
	// A version that found no room to start is not a bad one.
	if !blameless(d.Status.Reason) {
		if err := v.setLifecycle(ctx, d.Spec.To, registryv1.Rejected, fmt.Sprintf("%s, decision %s", d.Status.Reason, d.Name)); err != nil {
			return err
		}
	}
	message := fmt.Sprintf("version %s is back in %s, for version %s came to nothing: %s", d.Spec.From, w.Ref(), d.Spec.To, journal.Said(d, journal.Undoing))
	journal.Step(d, journal.Undone, v.Now(), message)
	state := v1alpha1.Failed
	if blameless(d.Status.Reason) {
		state = v1alpha1.StateHeld
	}
	return v.end(ctx, d, state, decide.Reason(d.Status.Reason), outcomeUndone, message)
}

// undoWithin is how long an undo waits for the right to act.
const undoWithin = time.Hour

// mayNotUndo says that a change that proved worse has to stay: the fields are a
// GitOps controller's by now, or the right to act was taken away. That may be
// given back, and is waited for.
func (v *visit) mayNotUndo(ctx context.Context, d *v1alpha1.ModelDecision, w *workload.Workload) (bool, error) {
	message := fmt.Sprintf("version %s should go (%s), and back to version %s (%s)", d.Spec.To, d.Status.Reason, d.Spec.From, d.Spec.FromArtifact)
	if owner, ok := w.GitOpsOwner(v.guard.Spec.Artifact); ok {
		return true, v.end(ctx, d, v1alpha1.StateHeld, ReasonGitOpsOwned, "",
			fmt.Sprintf("%s; but %s owns the model's fields of %s by now: commit it where that reads from", message, owner, w.Ref()))
	}
	if v.permitted {
		return false, nil
	}
	message += "; but Leeway may not act in namespace " + v.guard.Namespace
	if v.now.Sub(journal.At(d, journal.Undoing)) > undoWithin {
		return true, v.end(ctx, d, v1alpha1.Failed, ReasonNoPermission, "", message+", for longer than "+undoWithin.String())
	}
	v.phase(v1alpha1.Held, ReasonNoPermission, message)
	return true, nil
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

package guard

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/retrain"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

const (
	stepTainted = "tainted"
	// registryLag is how long after the training a registered version may take to
	// show up in the cache that the registry is read from.
	registryLag = 10 * time.Second

	evaluating = "Evaluating"
	training   = "Training"
	gating     = "Gating"
	done       = "Done"
	heldBack   = "Held"
)

// retraining goes on with the training, or the evaluation, that is under way, if one
// is. It is a track of its own: while it runs, the other goes on. It reports whether it has
// taken up the visit, by beginning a redeployment.
func (v *visit) retraining(ctx context.Context) (bool, error) {
	d, err := v.training(ctx)
	if err != nil || d == nil {
		return false, err
	}
	_, phase := underWay(d)
	v.showTraining(d, phase)
	if other := v.aboutAnother(d); other != "" {
		return false, v.endTraining(ctx, d, v1alpha1.Superseded, ReasonSuperseded, "superseded", other)
	}
	e := v.evidence
	if e.Human && e.HumanAt.After(trainingSince(d)) {
		return false, v.endTraining(ctx, d, v1alpha1.Superseded, decide.ReasonHumanChanged, "superseded",
			fmt.Sprintf("%s changed the model to version %s: what is trained stays registered", e.HumanManager, e.Active))
	}
	if evaluates(d) && e.Active != d.Spec.From {
		return false, v.endTraining(ctx, d, v1alpha1.Superseded, ReasonSuperseded, "superseded",
			fmt.Sprintf("it compares with version %s, and version %s is in service by now", d.Spec.From, e.Active))
	}
	if err := v.taint(ctx, d); err != nil {
		return false, err
	}
	if journal.Has(d, journal.GatePassed) {
		return v.redeploy(ctx, d)
	}
	if !journal.Has(d, journal.JobStarted) {
		return false, v.startTraining(ctx, d)
	}
	return false, v.look(ctx, d)
}

func (v *visit) training(ctx context.Context) (*v1alpha1.ModelDecision, error) {
	for i := range v.decisions {
		if !inTraining(&v.decisions[i]) {
			continue
		}
		d, err := v.journal.Read(ctx, v.guard.Namespace, v.decisions[i].Name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil || inTraining(d) {
			return d, err
		}
	}
	return nil, nil
}

// inTraining says that a decision is on the track of trainings.
func inTraining(d *v1alpha1.ModelDecision) bool {
	return d.Status.State == v1alpha1.StateTraining || d.Status.State == v1alpha1.StateEvaluating
}

func (v *visit) retrainTimeout() time.Duration {
	if r := v.guard.Spec.Retrain; r != nil && r.Timeout.Duration > 0 {
		return r.Timeout.Duration
	}
	return 6 * time.Hour
}

// trainFrom is where the rows begin that the decision rests on.
func (v *visit) trainFrom(d *v1alpha1.ModelDecision) time.Time {
	if d.Spec.Match != nil {
		return d.Spec.Match.From.Time
	}
	from := d.Spec.DecidedAt.Add(-v.guard.Spec.Match.Window.Duration)
	for _, a := range d.Spec.Alerts {
		if t := a.ActiveAt.Time; t.Before(from) {
			from = t
		}
	}
	return from
}

// taint notes that input was broken while the training ran, or changed with that of
// several models at once: the version will be registered and not deployed. The rows of
// an evaluation are from before it began.
func (v *visit) taint(ctx context.Context, d *v1alpha1.ModelDecision) error {
	if evaluates(d) || journal.Has(d, stepTainted) {
		return nil
	}
	why := v.garbage()
	if why == "" {
		return nil
	}
	journal.Step(d, stepTainted, v.Now(), why)
	if err := v.journal.Write(ctx, d); err != nil {
		return err
	}
	v.showTraining(d, training)
	return nil
}

// garbage is why today's rows are not to be trained on, or empty.
func (v *visit) garbage() string {
	for _, a := range v.evidence.Alerts {
		if a.Cause != decide.AlertBrokenInput || !a.Firing {
			continue
		}
		if ok, _ := decide.Eligible(a, v.evidence, v.now); !ok {
			continue
		}
		return "input was broken while it trained: " + a.Subject
	}
	if onsets, ok := decide.Upstream(v.evidence, v.now); ok && v.evidence.Blind == "" {
		return fmt.Sprintf("inputs of %d models changed at once while it trained", decide.Models(onsets))
	}
	return ""
}

// registered looks for what the training registered, and gates it.
func (v *visit) registered(ctx context.Context, d *v1alpha1.ModelDecision, state retrain.State, message string) error {
	if !journal.Has(d, journal.JobDone) {
		journal.Step(d, journal.JobDone, v.Now(), message)
		if err := v.journal.Write(ctx, d); err != nil {
			return err
		}
	}
	var found []int
	for i := range v.versions {
		if v.versions[i].Spec.Lineage.Decision == d.Name {
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 0 && v.now.Sub(journal.At(d, journal.JobDone)) < registryLag:
		return nil
	case len(found) == 0 && state == retrain.Gone:
		return v.endTraining(ctx, d, v1alpha1.StateHeld, decide.ReasonJobFailed, "", message+", and it registered no version")
	case len(found) == 0:
		return v.endTraining(ctx, d, v1alpha1.StateHeld, decide.ReasonNoVersion, "", message+", and it registered no version with LEEWAY_DECISION")
	case len(found) > 1:
		return v.endTraining(ctx, d, v1alpha1.StateHeld, decide.ReasonTwoVersions, "",
			fmt.Sprintf("%s, and it registered %d versions: which one is meant is not known", message, len(found)))
	}
	candidate := &v.versions[found[0]]
	d.Status.Version = strconv.FormatInt(candidate.Number, 10)
	v.showTraining(d, gating)
	ok, reason, message, err := v.gate(ctx, candidate, d)
	if err != nil {
		return err
	}
	if !ok {
		return v.endTraining(ctx, d, v1alpha1.StateHeld, reason, "", fmt.Sprintf("version %s: %s", d.Status.Version, message))
	}
	journal.Step(d, journal.GatePassed, v.Now(), fmt.Sprintf("version %s: %s", d.Status.Version, message))
	if err := v.journal.Write(ctx, d); err != nil {
		return err
	}
	v.event(d, corev1.EventTypeNormal, journal.GatePassed, fmt.Sprintf("version %s: %s", d.Status.Version, message))
	return nil
}

// endTraining closes a training or an evaluation.
func (v *visit) endTraining(ctx context.Context, d *v1alpha1.ModelDecision, state v1alpha1.DecisionState, reason decide.Reason, outcome, message string) error {
	if err := v.end(ctx, d, state, reason, outcome, message); err != nil {
		return err
	}
	phase, trained := heldBack, metav1.ConditionFalse
	switch state {
	case v1alpha1.Done:
		phase, trained = done, metav1.ConditionTrue
	case v1alpha1.Superseded:
		phase = done
	}
	v.conditionTrack(d, trained, reason, message)
	v.showTraining(d, phase)
	v.tellTraining(reason, message)
	return nil
}

// tellTraining says on the guard how it is with the training.
func (v *visit) tellTraining(reason decide.Reason, message string) {
	v.guard.Status.Retrain.Reason, v.guard.Status.Retrain.Message = string(reason), atMost(message, maxMessage)
}

func (v *visit) showTraining(d *v1alpha1.ModelDecision, phase string) {
	started := journal.First(d, journal.JobStarted)
	s := &v1alpha1.RetrainStatus{
		Decision: d.Name, Phase: phase, Job: d.Status.Job, Version: d.Status.Version, Tainted: journal.Has(d, stepTainted),
	}
	if !started.IsZero() {
		t := metav1.NewMicroTime(started)
		s.StartedAt = &t
	}
	v.guard.Status.Retrain = s
}

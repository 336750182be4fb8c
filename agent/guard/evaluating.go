package guard

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/explain"
	"github.com/leeway-dev/leeway/agent/retrain"
	"github.com/leeway-dev/leeway/agent/retrain/evaluation"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// An evaluation is on the track of trainings, and is started and looked at like one.
// It ends with what was measured in its record; a later visit decides what follows.

// evaluates says that a decision asks for an evaluation, not for a training.
func evaluates(d *v1alpha1.ModelDecision) bool { return d.Spec.Action == string(decide.Evaluate) }

// onTrack says that an action is begun on the track of trainings.
func onTrack(a decide.Action) bool { return a == decide.Train || a == decide.Evaluate }

// underWay is the state and the phase of what is on the track.
func underWay(d *v1alpha1.ModelDecision) (v1alpha1.DecisionState, string) {
	if evaluates(d) {
		return v1alpha1.StateEvaluating, evaluating
	}
	return v1alpha1.StateTraining, training
}

// unnamed says that the guard names nothing to do it with, any more.
func (v *visit) unnamed(d *v1alpha1.ModelDecision) bool {
	if evaluates(d) {
		return v.guard.Spec.Evaluate == nil
	}
	return v.guard.Spec.Retrain == nil
}

// timeout of a training or an evaluation.
func (v *visit) timeout(d *v1alpha1.ModelDecision) time.Duration {
	if !evaluates(d) {
		return v.retrainTimeout()
	}
	if e := v.guard.Spec.Evaluate; e != nil && e.Timeout.Duration > 0 {
		return e.Timeout.Duration
	}
	return time.Hour
}

// does says in a sentence what was started.
func does(d *v1alpha1.ModelDecision, name string) string {
	if evaluates(d) {
		return fmt.Sprintf("%s measures %s beside version %s on labelled rows", called(name), explain.Versions(d.Spec.Asked), d.Spec.From)
	}
	return fmt.Sprintf("%s trains a new version of %s", called(name), d.Spec.Model)
}

// measured takes down what an evaluation reports.
func (v *visit) measured(ctx context.Context, d *v1alpha1.ModelDecision, state retrain.State, message string) error {
	if state == retrain.Gone {
		return v.endTraining(ctx, d, v1alpha1.StateHeld, decide.ReasonJobFailed, "", message+", and nobody has read what it measured")
	}
	words, err := v.jobs().LastWords(ctx, v.order(d), d.Status.Job)
	if err != nil {
		return err
	}
	r, err := evaluation.Find(words, evaluation.Asked{Decision: d.Name, Live: d.Spec.From, Versions: d.Spec.Asked})
	if err != nil {
		return v.endTraining(ctx, d, v1alpha1.StateHeld, decide.ReasonReportUnusable, "", message+"; its report: "+err.Error())
	}
	e := &decide.Evaluation{AskedAt: d.Spec.DecidedAt.Time, EndedAt: v.Now(), Rows: r.Rows, Loss: r.Loss, Live: r.Live.Mean}
	var names []string
	for _, x := range r.Versions {
		names = append(names, x.Version)
		e.Versions = append(e.Versions, decide.Measured{Version: x.Version, Mean: x.Mean, Gain: x.Gain, StandardError: x.StandardError})
	}
	d.Status.Evaluation = evidence.RecordedEvaluation(e)
	return v.endTraining(ctx, d, v1alpha1.Done, decide.ReasonEvaluated, "ok",
		fmt.Sprintf("%s and measured %s beside version %s on %d labelled rows", message, explain.Versions(names), d.Spec.From, r.Rows))
}

// conditionTrack tells on the guard how the last training, or evaluation, ended.
func (v *visit) conditionTrack(d *v1alpha1.ModelDecision, status metav1.ConditionStatus, reason decide.Reason, message string) {
	kind := conditionTrained
	if evaluates(d) {
		kind = conditionEvaluated
	}
	v.condition(kind, status, string(reason), explain.Advised(message, string(reason), maxMessage))
}

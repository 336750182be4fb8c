package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/retrain"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// startTraining starts what a decision asks for. From the first line on it is on
// the track of trainings: should starting it take its time, the other track goes
// on.
func (v *visit) startTraining(ctx context.Context, d *v1alpha1.ModelDecision) error {
	switch {
	case v.unnamed(d) && evaluates(d):
		return v.endTraining(ctx, d, v1alpha1.Superseded, ReasonSuperseded, "superseded", "the guard names nothing to evaluate with any more")
	case v.unnamed(d):
		return v.endTraining(ctx, d, v1alpha1.StateHeld, decide.ReasonNoRetrain, "", "the guard names nothing to train with any more")
	}
	state, phase := underWay(d)
	d.Status.State = state
	name, err := v.trigger(d).Start(ctx, v.order(d))
	var trouble *retrain.Trouble
	switch {
	case errors.As(err, &trouble) && trouble.Refused && trouble.NotStarted:
		return v.endTraining(ctx, d, v1alpha1.StateHeld, decide.ReasonTriggerRefused, "", err.Error())
	case errors.As(err, &trouble):
		return v.troubled(ctx, d, trouble)
	case err != nil:
		return err
	}
	d.Status.Job = name
	message := does(d, name)
	journal.Step(d, journal.JobStarted, v.Now(), message)
	if err := v.journal.Write(ctx, d); err != nil {
		return err
	}
	v.log.Info("training", zap.String("decision", d.Name), zap.String("action", d.Spec.Action), zap.String("job", name))
	v.event(d, corev1.EventTypeNormal, journal.JobStarted, message)
	v.show(d, message)
	v.showTraining(d, phase)
	return nil
}

// look sees where a training stands that was started.
func (v *visit) look(ctx context.Context, d *v1alpha1.ModelDecision) error {
	s, err := v.trigger(d).Look(ctx, v.order(d), d.Status.Job)
	var trouble *retrain.Trouble
	switch {
	case errors.As(err, &trouble):
		return v.troubled(ctx, d, trouble)
	case err != nil:
		return err
	}
	if s.Name != "" && s.Name != d.Status.Job {
		d.Status.Job = s.Name
		journal.Step(d, journal.JobFound, v.Now(), s.Message)
		if err := v.journal.Write(ctx, d); err != nil {
			return err
		}
		v.showTraining(d, training)
	}
	v.tellTraining("", s.Message)
	switch {
	case s.State == retrain.Failed:
		return v.endTraining(ctx, d, v1alpha1.StateHeld, decide.ReasonJobFailed, "", s.Message)
	case s.State == retrain.Running && v.late(d):
		return v.tooLate(ctx, d, s.Message)
	case s.State == retrain.Running:
		return nil
	case evaluates(d):
		return v.measured(ctx, d, s.State, s.Message)
	}
	return v.registered(ctx, d, s.State, s.Message)
}

// troubled keeps a training that can't be started or looked at now, until its
// time is over: that nobody answers says nothing about it. It is no error of the
// visit either, for the other track must go on.
func (v *visit) troubled(ctx context.Context, d *v1alpha1.ModelDecision, trouble *retrain.Trouble) error {
	if trouble.NotStarted && !postponed(d) {
		d.Status.Job = ""
		journal.Step(d, journal.JobPostponed, v.Now(), trouble.Error())
		if err := v.journal.Write(ctx, d); err != nil {
			return err
		}
		v.show(d, trouble.Error())
	}
	if v.late(d) {
		return v.tooLate(ctx, d, trouble.Error())
	}
	reason := decide.ReasonTriggerUnreachable
	if trouble.Refused {
		reason = decide.ReasonTriggerRefused
	}
	_, phase := underWay(d)
	v.showTraining(d, phase)
	v.tellTraining(reason, trouble.Error())
	v.conditionTrack(d, metav1.ConditionUnknown, reason, trouble.Error())
	if was := v.stored.Status.Retrain; was == nil || was.Decision != d.Name || was.Reason != string(reason) {
		v.log.Warn("training", zap.String("decision", d.Name), zap.String("reason", string(reason)), zap.Error(trouble))
		v.event(d, corev1.EventTypeWarning, string(reason), trouble.Error())
	}
	return nil
}

func (v *visit) late(d *v1alpha1.ModelDecision) bool {
	return v.now.Sub(trainingSince(d)) > v.timeout(d)
}

func (v *visit) tooLate(ctx context.Context, d *v1alpha1.ModelDecision, message string) error {
	reason := decide.ReasonRetrainTimeout
	if evaluates(d) {
		reason = decide.ReasonEvaluationTimeout
	}
	return v.endTraining(ctx, d, v1alpha1.StateHeld, reason, "", fmt.Sprintf("%s, for longer than %s", message, v.timeout(d)))
}

// trainingSince is when a training was begun with.
func trainingSince(d *v1alpha1.ModelDecision) time.Time {
	return journal.First(d, journal.JobStart, journal.JobPostponed)
}

// postponed says that the last that was tried surely did not start it.
func postponed(d *v1alpha1.ModelDecision) bool {
	return journal.Last(d, journal.JobStart, journal.JobPostponed) == journal.JobPostponed
}

// trigger is what trains: the one that it was begun with, else the guard's. A Job
// evaluates.
func (v *visit) trigger(d *v1alpha1.ModelDecision) Trigger {
	if evaluates(d) {
		return v.jobs()
	}
	if byWorkflow(d.Status.Job) || d.Status.Job == "" && v.guard.Spec.Retrain.GitHub != nil {
		if v.GitHub == nil {
			return noTrigger{}
		}
		return v.GitHub
	}
	return v.jobs()
}

func (v *visit) jobs() retrain.Jobs { return retrain.Jobs{Client: v.Client, Live: v.Live} }

// byWorkflow says that a name is a workflow's run: Jobs have no slash in theirs.
func byWorkflow(name string) bool { return strings.Contains(name, "/") }

func called(name string) string {
	if byWorkflow(name) {
		return name
	}
	return "job " + name
}

// order is what a decision asks for.
func (v *visit) order(d *v1alpha1.ModelDecision) retrain.Order {
	o := retrain.Order{
		Namespace: d.Namespace, Decision: d.Name, Model: d.Spec.Model, Parent: d.Spec.From,
		From: v.trainFrom(d), To: d.Spec.DecidedAt.Time, Timeout: v.timeout(d), Candidates: d.Spec.Asked,
		Notes: journal.Count(d, journal.JobStart) - journal.Count(d, journal.JobPostponed),
	}
	switch g := v.guard.Spec; {
	case evaluates(d) && g.Evaluate != nil:
		o.CronJob = g.Evaluate.From.CronJob
	case !evaluates(d) && g.Retrain != nil:
		o.GitHub = g.Retrain.GitHub
		if g.Retrain.From != nil {
			o.CronJob = g.Retrain.From.CronJob
		}
	}
	if !postponed(d) {
		o.Noted = journal.At(d, journal.JobStart)
	}
	o.Profile = func(ctx context.Context) []byte { return v.profileFor(ctx, o) }
	o.Note = func(ctx context.Context, name, message string) (time.Time, error) {
		d.Status.Job = name
		journal.Step(d, journal.JobStart, v.Now(), message)
		if err := v.journal.Write(ctx, d); err != nil {
			return time.Time{}, err
		}
		return journal.At(d, journal.JobStart), nil
	}
	return o
}

// profileFor fetches the live profile for the Job. A training does without one
// rather than not start: it has the window, and the rows of its own.
func (v *visit) profileFor(ctx context.Context, o retrain.Order) []byte {
	live, err := v.LiveProfile(ctx, v.pods, o.From, o.To)
	if err != nil || live.Profile == nil {
		v.log.Warn("no live profile for the training", zap.String("decision", o.Decision), zap.Error(err))
		return nil
	}
	b, err := retrain.Compact(live.Profile)
	if err != nil {
		v.log.Warn("no live profile for the training", zap.String("decision", o.Decision), zap.Error(err))
	}
	return b
}

// noTrigger is for guards that name a workflow where none can be started.
type noTrigger struct{}

func (noTrigger) Start(_ context.Context, o retrain.Order) (string, error) {
	return "", &retrain.Trouble{Refused: true, NotStarted: o.Noted.IsZero(), Err: errNoTrigger}
}

func (noTrigger) Look(context.Context, retrain.Order, string) (retrain.Status, error) {
	return retrain.Status{}, &retrain.Trouble{Refused: true, Err: errNoTrigger}
}

var errNoTrigger = errors.New("this controller starts no workflows")

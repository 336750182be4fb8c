package guard_test

import (
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// A training that was begun for a little drift is not begun again for more of it.
// What it brings is held against the rows of the day it is done, not of the day it
// was asked for; and only then is there another.
func TestTrainingWhileDriftGoesOn(t *testing.T) {
	w := inTraining(t, func(*world) {})
	trainings := func() []v1alpha1.ModelDecision {
		return slices.DeleteFunc(w.decisions(), func(d v1alpha1.ModelDecision) bool { return d.Spec.Action != "retrain" })
	}
	w.live = csvProfile(t, 90)
	w.alert("input_drift", "act", "30s", "1", "y")
	w.tick(60)
	w.wantState(trainings()[0], v1alpha1.StateTraining, "none_fits")
	if n := len(trainings()); n != 1 {
		t.Errorf("%d trainings at once: %s", n, describe(w.decisions()))
	}
	w.train("") // on the rows around 50
	w.tick(3)
	w.wantState(trainings()[0], v1alpha1.StateHeld, "none_fits")
	w.until(func() bool { return len(trainings()) == 2 }, 60)
	first, second := trainings()[0], trainings()[1]
	w.wantState(second, v1alpha1.StateTraining, "none_fits")
	if second.Status.Job == first.Status.Job || w.changes != 0 {
		t.Errorf("%d changes: %s", w.changes, describe(w.decisions()))
	}
	w.wantServes("1")
}

// Somebody releases a version in the middle of a training, and it is bad: the
// training is theirs no more, and the release is rolled back all the same. What the
// Job registers when it is done is deployed by nobody.
func TestBadReleaseInTheMiddleOfATraining(t *testing.T) {
	w := inTraining(t, func(*world) {})
	training := w.decisions()[0]
	w.alerts = nil
	w.release()
	w.tick(2)
	w.wantState(w.decisions()[0], v1alpha1.Superseded, "human_changed")
	ds := w.decisions()
	if len(ds) != 2 || ds[1].Spec.Action != "rollback" || ds[1].Spec.From != "2" || ds[1].Spec.To != "1" {
		t.Fatal(describe(ds))
	}
	w.alerts = nil
	w.train(training.Name)
	w.settle(25)
	w.wantServes("1")
	w.wantState(w.decisions()[1], v1alpha1.Done, "verified")
	if w.changes != 1 || len(w.decisions()) != 2 {
		t.Errorf("%d changes: %s", w.changes, describe(w.decisions()))
	}
}

// What is registered by a Job that failed, or after it was given up, passed no gate:
// nobody goes to it, however much it is at home in the rows of now.
func TestRegisteredWithoutAGate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		during func(*world, v1alpha1.ModelDecision)
		reason string
	}{
		{"registers, and fails", func(w *world, d v1alpha1.ModelDecision) {
			w.register(50, d.Name)
			w.complete(w.job(), batchv1.JobFailed)
		}, "job_failed"},
		{"fails, and registers", func(w *world, d v1alpha1.ModelDecision) {
			w.complete(w.job(), batchv1.JobFailed)
			w.tick(3)
			w.register(50, d.Name)
		}, "job_failed"},
		{"registers when its time is over", func(w *world, d v1alpha1.ModelDecision) {
			w.now = w.now.Add(61 * time.Minute)
			w.tick(3)
			w.register(50, d.Name)
			w.complete(w.job(), batchv1.JobComplete)
		}, "retrain_timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := inTraining(t, func(*world) {})
			g := w.guard()
			g.Spec.Limits.RetrainsPerWeek = 1
			if err := w.client.Update(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			d := w.one()
			tt.during(w, d)
			w.tick(60)
			ds := w.decisions()
			w.wantState(ds[0], v1alpha1.StateHeld, tt.reason)
			w.wantServes("1")
			if len(ds) != 2 || ds[1].Status.Reason != "retrains_per_week" || w.changes != 0 {
				t.Errorf("%d changes: %s", w.changes, describe(ds))
			}
		})
	}
}

package guard_test

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

const (
	dayNightStep = 30 * time.Minute
	halfDay      = 12 * time.Hour
)

// dayNight is a guard with the limits that guards have by default, of a model with
// two versions that served well: 1 is at home in the night, 2 in the day.
func dayNight(t *testing.T) *world {
	t.Helper()
	d := func(x time.Duration) metav1.Duration { return metav1.Duration{Duration: x} }
	w := newWorld(t, func(g *v1alpha1.ModelGuard) {
		g.Spec.Verify = v1alpha1.Verify{For: d(5 * time.Minute), GoodAfter: d(time.Hour)}
		g.Spec.Limits = v1alpha1.Limits{Cooldown: d(30 * time.Minute), ChangesPerDay: 4, RetrainsPerWeek: 2, ReturnAfter: d(168 * time.Hour)}
		g.Spec.Match.Window = d(24 * time.Hour)
	})
	w.pass(7200)
	two := w.register(50, "")
	w.live = csvProfile(t, 50)
	w.shows[two] = shown{requests: 5000, p99: 0.02}
	w.deploy(two, "kubectl-client-side-apply")
	w.pass(int(halfDay / time.Second))
	w.wantPhase(v1alpha1.Watching, "healthy")
	return w
}

// half lets half a day pass. Rules see inputs that are not the version's after
// some minutes, and are quiet when they are again.
func (w *world) half(centre float64) {
	w.t.Helper()
	home := map[string]float64{"1": 0, "2": 50}
	w.live = csvProfile(w.t, centre)
	serves := func() string { return w.deployment().Spec.Template.Labels[v1alpha1.LabelVersion] }
	for at := time.Duration(0); at < halfDay; at += dayNightStep {
		w.now = w.now.Add(dayNightStep)
		was := serves()
		switch drifts := home[was] != centre; {
		case !drifts:
			w.alerts = nil
		case len(w.alerts) == 0:
			w.alert("input_drift", "page", "10m", was, "x")
		case len(w.alerts) == 1 && at >= 2*dayNightStep:
			w.alert("input_drift", "act", "30m", was, "x")
		}
		w.loop.Round(w.t.Context())
		w.look()
		if serves() != was {
			w.alerts = nil
			w.rollOut()
		}
	}
}

// Inputs go back and forth between two versions' homes for a fortnight: there is
// one change, and no way back, whoever leads; also when the first has been left
// for longer than returnAfter. When they stay, it is returned to.
func TestDayAndNightForAFortnight(t *testing.T) {
	w := dayNight(t)
	before := w.changes
	for day := range 14 {
		w.half(0)
		if day == 0 {
			w.wantServes("1")
		}
		w.half(50)
		if w.changes != before+1 {
			t.Fatalf("day %d: %d changes%s", day, w.changes-before, describe(w.decisions()))
		}
		w.wantPhase(v1alpha1.Held, "oscillation")
		w.loop = w.newLoop(w.client)
	}
	var jobs batchv1.JobList
	if err := w.client.List(t.Context(), &jobs); err != nil || len(jobs.Items) > 0 {
		t.Errorf("%d trainings, %v", len(jobs.Items), err)
	}
	for range 13 {
		w.half(50)
	}
	w.wantServes("1")
	w.half(50)
	w.wantServes("2")
	if w.changes != before+2 {
		t.Errorf("%d changes%s", w.changes-before, describe(w.decisions()))
	}
}

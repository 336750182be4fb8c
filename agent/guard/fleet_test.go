package guard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/explain"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// neighbour is a guard of another model, which has served its version 1 for long.
func (w *world) neighbour(namespace, model string, change ...func(*v1alpha1.ModelGuard)) {
	w.t.Helper()
	g := theGuard()
	for _, f := range change {
		f(g)
	}
	g.Namespace, g.Name, g.Spec.Model, g.Spec.Workload.Name = namespace, model, model, model
	if err := w.client.Create(w.t.Context(), g); err != nil {
		w.t.Fatal(err)
	}
	long := metav1.NewMicroTime(w.now.Add(-time.Hour))
	g.Status.ActiveVersion, g.Status.SettledAt = "1", &long
	g.Status.History = []v1alpha1.ServedVersion{{Version: "1", BeganAt: &long, SettledAt: &long}}
	if err := w.client.Status().Update(w.t.Context(), g); err != nil {
		w.t.Fatal(err)
	}
}

// neighbourAlert makes inputs of a neighbour drift since now.
func (w *world) neighbourAlert(namespace, model string) {
	w.alert("input_drift", "page", "10s", "1", "x")
	l := w.alerts[len(w.alerts)-1].Labels
	l["namespace"], l["model_name"] = namespace, model
}

// outage has the inputs of churn and of two neighbours drift at once.
func outage(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.register(50, "") // at home in what is to come
	w.neighbour(ns, "fraud")
	w.neighbour("shop", "price")
	w.pass(100)
	w.wantPhase(v1alpha1.Watching, "healthy")
	w.live = csvProfile(t, 50)
	w.neighbourAlert(ns, "fraud")
	w.tick(2)
	w.alert("input_drift", "page", "10s", "1", "x")
	w.neighbourAlert("shop", "price")
	w.tick(5)
	w.alert("input_drift", "act", "30s", "1", "x")
	w.tick(5)
	return w
}

func TestOutageUpstreamHoldsAll(t *testing.T) {
	w := outage(t)
	d := w.one()
	w.wantState(d, v1alpha1.StateHeld, "correlated")
	w.wantPhase(v1alpha1.Held, "correlated")
	w.wantServes("1")
	if c := condition(w, "Healthy"); !strings.HasPrefix(c, "False correlated: inputs of 3 models") {
		t.Error(c)
	}
	if !strings.Contains(strings.Join(w.events, "\n"), "ModelDecision Warning correlated: inputs of 3 models changed within 2s of each other (fraud, churn, 1 more)") {
		t.Error(w.events)
	}
	want := `
# HELP leeway_decisions_total Decisions made, by what was found, what is done about it and why.
# TYPE leeway_decisions_total counter
leeway_decisions_total{action="hold",cause="correlated",guard="churn",model_name="churn",namespace="ml",reason="correlated"} 1
`
	if err := testutil.GatherAndCompare(w.loop.Registerer.(*prometheus.Registry), strings.NewReader(want), "leeway_decisions_total"); err != nil {
		t.Error(err)
	}
	// The record alone says what it rests on, and not who else there is.
	told := explain.Decision(d)
	for _, says := range []string{
		"3 models within 2s: fraud (x), churn (x), another namespace's 1", "3 within 10m0s are taken for trouble upstream of all of them",
	} {
		if !strings.Contains(told, says) {
			t.Errorf("does not say %q:\n%s", says, told)
		}
	}
	if strings.Contains(told, "price") {
		t.Errorf("names a model of another namespace:\n%s", told)
	}
}

// The others clear: churn waits until the rows of that time are out of its window,
// whoever leads, and is then judged by itself.
func TestOutageIsRememberedByWhoeverLeads(t *testing.T) {
	w := outage(t)
	w.alerts = w.alerts[1:] // fraud
	w.loop = w.newLoop(w.client)
	w.tick(20)
	w.wantPhase(v1alpha1.Held, "correlated")
	w.wantServes("1")
	w.tick(12)
	ds := w.decisions()
	if last := ds[len(ds)-1].Spec; last.Cause != "input_drift" || last.Action != "retrain" && last.Action != "rollback" {
		t.Error(describe(ds))
	}
}

func TestTwoAtOnceAreJudgedAlone(t *testing.T) {
	w := newWorld(t)
	w.neighbour(ns, "fraud")
	w.pass(100)
	w.live = csvProfile(t, 50)
	w.neighbourAlert(ns, "fraud")
	w.alert("input_drift", "act", "30s", "1", "x")
	w.tick(20)
	ds := w.decisions()
	if d := ds[len(ds)-1]; d.Spec.Cause != "input_drift" || d.Spec.Action != "retrain" {
		t.Error(describe(w.decisions()))
	}
}

func TestSaturation(t *testing.T) {
	for name, tt := range map[string]struct {
		load, before float64
		cause        string
	}{
		"three times the load": {300, 100, "saturation"},
		"the same load":        {100, 100, "serving"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.pass(100)
			w.load, w.loadBefore = tt.load, tt.before
			w.alert("latency", "", "30s", "1", "")
			w.tick(3)
			d := w.one()
			w.wantState(d, v1alpha1.StateHeld, tt.cause)
			w.wantPhase(v1alpha1.Held, tt.cause)
			if c := condition(w, "Healthy"); !strings.HasPrefix(c, "False "+tt.cause) {
				t.Error(c)
			}
			told := explain.Decision(d)
			if says := "300 requests a second were asked, where 100 had been the most of the hour before: 3.0 times as many, and from 1.25 on that is the load"; strings.Contains(told, says) != (tt.cause == "saturation") {
				t.Error(told)
			}
		})
	}
}

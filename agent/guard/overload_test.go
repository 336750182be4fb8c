package guard_test

import (
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

func unhealthy(problem, state string) evidence.Alert {
	return evidence.Alert{
		Labels:      map[string]string{"alertname": "LeewayUnhealthy", "problem": problem, "pod": "leeway-controller-0"},
		Annotations: map[string]string{"summary": problem + " on leeway-controller-0.", "description": "Do something."},
		State:       state,
	}
}

func TestOverloadIsACondition(t *testing.T) {
	w := newWorld(t)
	w.pass(40)
	want := func(c string) {
		t.Helper()
		if got := condition(w, "Overloaded"); got != c {
			t.Errorf("condition %q, want %q", got, c)
		}
	}
	want("none")
	w.alerts = []evidence.Alert{unhealthy("too_many_series", "pending"), unhealthy("no_leader", "firing")}
	w.tick(1)
	want("none")
	w.alerts = []evidence.Alert{unhealthy("rules_slow", "firing"), unhealthy("too_many_series", "firing")}
	w.tick(1)
	want("True too_many_series: too_many_series on leeway-controller-0. Do something.")
	w.wantPhase(v1alpha1.Watching, "healthy") // it is told, and holds nothing

	// While nothing is known, it stays.
	w.alerts, w.sourceErr = nil, errDown
	w.tick(1)
	if c := condition(w, "Overloaded"); !strings.HasPrefix(c, "True too_many_series") {
		t.Error(c)
	}
	w.sourceErr = nil
	w.tick(1)
	want("none")
}

// A message has a number that moves: each would be a write for every guard.
func TestOverloadIsWrittenOnce(t *testing.T) {
	w := newWorld(t)
	w.pass(40)
	w.alerts = []evidence.Alert{unhealthy("too_many_series", "firing")}
	w.tick(1)
	before := w.guard().ResourceVersion
	w.alerts[0].Annotations["summary"] = "another number"
	w.tick(3)
	if after := w.guard().ResourceVersion; after != before {
		t.Errorf("written again: %s, then %s", before, after)
	}
}

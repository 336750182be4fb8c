package guard

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/atlas"
	"github.com/leeway-dev/leeway/registry/profile"
)

// Of models that no guard watches any more nothing is held.
func TestMatchesForget(t *testing.T) {
	s := newMatches()
	var guards []v1alpha1.ModelGuard
	for _, name := range []string{"churn", "eta"} {
		g := v1alpha1.ModelGuard{}
		g.Name, g.Namespace = name, "ml"
		guards = append(guards, g)
		versions := []registry.Version{{Model: name, Number: 1}, {Model: name, Number: 2}}
		m, err := s.ready(keyOf(&g), versions)
		if err != nil {
			t.Fatal(err)
		}
		s.put(matchKey{guard: keyOf(&g)}, &matched{})
		if again, err := s.ready(keyOf(&g), versions); again != m || err != nil {
			t.Errorf("%s: another matcher the second time, %v", name, err)
		}
	}
	s.forget(guards[:1])
	if _, there := s.matchers[keyOf(&guards[0])]; !there || len(s.matchers) != 1 || len(s.by) != 1 {
		t.Errorf("%d matchers, %d answers, want those of the guard that is there", len(s.matchers), len(s.by))
	}
}

// A decision keeps the candidates in the order that chose, and what that rests on.
func TestRecordedByPredictedError(t *testing.T) {
	errors := []float64{7, 9, 6}
	m := &matched{live: &profile.Profile{Rows: 4000}, result: registry.Result{
		Rule: registry.RulePredicted, Trust: "inputs predict quality", Live: "2",
		Forecast: &registry.Forecast{Metric: "mae", Gate: atlas.Open, Datasets: 11, R2: 0.61, T: 4},
	}}
	for i := range errors {
		m.result.Candidates = append(m.result.Candidates, registry.Candidate{
			Version: fmt.Sprint(i + 1), Distance: 0.1 * float64(i+1), PredictedError: &errors[i], Margin: 0.6,
		})
	}
	got := (&visit{}).recorded(m, "3")
	if want := (&v1alpha1.ForecastEvidence{Metric: "mae", Gate: "open", Datasets: 11, R2: "0.61", T: "4"}); !cmp.Equal(want, got.Forecast) || got.Rule != "predicted_error" || got.Trust != "inputs predict quality" {
		t.Errorf("ranked by %q, %q, %+v", got.Rule, got.Trust, got.Forecast)
	}
	order := ""
	for _, c := range got.Candidates {
		order += fmt.Sprintf("%s:%s:%s ", c.Version, c.PredictedError, c.Margin)
	}
	if order != "3:6:0.6 1:7:0.6 2:9:0.6 " {
		t.Error(order)
	}
}

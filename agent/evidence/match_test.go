package evidence_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/atlas"
	"github.com/leeway-dev/leeway/registry/profile"
)

// A decision keeps the candidates in the order that chose, and what that rests on.
func TestRecordedByPredictedError(t *testing.T) {
	errors := []float64{7, 9, 6}
	m := &evidence.Match{Live: &profile.Profile{Rows: 4000}, Result: registry.Result{
		Rule: registry.RulePredicted, Trust: "inputs predict quality", Live: "2",
		Forecast: &registry.Forecast{Metric: "mae", Gate: atlas.Open, Datasets: 11, R2: 0.61, T: 4},
	}}
	for i := range errors {
		m.Result.Candidates = append(m.Result.Candidates, registry.Candidate{
			Version: fmt.Sprint(i + 1), Distance: 0.1 * float64(i+1), PredictedError: &errors[i], Margin: 0.6,
		})
	}
	got := m.Recorded(nil)
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

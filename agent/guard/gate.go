package guard

import (
	"context"
	"math"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// enoughLabels is the fewest labelled rows that live's error of now is read from.
const enoughLabels = 200

// gate says whether a trained version may be deployed. Both are compared on the
// same rows: the Job's hold-out, where it evaluated the live version too; else
// live's labelled error of now stands in.
func (v *visit) gate(ctx context.Context, candidate *registry.Version, d *v1alpha1.ModelDecision) (bool, decide.Reason, string, error) {
	own, live := evidence.Comparison(candidate, v.fields.Version)
	from := ""
	if len(live) == 0 {
		window := max(v.now.Sub(v.trainFrom(d)), v.verifyWindow())
		s, err := v.reads().Sample(ctx, v.fields.Version, window)
		if err != nil {
			return false, "", "", err
		}
		live = labelled(s)
		from = " (live: its labelled error of the last " + evidence.Duration(window) + ")"
	}
	ok, reason, message := decide.Gate(evidence.GateRules(v.guard.Spec.Gate), own, live)
	return ok, reason, message + from, nil
}

// labelled are the metrics that late labels give, by the names that trainers
// use. For classes the error is 0 or 1, so its square is itself.
func labelled(s decide.Sample) map[string]float64 {
	out := map[string]float64{}
	if s.Labels < enoughLabels {
		return out
	}
	mean, square := s.ErrorSum/s.Labels, s.ErrorSquares/s.Labels
	out["mae"], out["mse"], out["rmse"], out["error"] = mean, square, math.Sqrt(square), mean
	if s.ErrorSum == s.ErrorSquares {
		out["accuracy"] = 1 - mean
	}
	return out
}

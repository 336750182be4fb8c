package simulate_test

import (
	"math"
	"testing"

	"github.com/leeway-dev/leeway/rules/simulate"
)

func flat(bins int) simulate.Kind {
	shares := make([]float64, bins)
	for i := range shares {
		shares[i] = 1 / float64(bins)
	}
	return simulate.Kind{Name: "flat", Shares: shares}
}

// The statistic alone keeps the promise, whatever is promised, for every number
// of bins and every way to look. A reference without noise: what is tested is
// that sliding windows are allowed for.
func TestPromiseIsKept(t *testing.T) {
	const references, draws = 20, 1000
	alphas := []float64{1e-3, 1e-5, 1e-7}
	if testing.Short() {
		alphas = []float64{1e-5}
	}
	for _, rung := range []simulate.Rung{
		{Steps: 20, Hold: 2, For: 0.1}, {Steps: 30, Hold: 3, For: 0.1}, {Steps: 48, Hold: 4, For: 1.0 / 12}, {Steps: 60, Hold: 5, For: 1.0 / 12},
	} {
		for _, alpha := range alphas {
			for _, df := range []int{1, 4, 11} {
				rung.PerWindow = alpha
				s := simulate.Setting{Kind: flat(df + 1), Rows: 20000, Reference: 1e9, Columns: 1}
				random := simulate.NewRandom(1, 2)
				p := simulate.NewPalm(random, rung, s)
				sum := 0.0
				for range references {
					alarms, _ := p.Rate(s.Draw(random), draws)
					sum += alarms / alpha / float64(references)
				}
				if math.Abs(sum-1) > 0.3 {
					t.Errorf("%d steps, for %d, df %d, alpha %g: %.2f of what is promised", rung.Steps, rung.Hold, df, alpha, sum)
				}
				t.Logf("%d steps, for %d, df %d, alpha %g: %.2f", rung.Steps, rung.Hold, df, alpha, sum)
			}
		}
	}
}

// z grows with G where it can be critical, and is small where nothing differs.
func TestZGrows(t *testing.T) {
	for df := 1.0; df <= 64; df *= 2 {
		before := math.Inf(-1)
		for g := df / 2; g < 40*df; g *= 1.02 {
			z := simulate.Z(g, df, 0.1, 1)
			if z < before && before > 1 || g <= df && z > 1 {
				t.Fatalf("df %g: z %.3f at G %.2f, %.3f just below", df, z, g, before)
			}
			before = z
		}
	}
}

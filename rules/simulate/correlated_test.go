package simulate_test

import (
	"math"
	"testing"

	"github.com/leeway-dev/leeway/rules/simulate"
)

// Columns that go together have as many false alarms as columns that don't, in
// fewer episodes; copies have one for all of them.
func TestCorrelationChangesEpisodesOnly(t *testing.T) {
	const promise, columns, models, windows = 0.1, 10, 40, 200
	rung := simulate.Rung{Steps: 30, Hold: 3, For: 0.1, PerWindow: promise}
	episodes := map[float64]float64{}
	for i, rho := range []float64{0, 0.95, 1} {
		c := simulate.Correlated{Kind: flat(10), Columns: columns, Correlation: rho, Rows: 500, Reference: 100_000}
		out := c.Clump(simulate.NewRandom(8, uint64(i)), rung, models, windows)
		ratio := float64(out.Alarms) / (promise * models * windows)
		episodes[rho] = float64(out.Episodes) / float64(out.Alarms)
		limit := 0.15
		if rho == 1 {
			limit = 0.3 // a tenth of the columns are independent
		}
		if math.Abs(ratio-1) > limit {
			t.Errorf("correlation %g: %.2f alarms for one that is promised", rho, ratio)
		}
		t.Logf("correlation %g: %.2f of the promise, %.2f episodes an alarm, at most %d alarms in one", rho, ratio, episodes[rho], out.Largest)
	}
	if episodes[0] < 0.8 || episodes[0.95] > episodes[0]-0.05 || episodes[1] != 1.0/columns {
		t.Errorf("episodes an alarm by correlation: %v", episodes)
	}
}

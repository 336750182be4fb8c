package rules

import (
	"math"
	"time"
)

// lookback is how far an instant query looks back for a sample in Prometheus
// and its kin, unless told otherwise.
const lookback = Duration(5 * time.Minute)

// holds are the numbers of independent tests that evaluating one window all
// along is worth, by for as a share of the window: Palm simulation of the
// sliding statistic at an alpha of 1e-5 and 11 degrees of freedom. It depends
// little on either; see docs/rules.md.
var holds = []struct{ share, tests float64 }{
	{0, 22}, {1. / 30, 6.8}, {1. / 12, 2.5}, {1. / 6, 0.7}, {1. / 4, 0.24},
}

// effectiveTests interpolates holds on a logarithmic scale.
func effectiveTests(share float64) float64 {
	for i := 1; i < len(holds); i++ {
		low, high := holds[i-1], holds[i]
		if share <= high.share {
			at := (share - low.share) / (high.share - low.share)
			return math.Round(1e4*math.Exp((1-at)*math.Log(low.tests)+at*math.Log(high.tests))) / 1e4
		}
	}
	return holds[len(holds)-1].tests
}

// inverseAlpha is 1/alpha for one column: the number of effective tests in the
// time that the budget is for, when clocks share it. A model with d columns
// has d times as many.
func inverseAlpha(c Clock, b Budget, clocks int) float64 {
	perClock := effectiveTests(c.For.seconds() / c.Window.seconds())
	return perClock * float64(clocks) * b.Per.seconds() / (b.FalseAlarms * c.Window.seconds())
}

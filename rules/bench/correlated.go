package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// correlatedRows are those of a window; the reference has ten times as many.
const correlatedRows = 1000

// correlated prints the false alarms of the statistic in models whose columns go
// together, over the promise, and how they clump: time passes, with an hour's
// window that is promised the whole budget, ten times and a hundred times as
// much, so that enough of them are seen.
func (b *bench) correlated(ctx context.Context) error {
	var rung rules.Rung
	for _, r := range b.ladder {
		if r.Window == rules.Duration(time.Hour) {
			rung = r
		}
	}
	if rung.Window == 0 {
		return fmt.Errorf("the values have no window of 1h")
	}
	fmt.Printf("\n### False alarms of models whose columns go together (statistic alone, 1h, %d rows an hour, references of %d)\n\n", correlatedRows, 10*correlatedRows)
	fmt.Print("| columns | kind | times the budget | correlation | alarms over the promise | alarms an episode | most in one | models of 90 days with an alarm |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	low, high := math.Inf(1), 0.0
	for _, s := range []struct {
		columns int
		kind    string
		budget  float64
		models  float64
	}{{20, "continuous", 100, 20}, {20, "continuous", 10, 60}, {20, "continuous", 1, 200}, {20, "discrete", 10, 60}, {500, "continuous", 10, 12}, {500, "discrete", 10, 12}} {
		if b.columns > 0 && s.columns != b.columns {
			continue
		}
		for i, rho := range []float64{0, 0.5, 0.9, 1} {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			c := simulate.Correlated{Columns: s.columns, Correlation: rho, Rows: correlatedRows, Reference: 10 * correlatedRows}
			for _, k := range simulate.Kinds() {
				if k.Name == s.kind {
					c.Kind = k
				}
			}
			r := b.rung(rung)
			windows := int(b.values.Budgets.Inputs.Per / rung.Window)
			r.PerWindow = s.budget * rung.Promised(b.values.Budgets.Inputs, 1)
			models := max(int(b.scale*s.models), 2)
			if rho == 1 {
				models *= s.columns // quick, and all columns alarm at once
			}
			out := c.Clump(simulate.NewRandom(b.seed, uint64(1000*s.columns+i)), r, models, windows)
			mean, stderr := perModel(out.Models, r.PerWindow*float64(windows))
			with := 0
			for _, n := range out.Models {
				if n > 0 {
					with++
				}
			}
			fmt.Printf("| %d | %s | %g | %s | %.2f ± %.2f | %.1f | %d | %.0f %% |\n", s.columns, s.kind, s.budget, correlationName(rho), mean, stderr,
				float64(out.Alarms)/float64(max(out.Episodes, 1)), out.Largest, 100*float64(with)/float64(models))
			if rho < 1 {
				low, high = min(low, mean), max(high, mean)
			}
		}
	}
	b.aim(low >= 0.75 && high <= 1.25, "false alarms of the statistic where columns go together: within ± 25 % of the promise", "%.2f to %.2f times it (copies aside, which fire as one)", low, high)
	return nil
}

func correlationName(rho float64) string {
	if rho == 1 {
		return "copies"
	}
	return fmt.Sprint(rho)
}

// perModel is the mean over the promise, and its standard error between models.
func perModel(alarms []int, promise float64) (mean, stderr float64) {
	x := make([]float64, len(alarms))
	for i, n := range alarms {
		x[i] = float64(n) / promise
	}
	return summary(x)
}

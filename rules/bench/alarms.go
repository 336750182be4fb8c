package main

import (
	"context"
	"fmt"
	"math"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// rung is a window of the rules as the simulation has it: the statistic alone.
func (b *bench) rung(r rules.Rung) simulate.Rung {
	steps, hold := r.Steps()
	return simulate.Rung{
		Steps: steps, Hold: hold, For: r.For.Seconds() / r.Window.Seconds(),
		PerWindow: r.Promised(b.values.Budgets.Inputs, len(b.ladder)),
	}
}

// whole adds the floor and the least effective rows.
func (b *bench) whole(r rules.Rung, kind simulate.Kind) simulate.Rung {
	out := b.rung(r)
	out.MinRows, out.Floor = r.MinEffectiveRows, b.values.Floors.Inputs
	if len(kind.Shares) <= 2 {
		out.Floor = min(out.Floor, b.values.Floors.Binary)
	}
	return out
}

// models are the alarms of each model of one column on the whole ladder in the
// time of the budget, over what is promised. Rows are those of every window, or
// those of an hour.
func (b *bench) models(s simulate.Setting, hourly bool, budget rules.Budget, rungOf func(rules.Rung) simulate.Rung) []float64 {
	random := simulate.NewRandom(b.seed, uint64(s.Rows)+uint64(s.Columns))
	palms := make([]*simulate.Palm, len(b.ladder))
	for i, r := range b.ladder {
		s := s
		if hourly {
			s.Rows *= r.Window.Seconds() / 3600
		}
		palms[i] = simulate.NewPalm(random, rungOf(r), s)
	}
	out := make([]float64, b.references)
	for i := range out {
		column := s.Draw(random)
		for k, r := range b.ladder {
			alarms, above := palms[k].Rate(column, b.draws)
			windows := budget.Per.Seconds() / r.Window.Seconds()
			// Above from the first, it fires once.
			out[i] += (alarms*windows + min(above, 1)) * float64(s.Columns) / budget.FalseAlarms
		}
	}
	return out
}

func summary(x []float64) (mean, stderr, most float64) {
	var sum, squares float64
	for _, v := range x {
		sum, squares, most = sum+v, squares+v*v, max(most, v)
	}
	n := float64(len(x))
	mean = sum / n
	return mean, math.Sqrt(max(squares/n-mean*mean, 0) / n), most
}

// statistic prints the false alarms of the z part alone.
func (b *bench) statistic(ctx context.Context) error {
	fmt.Printf("\n### False alarms of the statistic alone, over the promise (%d references of ten times the rows, %d windows of the ladder together)\n\n", b.references, len(b.ladder))
	fmt.Print("| rows a window | columns |")
	for _, k := range simulate.Kinds() {
		fmt.Printf(" %s |", k.Name)
	}
	fmt.Print("\n| --- | --- | --- | --- | --- | --- |\n")
	least, most, within, cells := math.Inf(1), 0.0, 0, 0
	for _, rows := range []float64{100, 1000, 10_000, 100_000} {
		for _, columns := range []int{1, 20, 500} {
			fmt.Printf("| %.0f | %d |", rows, columns)
			for _, kind := range simulate.Kinds() {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				mean, stderr, _ := summary(b.models(simulate.Setting{Kind: kind, Rows: rows, Reference: 10 * rows, Columns: columns}, false, b.values.Budgets.Inputs, b.rung))
				fmt.Printf(" %.2f ± %.2f |", mean, stderr)
				least, most, cells = min(least, mean), max(most, mean), cells+1
				if math.Abs(mean-1) <= 0.25 {
					within++
				}
			}
			fmt.Println()
		}
	}
	b.aim(within == cells, "false alarms of the statistic alone: within ± 25 % of the promise", "%.2f to %.2f times it; %d of %d cells within", least, most, within, cells)
	return nil
}

// rule prints the false alarms of the whole rule, and those of the worst model.
func (b *bench) rule(ctx context.Context) error {
	fmt.Printf("\n### False alarms of the whole rule, over the promise: mean / worst of %d models of one column (no last week)\n\n", b.references)
	fmt.Print("| rows an hour | rows of the reference |")
	for _, k := range simulate.Kinds() {
		fmt.Printf(" %s |", k.Name)
	}
	fmt.Print("\n| --- | --- | --- | --- | --- | --- |\n")
	highest, worst := 0.0, 0.0
	for _, rows := range []float64{100, 1000, 10_000, 100_000} {
		for _, reference := range []float64{1000, 10_000, 100_000} {
			fmt.Printf("| %.0f | %.0f |", rows, reference)
			for _, kind := range simulate.Kinds() {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				whole := func(r rules.Rung) simulate.Rung { return b.whole(r, kind) }
				mean, _, most := summary(b.models(simulate.Setting{Kind: kind, Rows: rows, Reference: reference, Columns: 1}, true, b.values.Budgets.Inputs, whole))
				fmt.Printf(" %.2f / %.1f |", mean, most)
				highest, worst = max(highest, mean), max(worst, most)
			}
			fmt.Println()
		}
	}
	b.aim(highest <= 1.2, "the whole rule, references of 1,000 rows and more: at most 1.2 times the promise", "at most %.2f", highest)
	b.aim(worst <= 5, "no single model above 5 times", "at most %.1f", worst)
	return nil
}

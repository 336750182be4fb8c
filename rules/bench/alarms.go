package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// rung is a window of the rules as the simulation has it: the statistic alone.
func (b *bench) rung(r rules.Rung) simulate.Rung {
	steps, hold := r.Steps()
	return simulate.Rung{
		Steps: steps, Hold: hold, For: r.For.Seconds() / r.Window.Seconds(),
		PerWindow: r.Promised(b.values.Budgets.Inputs, len(b.ladder)), Ranks: r.Ranks,
	}
}

// whole adds the floor and the least effective rows.
func (b *bench) whole(r rules.Rung, kind simulate.Kind) simulate.Rung {
	out := b.rung(r)
	out.MinRows, out.Floor = r.MinEffectiveRows, b.values.Floors.Inputs
	if len(kind.Shares) <= 2 {
		out.Floor, out.MinRows = min(out.Floor, b.values.Floors.Binary), max(out.MinRows, rules.BinaryRows)
	}
	return out
}

// models are models of one column that don't drift, each with training data of its
// own.
type models struct {
	*bench
	budget      rules.Budget
	columnsEach float64 // that one column stands for
	palms       []*simulate.Palm
	columns     []*simulate.Column
	// alarms of each on the whole ladder in the time of the budget, over what is
	// promised.
	alarms []float64
}

// models draws them. Rows are those of every window, or those of an hour.
func (b *bench) models(s simulate.Setting, hourly bool, budget rules.Budget, rungOf func(rules.Rung) simulate.Rung) *models {
	random := simulate.NewRandom(b.seed, uint64(s.Rows)+uint64(s.Columns))
	m := &models{bench: b, budget: budget, columnsEach: float64(s.Columns)}
	for _, r := range b.ladder {
		s := s
		if hourly {
			s.Rows *= r.Window.Seconds() / 3600
		}
		m.palms = append(m.palms, simulate.NewPalm(random, rungOf(r), s))
	}
	for range b.references {
		column := s.Draw(random)
		m.columns, m.alarms = append(m.columns, column), append(m.alarms, m.of(column, b.draws))
	}
	return m
}

// of are the alarms of one, from so many windows drawn.
func (m *models) of(column *simulate.Column, draws int) float64 {
	sum := 0.0
	for k, r := range m.ladder {
		alarms, above := m.palms[k].Rate(column, draws)
		windows := m.budget.Per.Seconds() / r.Window.Seconds()
		// Above from the first, it fires once.
		sum += (alarms*windows + min(above, 1)) * m.columnsEach / m.budget.FalseAlarms
	}
	return sum
}

// worst are the most alarms of a model. The greatest of many measurements is the
// one with the most luck: so the tenth with the most are measured anew, from ten times
// as many windows, and of these the first five, from a hundred times as many.
func (m *models) worst() float64 {
	columns, alarms := m.columns, m.alarms
	for _, round := range []struct{ keep, more int }{{(len(columns) + 9) / 10, 10}, {5, 100}} {
		order := make([]int, len(columns))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(alarms[b], alarms[a]) })
		var kept []*simulate.Column
		var again []float64
		for _, i := range order[:min(round.keep, len(order))] {
			kept, again = append(kept, columns[i]), append(again, m.of(columns[i], round.more*m.draws))
		}
		columns, alarms = kept, again
	}
	return slices.Max(alarms)
}

func summary(x []float64) (mean, stderr float64) {
	var sum, squares float64
	for _, v := range x {
		sum, squares = sum+v, squares+v*v
	}
	n := float64(len(x))
	mean = sum / n
	return mean, math.Sqrt(max(squares/n-mean*mean, 0) / n)
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
				mean, stderr := summary(b.models(simulate.Setting{Kind: kind, Rows: rows, Reference: 10 * rows, Columns: columns}, false, b.values.Budgets.Inputs, b.rung).alarms)
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
				models := b.models(simulate.Setting{Kind: kind, Rows: rows, Reference: reference, Columns: 1}, true, b.values.Budgets.Inputs, whole)
				mean, _ := summary(models.alarms)
				most := models.worst()
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

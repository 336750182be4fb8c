package main

import (
	"context"
	"fmt"
	"math"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// wrongAnswers is a window of the rule about right and wrong answers.
func (b *bench) wrongAnswers(r rules.Rung) simulate.Rung {
	out := b.moreWrong(r)
	out.MinRows, out.Factor = r.MinEffectiveRows, b.values.Quality.Factor
	return out
}

// moreWrong is its statistic alone.
func (b *bench) moreWrong(r rules.Rung) simulate.Rung {
	out := b.rung(r)
	out.PerWindow, out.Factor = r.Promised(b.values.Budgets.Answers, len(b.ladder)), 1
	return out
}

// errorRates are the shares of wrong answers that are tried.
var errorRates = []float64{0.01, 0.05, 0.1, 0.3, 0.5}

// answers prints the false alarms of the rule about right and wrong answers.
func (b *bench) answers(ctx context.Context) error {
	budget := b.values.Budgets.Answers
	head := func(first string) {
		fmt.Print(first)
		for _, p := range errorRates {
			fmt.Printf(" %.0f %% wrong |", 100*p)
		}
		fmt.Println()
	}
	kind := func(p float64) simulate.Kind { return simulate.Kind{Shares: []float64{1 - p, p}} }
	fmt.Printf("\n### False alarms of the statistic of answers alone, over the promise (%d references of ten times the rows)\n\n", b.references)
	head("| rows a window |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	least, most := math.Inf(1), 0.0
	for _, rows := range []float64{100, 1000, 10_000, 100_000} {
		fmt.Printf("| %.0f |", rows)
		for _, p := range errorRates {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			mean, stderr := summary(b.models(simulate.Setting{Kind: kind(p), Rows: rows, Reference: 10 * rows, Columns: 1}, false, budget, b.moreWrong).alarms)
			fmt.Printf(" %.2f ± %.2f |", mean, stderr)
			least, most = min(least, mean), max(most, mean)
		}
		fmt.Println()
	}
	b.aim(least >= 0.75 && most <= 1.25, "false alarms of the statistic of answers alone: within ± 25 % of the promise", "%.2f to %.2f times it", least, most)
	fmt.Printf("\n### False alarms of the whole rule of answers, over the promise: mean / worst of %d versions\n\n", b.references)
	head("| labels an hour | hold-out rows |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- |")
	highest, worst := 0.0, 0.0
	for _, rows := range []float64{100, 1000, 10_000, 100_000} {
		for _, holdout := range []float64{1000, 10_000, 100_000} {
			fmt.Printf("| %.0f | %.0f |", rows, holdout)
			for _, p := range errorRates {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				models := b.models(simulate.Setting{Kind: kind(p), Rows: rows, Reference: holdout, Columns: 1}, true, budget, b.wrongAnswers)
				mean, _ := summary(models.alarms)
				one := models.worst()
				fmt.Printf(" %.2f / %.1f |", mean, one)
				highest, worst = max(highest, mean), max(worst, one)
			}
			fmt.Println()
		}
	}
	b.aim(highest <= 1.2, "the whole rule of answers: at most 1.2 times the promise", "at most %.2f", highest)
	b.aim(worst <= 5, "no single version above 5 times", "at most %.1f", worst)
	return nil
}

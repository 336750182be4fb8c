package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// Columns and reference of the models on which delays are measured.
const (
	delayColumns   = 20
	delayReference = 100_000
	delayMost      = 14 * 24 * time.Hour
)

// delay prints how many effective rows pass between a change and the first
// alarm: of any page window, of act, of slow, and of an hour's window alone that
// has all the budget. The last column is what no detector can do better.
func (b *bench) delay(ctx context.Context) error {
	trials := max(int(b.scale*40), 3)
	fmt.Printf("\n### Delay in effective rows (median of %d) of a model of %d columns, reference of %d rows; in brackets the window\n\n", trials, delayColumns, delayReference)
	fmt.Print("| change | effective rows an hour | page | act | slow | 1h alone | bound |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for i, shift := range simulate.Shifts() {
		for _, hourly := range []float64{100, 1000, 10_000} {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Printf("| %s | %.0f |", shift.Name, hourly)
			b.delays(uint64(i), shift, hourly, trials)
			rows := hourly * b.values.Budgets.Inputs.Per.Seconds() / 3600 / b.values.Budgets.Inputs.FalseAlarms
			fmt.Printf(" %.0f |\n", math.Log(rows*delayColumns)/shift.Information())
		}
	}
	return nil
}

func (b *bench) delays(seed uint64, shift simulate.Shift, hourly float64, trials int) {
	ladder, alone := b.ladder, rules.Rung{}
	for _, r := range ladder {
		if r.Window == rules.Duration(time.Hour) {
			alone = r
		}
	}
	var clocked []simulate.Clocked
	for _, r := range ladder {
		clocked = append(clocked, b.clocked(r, shift.Kind))
	}
	if alone.Window > 0 {
		c := b.clocked(alone, shift.Kind)
		c.PerWindow *= float64(len(ladder))
		clocked = append(clocked, c)
	}
	names := []string{"page", "act", "slow", "alone"}
	first := map[string][]time.Duration{}
	windows := map[string]map[rules.Duration]int{"page": {}, "act": {}, "slow": {}, "alone": {}}
	for trial := range trials {
		random := simulate.NewRandom(b.seed, 1000*seed+uint64(trial))
		best := map[string]time.Duration{}
		by := map[string]rules.Duration{}
		for i, at := range simulate.Delays(random, clocked, shift, hourly, delayColumns, delayReference, delayMost) {
			name, window := "alone", alone.Window
			if i < len(ladder) {
				name, window = ladder[i].Name, ladder[i].Window
			}
			if at > 0 && (best[name] == 0 || at < best[name]) {
				best[name], by[name] = at, window
			}
		}
		for _, name := range names {
			if best[name] == 0 {
				best[name] = math.MaxInt64
			} else {
				windows[name][by[name]]++
			}
			first[name] = append(first[name], best[name])
		}
	}
	for _, name := range names {
		slices.Sort(first[name])
		median := first[name][len(first[name])/2]
		if median == math.MaxInt64 {
			fmt.Print(" never |")
			continue
		}
		usual, times := rules.Duration(0), 0
		for w, n := range windows[name] {
			if n > times || n == times && w < usual {
				usual, times = w, n
			}
		}
		fmt.Printf(" %.0f (%s) |", median.Hours()*hourly, usual)
	}
}

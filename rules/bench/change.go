package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// The mean moves at ten of a fifth day of the week, when clustering and last week
// are known, and is looked for for two weeks.
const (
	changeAt   = 18*day + 10*time.Hour
	changeMost = 14 * day
)

// change prints how soon a change is seen where rows are not independent, by the
// windows of an hour and more.
func (b *bench) change(ctx context.Context) error {
	trials := max(int(b.scale*20), 3)
	ladder := slices.DeleteFunc(slices.Clone(b.ladder), func(r rules.Rung) bool { return r.Window < rules.Duration(time.Hour) })
	fmt.Printf("\n### Delay in hours where rows are not independent (whole rule, one column; median of %d, and the share seen within two weeks)\n\n| traffic, 3,000 rows an hour | mean moves by |", trials)
	for _, r := range ladder {
		fmt.Printf(" %s |", r.Window)
	}
	fmt.Printf("\n| --- | --- |%s\n", strings.Repeat(" --- |", len(ladder)))
	for i, t := range traffics() {
		if i == 1 || i == 3 || i == 7 { // shorter sessions and waves, larger cycles
			continue
		}
		for _, t.Moved = range []float64{0.3, 0.5, 1} {
			t.MovedAfter = changeAt
			fmt.Printf("| %s | %.1f sd |", t.Name, t.Moved)
			for k, r := range ladder {
				var seen []float64
				for trial := range trials {
					if err := ctx.Err(); err != nil {
						return err
					}
					random := simulate.NewRandom(b.seed, uint64(100*k+trial))
					out := simulate.Stream(random, b.clocked(r, t.Kind), t, 100_000, int((changeAt+changeMost)/day)-8)
					if out.Seen > 0 {
						seen = append(seen, out.Seen.Hours())
					}
				}
				slices.Sort(seen)
				if len(seen) <= trials/2 {
					fmt.Printf(" never (%d %%) |", 100*len(seen)/trials)
					continue
				}
				fmt.Printf(" %.1f (%d %%) |", seen[trials/2], 100*len(seen)/trials)
			}
			fmt.Println()
		}
	}
	return nil
}

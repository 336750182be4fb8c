package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/rules/simulate"
)

// change prints how soon a change is seen where rows are not independent.
func (b *bench) change(ctx context.Context) error {
	const days = 32
	trials := max(int(b.scale*20), 3)
	fmt.Printf("\n### Delay in hours where rows are not independent (median of %d; share seen within two weeks)\n\n| traffic | mean moves by |", trials)
	for _, r := range b.ladder {
		if r.Window.Seconds() >= 3600 {
			fmt.Printf(" %s |", r.Window)
		}
	}
	fmt.Println()
	for i, t := range traffics() {
		if !slices.Contains([]int{0, 2, 4, 5, 6, 8}, i) {
			continue
		}
		for _, moved := range []float64{0.3, 0.5, 1} {
			t.Moved, t.MovedAfter = moved, 18*day+10*time.Hour
			fmt.Printf("| %s | %.2f sd |", t.Name, moved)
			for k, r := range b.ladder {
				if r.Window.Seconds() < 3600 {
					continue
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				c := b.clocked(r, t.Kind)
				var seen []float64
				for trial := range trials {
					out := simulate.Stream(simulate.NewRandom(b.seed, uint64(100*k+trial)), c, t, 100_000, days-8)
					if out.Seen == 0 || out.Seen > 14*day {
						out.Seen = math.MaxInt64
					}
					seen = append(seen, out.Seen.Hours())
				}
				slices.Sort(seen)
				n := 0
				for _, h := range seen {
					if h < 1000 {
						n++
					}
				}
				median := seen[len(seen)/2]
				if median > 1000 {
					fmt.Printf(" – (%d %%) |", 100*n/trials)
				} else {
					fmt.Printf(" %.1f (%d %%) |", median, 100*n/trials)
				}
			}
			fmt.Println()
		}
	}
	return nil
}

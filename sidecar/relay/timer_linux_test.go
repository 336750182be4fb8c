package relay

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The earliest is always first, whatever was set, set again, and cleared. (Inside, because waits are seconds and more.)
func TestTimers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var timers timers
	pairs := make([]pair, 50)
	due := map[*pair]int64{}
	for range 10_000 {
		p := &pairs[r.IntN(len(pairs))]
		if r.IntN(3) == 0 {
			timers.clear(p)
			delete(due, p)
		} else {
			at := r.Int64N(1000)
			timers.set(p, at)
			due[p] = at
		}
		if len(timers) != len(due) {
			t.Fatalf("%d timers, want %d", len(timers), len(due))
		}
		if len(due) == 0 {
			continue
		}
		var all []int64
		for p, at := range due {
			all = append(all, at)
			if p.due != at || timers[p.timer-1] != p {
				t.Fatalf("a pair waits until %d at place %d, want %d", p.due, p.timer, at)
			}
		}
		if timers[0].due != slices.Min(all) {
			t.Fatalf("first %d, want %d", timers[0].due, slices.Min(all))
		}
	}
}

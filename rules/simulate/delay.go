package simulate

import (
	"math"
	"time"
)

// Shift is a change of the shares of a column.
type Shift struct {
	Name string
	Kind Kind
	To   []float64
}

// Shifts are the changes that detectors are tried on: the mean of a number by
// so many standard deviations, its spread, and two categories that change
// places.
func Shifts() []Shift {
	number := Kinds()[0]
	moved := func(mean, sd float64) []float64 {
		to, at, before := make([]float64, len(number.Shares)), 0.0, 0.0
		for b, p := range number.Shares {
			at += p
			below := normalTail((mean - normalQuantile(at)) / sd)
			if b == len(to)-1 {
				below = 1
			}
			to[b], before = below-before, below
		}
		return to
	}
	swapped := Kind{Name: "categories", Shares: []float64{0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05}}
	to := append([]float64{}, swapped.Shares...)
	to[1], to[3] = to[3], to[1]
	return []Shift{
		{"mean 0.25 sd", number, moved(0.25, 1)},
		{"mean 0.5 sd", number, moved(0.5, 1)},
		{"mean 1 sd", number, moved(1, 1)},
		{"sd × 1.5", number, moved(0, 1.5)},
		{"categories of 20 % and 10 % swap", swapped, to},
	}
}

// Information is what a row after the change tells: the Kullback-Leibler
// divergence in nats. No detector with one false alarm in so many rows can be
// sooner, on average, than their logarithm over it (Lorden 1971).
func (s Shift) Information() float64 {
	sum := 0.0
	for b, p := range s.To {
		sum += p * math.Log(p/s.Kind.Shares[b])
	}
	return sum
}

// Delays is how long after a change each rung fires first, for a column of so
// many effective rows an hour; 0 where it does not within the time.
func Delays(r Random, ladder []Clocked, s Shift, hourly float64, columns, training int, most time.Duration) []time.Duration {
	d := &delays{Random: r, shift: s, hourly: hourly}
	d.column = Setting{Kind: s.Kind, Reference: float64(training)}.Draw(r)
	longest := time.Duration(0)
	verdicts := make([]*verdict, len(ladder))
	for i, k := range ladder {
		longest = max(longest, k.Window)
		verdicts[i] = newVerdict(k.Rung, columns)
	}
	d.times, d.counts = []time.Duration{-longest}, [][]float64{make([]float64, len(s.To))}
	for at := -longest; at < 0; {
		at = d.pass(at)
	}
	since := make([]time.Duration, len(ladder))
	for i := range since {
		since[i] = -1
	}
	first := make([]time.Duration, len(ladder))
	now := make([]float64, len(s.To))
	for at := time.Duration(0); at < most; {
		at = d.pass(at)
		open := false
		for i, k := range ladder {
			if first[i] > 0 {
				continue
			}
			open = true
			if at%k.Step != 0 {
				continue
			}
			d.window(k.Window, now)
			switch {
			case !verdicts[i].exceeds(d.column, now, independent):
				since[i] = -1
			case since[i] < 0:
				since[i] = at
			}
			if since[i] >= 0 && at-since[i] >= time.Duration(k.Hold)*k.Step {
				first[i] = at
			}
		}
		if !open {
			break
		}
	}
	return first
}

// delays draws counts of a column that changes.
type delays struct {
	Random
	grid
	shift  Shift
	hourly float64
	column *Column
}

// pass lets time go on by a step.
func (d *delays) pass(at time.Duration) time.Duration {
	step, shares := fineness(at), d.shift.To
	if at < 0 {
		shares = d.shift.Kind.Shares
	}
	counts := make([]float64, len(shares))
	for b, p := range shares {
		counts[b] = float64(d.Poisson(d.hourly * step.Hours() * p))
	}
	return d.add(at+step, counts)
}

// grid are cumulated counts on times that are close together only near the
// change.
type grid struct {
	times  []time.Duration
	counts [][]float64
}

// fineness is the step that begins at a time after the change.
func fineness(at time.Duration) time.Duration {
	switch away := at.Abs(); {
	case at < 0 && away <= hour, at >= 0 && away < 4*hour:
		return 15 * time.Second
	case away <= 4*hour || at >= 0 && away < 2*day:
		return 5 * time.Minute
	}
	return hour
}

// add appends what came until a time.
func (g *grid) add(at time.Duration, step []float64) time.Duration {
	counts := append([]float64{}, g.counts[len(g.counts)-1]...)
	for b, n := range step {
		counts[b] += n
	}
	g.times, g.counts = append(g.times, at), append(g.counts, counts)
	return at
}

// window fills in the counts of a window that ends now.
func (g *grid) window(length time.Duration, counts []float64) {
	end := len(g.times) - 1
	begin := g.times[end] - length
	low, high := 0, end // the last time that is no later than begin
	for low < high {
		if middle := (low + high + 1) / 2; g.times[middle] <= begin {
			low = middle
		} else {
			high = middle - 1
		}
	}
	for b := range counts {
		counts[b] = g.counts[end][b] - g.counts[low][b]
	}
}

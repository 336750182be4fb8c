package profile

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// ranks tells how many values of a sketch are below a number. The zero value is
// that of no sketch.
type ranks struct {
	// Kept values, ascending, and padded with +Inf for the last steps of a
	// search; below[i] is how many of all values are below kept[i].
	kept  []float32
	below []float64
	// starts[i] is the first kept value of the i-th of equally wide intervals
	// between the least and the greatest.
	starts     []uint16
	low, scale float64
	first      int // step of the search within an interval, a power of two
}

// rankIntervals are so many that there are few kept values in one, and so few
// that they stay in the first cache.
const rankIntervals = 2048

// newRanks makes them of the values that a sketch of so many has kept, one at
// least. It also returns the median.
func newRanks(items []keptItem, values int64) (r ranks, median float64) {
	r.below = make([]float64, len(items)+1)
	r.starts = make([]uint16, rankIntervals)
	median = math.NaN()
	lowest, highest := float64(items[0].value), float64(items[len(items)-1].value)
	r.low = lowest
	if highest > lowest {
		r.scale = rankIntervals / (highest - lowest)
	}
	var sum int64
	most, interval := 0, 0
	for i, item := range items {
		// As the library has it: a share of the values, times their number.
		r.below[i] = float64(sum) / float64(values) * float64(values)
		sum += item.weight
		if math.IsNaN(median) && 2*sum >= values {
			median = decimal(item.value)
		}
		for at := r.interval(item.value); interval < at; {
			most = max(most, i-int(r.starts[interval]))
			interval++
			r.starts[interval] = uint16(i)
		}
	}
	r.below[len(items)] = float64(sum) / float64(values) * float64(values)
	most = max(most, len(items)-int(r.starts[interval]))
	for interval++; interval < rankIntervals; interval++ {
		r.starts[interval] = uint16(len(items))
	}
	r.first = 1 << bits.Len(uint(most)) / 2
	r.kept = make([]float32, len(items)+2*r.first-1)
	for i := range r.kept {
		r.kept[i] = float32(math.Inf(1))
		if i < len(items) {
			r.kept[i] = items[i].value
		}
	}
	return r, median
}

// interval of a number. Of a greater one it is never an earlier one, so what is
// kept in intervals before is below, and what is kept in later ones is not.
func (r *ranks) interval(x float32) int {
	at := (float64(x) - r.low) * r.scale
	switch {
	case !(at > 0):
		return 0
	case at >= rankIntervals:
		return rankIntervals - 1
	}
	return int(at)
}

// of are the numbers of values below each of xs. It searches for all of them at
// once: no step waits for that of another, and there is no branch that depends
// on a value, half of which would be guessed wrong.
func (r *ranks) of(into []float64, xs []float32) {
	var at [MaxBins + 3]int32
	for k, x := range xs {
		at[k] = int32(r.starts[r.interval(x)])
	}
	for step := r.first; step > 0; step /= 2 {
		kept := r.kept[step-1:]
		for k, x := range xs {
			at[k] += int32(one(kept[at[k]] < x) * step)
		}
	}
	for k := range xs {
		into[k] = r.below[at[k]]
	}
}

// keptItem is a value that a sketch has kept, and how many it stands for.
type keptItem struct {
	value  float32
	weight int64
}

// merging is memory for putting the levels of sketches in one order.
type merging struct {
	list, spare []keptItem
	level       []float32
}

// items lists the values of a sketch that checkSketch has accepted and that is
// not empty, ascending. They hold until the next call.
func (m *merging) items(b []byte) []keptItem {
	if b[3]&flagSingle != 0 {
		return []keptItem{{floats(b[sketchHead:])[0], 1}}
	}
	levels := int(b[18])
	start := func(i int) int {
		if i == levels {
			return int(capacity(levels))
		}
		return int(binary.LittleEndian.Uint32(b[sketchFull+4*i:]))
	}
	values := b[sketchFull+4*levels+8:]
	m.list = m.list[:0]
	for i := range levels {
		m.level = m.level[:0]
		for b := values[4*(start(i)-start(0)) : 4*(start(i+1)-start(0))]; len(b) > 0; b = b[4:] {
			m.level = append(m.level, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		if i == 0 && !slices.IsSorted(m.level) {
			slices.Sort(m.level)
		}
		m.list, m.spare = withLevel(m.spare[:0], m.list, m.level, 1<<i), m.list
	}
	return m.list
}

// withLevel merges ascending values of a weight and ascending items.
func withLevel(into, items []keptItem, level []float32, weight int64) []keptItem {
	for _, v := range level {
		for len(items) > 0 && items[0].value <= v {
			into, items = append(into, items[0]), items[1:]
		}
		into = append(into, keptItem{v, weight})
	}
	return append(into, items...)
}

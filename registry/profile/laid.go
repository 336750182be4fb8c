package profile

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// laidColumn is a column of data, made ready for being laid over layouts.
type laidColumn struct {
	column   *Column
	values   int64
	median   float64 // NaN where there is none
	edges    []float64
	frequent []string

	// Of a sketch: kept values, ascending, padded with +Inf to one less than a
	// power of two; below[i] is how many of all values are below kept[i].
	kept  []float32
	below []float64

	categories []laidCategory // by number
}

// laidCategory is a name of the data's: its number in the dictionary, or −1.
type laidCategory struct {
	id     int32
	hash   uint32
	hidden bool // the name is a hash
	count  float64
}

func newLaid(c *Column, d *dictionary) (*laidColumn, error) {
	l := &laidColumn{column: c, values: c.Rows - c.Missing, median: math.NaN()}
	if len(c.Bins) > 0 {
		l.edges, l.frequent = cutsOf(c)
	}
	switch {
	case c.Type == Category:
		l.setCategories(d)
	case l.values == 0:
	case len(c.Quantiles) == QuantileCount:
		l.median = c.Quantiles[QuantileCount/2]
	case len(c.Sketch) > 0:
		return l, l.setSketch(c.Sketch)
	}
	return l, nil
}

func (l *laidColumn) setCategories(d *dictionary) {
	l.categories = make([]laidCategory, 0, len(l.column.Categories))
	for _, k := range l.column.Categories {
		name, ids := k.Name, d.hidden
		if !isHash(name) {
			name, ids = Key(name, false), d.ids
		}
		one := laidCategory{id: -1, hash: hash(name), hidden: isHash(name), count: float64(k.Count)}
		if id, ok := ids[name]; ok {
			one.id = id
		}
		l.categories = append(l.categories, one)
	}
	slices.SortStableFunc(l.categories, func(a, b laidCategory) int { return cmp.Compare(a.id, b.id) })
}

// setSketch spreads out what a sketch has kept.
func (l *laidColumn) setSketch(b []byte) error {
	if _, err := checkSketch(b); err != nil {
		return err
	}
	items := keptItems(b)
	size := 1
	for size < len(items)+1 {
		size *= 2
	}
	l.kept, l.below = make([]float32, size-1), make([]float64, size)
	var sum int64
	for i := range l.below {
		// As the library has it: a share of the values, times their number.
		l.below[i] = float64(sum) / float64(l.values) * float64(l.values)
		if i >= len(items) {
			if i < len(l.kept) {
				l.kept[i] = float32(math.Inf(1))
			}
			continue
		}
		l.kept[i] = items[i].value
		sum += items[i].weight
		if math.IsNaN(l.median) && 2*sum >= l.values {
			l.median = decimal(items[i].value)
		}
	}
	return nil
}

// keptItem is a value that a sketch has kept, and how many it stands for.
type keptItem struct {
	value  float32
	weight int64
}

// keptItems lists the values of a sketch that checkSketch has accepted and that
// is not empty, ascending.
func keptItems(b []byte) []keptItem {
	if b[3]&flagSingle != 0 {
		return []keptItem{{floats(b[sketchHead:])[0], 1}}
	}
	levels := int(b[18])
	values := floats(b[sketchFull+4*levels:])[2:]
	start := func(i int) int {
		if i == levels {
			return int(capacity(levels))
		}
		return int(binary.LittleEndian.Uint32(b[sketchFull+4*i:]))
	}
	items, merged := make([]keptItem, 0, len(values)), make([]keptItem, 0, len(values))
	for i := range levels {
		level := values[start(i)-start(0) : start(i+1)-start(0)]
		if i == 0 && !slices.IsSorted(level) {
			level = slices.Sorted(slices.Values(level))
		}
		items, merged = withLevel(merged[:0], items, level, 1<<i), items
	}
	return items
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

// ranks are the numbers of values below each of xs. It searches for all of them
// at once: no step waits for that of another, and there is no branch that depends
// on a value, half of which would be guessed wrong.
func (l *laidColumn) ranks(into []float64, xs []float32) {
	var at [MaxBins + 3]int
	for step := len(l.below) / 2; step > 0; step /= 2 {
		kept := l.kept[step-1:]
		for k, x := range xs {
			at[k] += one(kept[at[k]] < x) * step
		}
	}
	for k := range xs {
		into[k] = l.below[at[k]]
	}
}

package profile

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// laidColumn is a column of data, made ready for being laid over layouts.
type laidColumn struct {
	column *Column
	values int64
	median float64 // NaN where there is none
	own    []int32 // layouts of the bins that the column itself has

	sketch     ranks          // of a sketch
	categories []laidCategory // by number
}

// laidCategory is a name of the data's: its number in the dictionary, or −1.
type laidCategory struct {
	id     int32
	hash   uint32
	hidden bool // the name is a hash
	count  float64
}

func newLaid(c *Column, set *columnSet, scratch *merging) (*laidColumn, error) {
	l := &laidColumn{column: c, values: c.Rows - c.Missing, median: math.NaN()}
	if len(c.Bins) > 0 {
		l.own = set.alike(c)
	}
	switch {
	case c.Type == Category:
		l.setCategories(&set.dictionary)
	case l.values == 0:
	case len(c.Quantiles) == QuantileCount:
		l.median = c.Quantiles[QuantileCount/2]
	case len(c.Sketch) > 0:
		n, err := checkSketch(c.Sketch)
		if err == nil && n == 0 {
			err = fmt.Errorf("sketch: %w", ErrEmpty)
		}
		if err != nil {
			return nil, err
		}
		l.sketch, l.median = newRanks(scratch.items(c.Sketch), l.values)
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

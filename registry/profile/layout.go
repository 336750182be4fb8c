package profile

import (
	"fmt"
	"math"
	"slices"
)

// layout is the definition of a column's bins, made ready for laying the rows
// of other data over them. References that have the same bins share it.
type layout struct {
	bins int32
	// shared is its index among the layouts that several references have, −1
	// where it is of one.
	shared int32
	next   int32 // the next of the same binning, −1 for none
	// Of categories: its index among those of the set.
	category int32
	// Of numbers, where in the set's pools begin: the edges, as edgesOf has them,
	// and what values of a sketch are below.
	edges, thresholds uint32
}

// categoryLayout is what else a layout of categories is. Those that are neither
// redacted nor hold hashes are plain: names are then looked up by their number,
// else by a Binner.
type categoryLayout struct {
	redacted bool
	// Where in the set's pools begin: the names of categories that have a bin;
	// known names, ascending, and their bins.
	frequent, ids, binOf uint32
	known                int32
	seen                 []uint32 // hashes of further names
	binner               *Binner  // nil: plain
}

// dictionary gives numbers to the names of a column's categories, so that each
// is hashed once, and then compared as a number.
type dictionary struct {
	ids    map[string]int32
	hidden map[string]int32 // by Key(name, true)
}

func (d *dictionary) id(name string) int32 {
	id, ok := d.ids[name]
	if !ok {
		id = int32(len(d.ids))
		d.ids[name] = id
		d.hidden[Key(name, true)] = id
	}
	return id
}

// names are those of categories that have a bin, hashes or not, each kept once.
type names struct {
	ids  map[string]int32
	list []string
}

func (n *names) id(name string) int32 {
	id, ok := n.ids[name]
	if !ok {
		id = int32(len(n.list))
		n.ids[name] = id
		n.list = append(n.list, name)
	}
	return id
}

// newLayout makes that of a column, and keeps its numbers in the set's pools.
func (s *columnSet) newLayout(c *Column) (layout, error) {
	b, err := NewBinner(*c)
	if err != nil {
		return layout{}, err
	}
	l := layout{bins: int32(len(c.Bins)), shared: -1, next: -1}
	if c.Type == Number {
		edges, _ := edgesOf(c.Bins)
		thresholds := make([]float32, len(edges))
		for i, e := range edges {
			thresholds[i] = narrow(e)
			if i >= len(edges)-2 { // the maximum and the far maximum belong to the bin below
				thresholds[i] = math.Nextafter32(thresholds[i], float32(math.Inf(1)))
			}
		}
		l.edges, l.thresholds = s.edges.add(edges...), s.thresholds.add(thresholds...)
		return l, nil
	}
	l.category = int32(len(s.categories))
	s.categories = append(s.categories, s.newCategoryLayout(c, b))
	return l, nil
}

func (s *columnSet) newCategoryLayout(c *Column, b *Binner) categoryLayout {
	l := categoryLayout{redacted: c.Redacted}
	var frequent []int32
	for _, bin := range c.Bins[:interior(Category, c.Bins)] {
		frequent = append(frequent, s.names.id(bin.Category))
	}
	l.frequent = s.numbered.add(frequent...)
	if c.Redacted || b.hashed {
		l.binner = b
		return l
	}
	if len(b.hashes) > 0 {
		l.seen = b.hashes
	}
	ids := make([]int32, 0, len(b.categories))
	for name := range b.categories {
		ids = append(ids, s.dictionary.id(name))
	}
	slices.Sort(ids)
	binOf := make([]int32, len(ids))
	for name, bin := range b.categories {
		i, _ := slices.BinarySearch(ids, s.dictionary.ids[name])
		binOf[i] = int32(bin)
	}
	l.known, l.ids, l.binOf = int32(len(ids)), s.numbered.add(ids...), s.numbered.add(binOf...)
	return l
}

// frequent are the names of categories that have a bin in a layout.
func (s *columnSet) frequent(l *layout) []int32 {
	return s.numbered.row(s.categories[l.category].frequent, int(l.bins)-3)
}

// edgeCount is how many edges a layout of numbers has.
func (l *layout) edgeCount() int { return int(l.bins) - 2 }

// edgesOf are the edges of a layout of numbers.
func (s *columnSet) edgesOf(l *layout) []float64 { return s.edges.row(l.edges, l.edgeCount()) }

// same says whether counts in the column's bins are counts in the layout's, which
// is of the same binning.
func (s *columnSet) same(l *layout, c *Column) bool {
	if c.Type == Number {
		edges, _ := edgesOf(c.Bins)
		return slices.Equal(edges, s.edgesOf(l))
	}
	return slices.EqualFunc(c.Bins[:interior(Category, c.Bins)], s.frequent(l), func(b Bin, id int32) bool {
		return b.Category == s.names.list[id]
	})
}

// alike are the layouts of bins that a column has.
func (s *columnSet) alike(c *Column) (list []int32) {
	if c.Binning == "" {
		return nil
	}
	i, ok := s.byBinning[keyOfBinning(c.Binning)]
	for ; ok && i >= 0; i = s.layouts[i].next {
		if s.same(&s.layouts[i], c) {
			list = append(list, i)
		}
	}
	return list
}

// lay counts the rows of data into a layout's bins.
func (s *columnSet) lay(counts []float64, at int32, data *laidColumn) error {
	clear(counts)
	l := &s.layouts[at]
	switch c := data.column; {
	case slices.Contains(data.own, at):
		for i, b := range c.Bins {
			counts[i] = float64(b.Count)
		}
	case c.Type == Number:
		return s.layNumbers(counts, l, data)
	default:
		return s.layCategories(counts, &s.categories[l.category], data)
	}
	return nil
}

func (s *columnSet) layCategories(counts []float64, l *categoryLayout, data *laidColumn) error {
	switch c := data.column; {
	case c.Redacted && !l.redacted:
		return fmt.Errorf("%w: categories are redacted in the data, but not in the reference", ErrSchema)
	case l.binner != nil:
		layCategories(counts, l.binner, c)
	default:
		s.layPlain(counts, l, data)
	}
	return nil
}

// layPlain walks along the layout's names and the data's, both by number.
func (s *columnSet) layPlain(counts []float64, l *categoryLayout, data *laidColumn) {
	ids, binOf := s.numbered.row(l.ids, int(l.known)), s.numbered.row(l.binOf, int(l.known))
	unknown := float64(data.column.Folded)
	missing := len(counts) - 1
	other, unseen := missing-2, missing-1
	i := 0
	for k := range data.categories {
		c := &data.categories[k]
		for i < len(ids) && ids[i] < c.id {
			i++
		}
		known := i < len(ids) && ids[i] == c.id
		switch {
		case known && !c.hidden:
			counts[binOf[i]] += c.count
		case len(l.seen) > 0 && has(l.seen, c.hash):
			counts[other] += c.count
		case known:
			counts[binOf[i]] += c.count
		case c.hidden && len(l.seen) > 0:
			unknown += c.count
		default:
			counts[unseen] += c.count
		}
	}
	counts[missing] = float64(data.column.Missing)
	spread(counts, other, unseen, unknown)
}

func has(hashes []uint32, h uint32) bool {
	_, ok := slices.BinarySearch(hashes, h)
	return ok
}

// layNumbers spreads the data's numbers over the bins.
func (s *columnSet) layNumbers(counts []float64, l *layout, data *laidColumn) error {
	edges := l.edgeCount()
	n := edges - 3
	var room [MaxBins + 3]float64
	below := room[:edges]
	switch {
	case data.values == 0:
	case data.sketch.kept != nil:
		data.sketch.of(below, s.thresholds.row(l.thresholds, edges))
	case len(data.column.Quantiles) == QuantileCount:
		for i, e := range s.edgesOf(l) {
			below[i] = rankByQuantiles(data.column.Quantiles, data.values, e, i >= n+1)
		}
	default:
		return fmt.Errorf("%w: the data has neither sketch nor quantiles for it, nor the reference's bins", ErrSchema)
	}
	counts[n+2], counts[n] = below[0], below[1]-below[0] // far_under, under
	for i := range n {
		counts[i] = below[i+2] - below[i+1]
	}
	counts[n+1], counts[n+3] = below[n+2]-below[n+1], float64(data.values)-below[n+2] // over, far_over
	counts[n+4] = float64(data.column.Missing)
	return nil
}

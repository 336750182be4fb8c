package profile

import (
	"fmt"
	"math"
	"slices"
)

// layout is the definition of a column's bins, made ready for laying the rows
// of other data over them. References that have the same bins share it.
type layout struct {
	index   int // among those of References
	users   int // references that have it
	binning string
	bins    int
	missing int

	// Of numbers: as edgesOf has them; and what values of a sketch are below.
	edges      []float64
	thresholds []float32

	// Of categories. Those that are neither redacted nor hold hashes are plain:
	// names are then looked up by their number, else by a Binner.
	frequent []string // categories that have a bin
	plain    bool
	redacted bool
	ids      []int32  // known names, ascending
	binOf    []uint8  // theirs
	seen     []uint32 // hashes of further names
	binner   *Binner
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

// cutsOf are what tells the bins of two columns apart: edges, or categories.
func cutsOf(c *Column) (edges []float64, frequent []string) {
	if c.Type == Number {
		edges, _ = edgesOf(c.Bins)
		return edges, nil
	}
	for _, b := range c.Bins[:interior(Category, c.Bins)] {
		frequent = append(frequent, b.Category)
	}
	return nil, frequent
}

func newLayout(c *Column, d *dictionary) (*layout, error) {
	b, err := NewBinner(*c)
	if err != nil {
		return nil, err
	}
	l := &layout{binning: c.Binning, bins: len(c.Bins), missing: len(c.Bins) - 1, redacted: c.Redacted}
	l.edges, l.frequent = cutsOf(c)
	if c.Type == Number {
		for i, e := range l.edges {
			x := narrow(e)
			if i >= len(l.edges)-2 { // the maximum and the far maximum belong to the bin below
				x = math.Nextafter32(x, float32(math.Inf(1)))
			}
			l.thresholds = append(l.thresholds, x)
		}
		return l, nil
	}
	if l.plain = !c.Redacted && !b.hashed; !l.plain {
		l.binner = b
		return l, nil
	}
	l.seen = b.hashes
	for name := range b.categories {
		l.ids = append(l.ids, d.id(name))
	}
	slices.Sort(l.ids)
	l.binOf = make([]uint8, len(l.ids))
	for name, bin := range b.categories {
		i, _ := slices.BinarySearch(l.ids, d.ids[name])
		l.binOf[i] = uint8(bin)
	}
	return l, nil
}

// same says whether counts of such bins are counts of the layout's.
func (l *layout) same(binning string, edges []float64, frequent []string) bool {
	return binning != "" && binning == l.binning && slices.Equal(edges, l.edges) && slices.Equal(frequent, l.frequent)
}

// lay counts the rows of data into the layout's bins.
func (l *layout) lay(counts []float64, data *laidColumn) error {
	clear(counts)
	switch c := data.column; {
	case l.same(c.Binning, data.edges, data.frequent):
		for i, b := range c.Bins {
			counts[i] = float64(b.Count)
		}
	case c.Type == Number:
		return l.layNumbers(counts, data)
	case c.Redacted && !l.redacted:
		return fmt.Errorf("%w: categories are redacted in the data, but not in the reference", ErrSchema)
	case l.plain:
		l.layPlain(counts, data)
	default:
		layCategories(counts, l.binner, c)
	}
	return nil
}

// layPlain walks along the layout's names and the data's, both by number.
func (l *layout) layPlain(counts []float64, data *laidColumn) {
	unknown := float64(data.column.Folded)
	other, unseen := l.missing-2, l.missing-1
	i := 0
	for k := range data.categories {
		c := &data.categories[k]
		for i < len(l.ids) && l.ids[i] < c.id {
			i++
		}
		known := i < len(l.ids) && l.ids[i] == c.id
		switch {
		case known && !c.hidden:
			counts[l.binOf[i]] += c.count
		case len(l.seen) > 0 && has(l.seen, c.hash):
			counts[other] += c.count
		case known:
			counts[l.binOf[i]] += c.count
		case c.hidden && len(l.seen) > 0:
			unknown += c.count
		default:
			counts[unseen] += c.count
		}
	}
	counts[l.missing] = float64(data.column.Missing)
	spread(counts, other, unseen, unknown)
}

func has(hashes []uint32, h uint32) bool {
	_, ok := slices.BinarySearch(hashes, h)
	return ok
}

// layNumbers spreads the data's numbers over the bins.
func (l *layout) layNumbers(counts []float64, data *laidColumn) error {
	n := len(l.edges) - 3
	var below [MaxBins + 3]float64
	switch {
	case data.values == 0:
	case data.kept != nil:
		data.ranks(below[:len(l.thresholds)], l.thresholds)
	case len(data.column.Quantiles) == QuantileCount:
		for i, e := range l.edges {
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

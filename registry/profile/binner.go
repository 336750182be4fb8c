package profile

import (
	"fmt"
	"math"
)

// Binner finds the bin of a value. It is immutable and safe for concurrent
// use; neither look-up allocates.
type Binner struct {
	names   []string
	ratios  []float64
	missing int

	// Numbers: thresholds ascending, padded with NaN to one less than a power
	// of two; the number of thresholds at or below a value indexes order, which
	// holds bins from far_under to far_over.
	thresholds []float64
	order      []int
	places     [32]uint8 // of ten bins: order, and missing at nowhere

	// Categories: bins of those that have one; other for those known.
	categories    map[string]int
	hashes        []uint32
	other, unseen int
	redacted      bool
	hashed        bool // some of the categories are hashes, though the column is not redacted
}

// NewBinner makes a Binner for the bins of a reference column.
func NewBinner(c Column) (*Binner, error) {
	if len(c.Bins) == 0 {
		return nil, fmt.Errorf("column %q has no bins: it can't be a reference", c.Name)
	}
	if err := checkBins(&c); err != nil {
		return nil, fmt.Errorf("column %q: %w", c.Name, err)
	}
	b := &Binner{missing: len(c.Bins) - 1, redacted: c.Redacted}
	for _, bin := range c.Bins {
		b.names = append(b.names, bin.Name)
		ratio := 0.0
		if c.Rows > 0 {
			ratio = float64(bin.Count) / float64(c.Rows)
		}
		b.ratios = append(b.ratios, ratio)
	}
	if c.Type == Number {
		b.setNumbers(c.Bins)
	} else {
		b.setCategories(c)
	}
	return b, nil
}

// setNumbers turns the edges into thresholds that are all "at or above": the
// two inclusive upper bounds become the next number.
func (b *Binner) setNumbers(bins []Bin) {
	edges, n := edgesOf(bins)
	b.thresholds = make([]float64, 0, 2*len(edges))
	for i, e := range edges {
		if i >= len(edges)-2 {
			e = math.Nextafter(e, math.Inf(1))
		}
		b.thresholds = append(b.thresholds, e)
	}
	size := 1
	for size < len(edges)+1 {
		size *= 2
	}
	for len(b.thresholds) < size-1 {
		b.thresholds = append(b.thresholds, math.NaN())
	}
	b.order = valueOrder(n)
	if len(b.thresholds) == usual {
		for i, bin := range b.order {
			b.places[i] = uint8(bin)
		}
		b.places[nowhere] = uint8(b.missing)
	}
}

func (b *Binner) setCategories(c Column) {
	n := len(c.Bins) - 3
	b.other, b.unseen = n, n+1
	b.categories = make(map[string]int, len(c.Categories))
	for _, k := range c.Categories {
		b.categories[k.Name] = b.other
		b.hashed = b.hashed || !c.Redacted && isHash(k.Name)
	}
	for i := range n {
		b.categories[c.Bins[i].Category] = i
	}
	b.hashes = hashesOf(c.Seen)
}

// Names of the bins in the order of export.
func (b *Binner) Names() []string { return b.names }

// Ratios are the reference's shares, one for each bin; they sum to 1.
func (b *Binner) Ratios() []float64 { return b.ratios }

// Missing is the index of the bin for rows without a value.
func (b *Binner) Missing() int { return b.missing }

// Number is the index of a number's bin; NaN is missing. For a column of
// categories it is that of the number as text.
func (b *Binner) Number(v float64) int {
	if v != v {
		return b.missing
	}
	if b.order == nil {
		return b.Category(NumberText(v))
	}
	return b.order[b.below(v)]
}

const (
	usual   = 15        // thresholds of a column of ten bins
	nowhere = usual + 1 // the place of what is missing among the bins of such a column
)

// below is the number of thresholds at or below v. It has no branch that depends on v: those would be guessed wrong
// half of the time, which costs more than everything else.
func (b *Binner) below(v float64) int {
	i := 0
	if t := b.thresholds; len(t) == usual {
		i = one(v >= t[7]) << 3
		i += one(v >= t[(i+3)&15]) << 2
		i += one(v >= t[(i+1)&15]) << 1
		return i + one(v >= t[i&15])
	}
	for step := (len(b.thresholds) + 1) / 2; step > 0; step /= 2 {
		i += one(v >= b.thresholds[i+step-1]) * step
	}
	return i
}

// Numbers adds the bins of the first of values, and of every stride-th behind it, to each of counts, and returns how
// many values are missing. It is for columns of numbers.
func (b *Binner) Numbers(values []float64, stride int, counts ...[]int64) (missing int64) {
	if len(b.thresholds) == usual {
		return b.usualNumbers(values, stride, counts)
	}
	for i := 0; i < len(values); i += stride {
		bin := b.missing
		if v := values[i]; v == v {
			bin = b.order[b.below(v)]
		} else {
			missing++
		}
		for _, c := range counts {
			c[bin]++
		}
	}
	return missing
}

// few values are counted one by one; of more it pays to add up first.
const few = 16

// usualNumbers is Numbers for ten bins.
func (b *Binner) usualNumbers(values []float64, stride int, counts [][]int64) (missing int64) {
	t := (*[usual]float64)(b.thresholds)
	var tally [len(b.places)]uint32
	some := len(values) < few*stride
	for len(values) > 0 {
		// Taken off the front: with an index the compiler keeps places in a register of which SETcc writes only the low
		// byte, so each value would wait for the one before, which takes twice the time (BenchmarkNumbers).
		v := values[0]
		values = values[min(stride, len(values)):]
		k := one(v >= t[7]) << 3
		k += one(v >= t[(k+3)&15]) << 2
		k += one(v >= t[(k+1)&15]) << 1
		k += one(v >= t[k&15])
		if v != v {
			k = nowhere
		}
		tally[k&31]++
		if some {
			for _, c := range counts {
				c[b.places[k&31]]++
			}
		}
	}
	if some {
		return int64(tally[nowhere])
	}
	for place, n := range tally {
		if n > 0 {
			for _, c := range counts {
				c[b.places[place]] += int64(n)
			}
		}
	}
	return int64(tally[nowhere])
}

// one is 1 where c holds.
func one(c bool) int {
	n := 0
	if c {
		n = 1
	}
	return n
}

// Category is the index of a category's bin, or missing for what is missing in
// a CSV file. For a column of numbers it is that of the number that the text
// spells, or missing.
func (b *Binner) Category(name string) int {
	if b.order != nil {
		return b.Number(ParseNumber(name))
	}
	if IsMissing(name) {
		return b.missing
	}
	return b.key(Key(name, b.redacted))
}

// hidden are the bins of categories by the hashes of their names, for names that
// were hidden (HideRare). −1 stands for those that are not known, where the
// category may be one of which the reference has another hash.
func (b *Binner) hidden() func(name string) int {
	keys := make(map[string]int, len(b.categories))
	for name, i := range b.categories {
		keys[Key(name, true)] = i
	}
	return func(name string) int {
		if i, ok := keys[name]; ok {
			return i
		}
		if len(b.hashes) > 0 {
			return -1
		}
		return b.unseen
	}
}

// key is Category for a name that Key has been applied to.
func (b *Binner) key(name string) int {
	if i, ok := b.categories[name]; ok {
		return i
	}
	if len(b.hashes) > 0 && knows(b.hashes, name) {
		return b.other
	}
	if b.hashed && !isHash(name) {
		if i, ok := b.categories[Key(name, true)]; ok {
			return i
		}
	}
	return b.unseen
}

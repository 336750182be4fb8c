package profile

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// References are the profiles of a model's versions, made ready for comparing
// many of them with the same data: what their columns have in common is kept
// once, and what a comparison does not need is not kept. The zero value is
// empty. It is not safe for concurrent use while profiles are added.
type References struct {
	columns map[columnKey]*columnSet
	layouts int
}

type columnKey struct {
	name string
	typ  Type
}

// columnSet is what the versions have in a column.
type columnSet struct {
	dictionary dictionary
	byBinning  map[string][]*layout
	// A comparison walks through the references of one column.
	numbers    slab[float64]
	thresholds slab[float32]
	layouts    slab[layout]
	references slab[referenceColumn]
}

// Reference is one profile of References.
type Reference struct {
	Rows    int64
	columns []*referenceColumn
	windows []referenceWindow
}

type referenceColumn struct {
	set    *columnSet
	layout *layout
	shares []float64
	median float64 // NaN where there is none
}

// referenceWindow is a length of time of which something is known.
type referenceWindow struct {
	length time.Duration
	blocks *BlockDistances // nil: none
	// By column: the clustering, 0 where it is not known, and the tolerance, −1
	// where no blocks were measured.
	phi, limits []float64
}

func (r *References) column(key columnKey) *columnSet {
	if r.columns == nil {
		r.columns = map[columnKey]*columnSet{}
	}
	s := r.columns[key]
	if s == nil {
		s = &columnSet{dictionary: dictionary{map[string]int32{}, map[string]int32{}}, byBinning: map[string][]*layout{}}
		r.columns[key] = s
	}
	return s
}

// Add makes a profile ready, which can then be let go. Errors are those that
// Shares would give of the reference.
func (r *References) Add(p *Profile) (*Reference, error) {
	ref := &Reference{Rows: p.Rows, windows: windowsOf(p)}
	for i := range p.Features {
		c := &p.Features[i]
		if len(c.Bins) == 0 {
			return nil, fmt.Errorf("column %q has no bins: it can't be a reference", c.Name)
		}
		if c.Rows == 0 {
			return nil, fmt.Errorf("column %q of the reference: %w", c.Name, ErrEmpty)
		}
		key := columnKey{c.Name, c.Type}
		set := r.column(key)
		l, err := r.layout(set, c)
		if err != nil {
			return nil, err
		}
		counts := make([]float64, len(c.Bins))
		for k, b := range c.Bins {
			counts[k] = float64(b.Count)
		}
		one := referenceColumn{set: set, layout: l, shares: set.numbers.of(normalised(counts)...), median: math.NaN()}
		if len(c.Quantiles) == QuantileCount {
			one.median = c.Quantiles[QuantileCount/2]
		}
		ref.columns = append(ref.columns, &set.references.of(one)[0])
	}
	for i := range ref.windows {
		ref.windows[i].set(p.Features)
	}
	return ref, nil
}

// layout is that of a column, shared with others that have the same bins.
func (r *References) layout(s *columnSet, c *Column) (*layout, error) {
	if c.Binning != "" {
		edges, frequent := cutsOf(c)
		for _, l := range s.byBinning[c.Binning] {
			if l.same(c.Binning, edges, frequent) && l.redacted == c.Redacted {
				l.users++
				return l, nil
			}
		}
	}
	made, err := newLayout(c, &s.dictionary)
	if err != nil {
		return nil, err
	}
	made.edges, made.thresholds = s.numbers.of(made.edges...), s.thresholds.of(made.thresholds...)
	l := &s.layouts.of(*made)[0]
	l.index, l.users = r.layouts, 1
	r.layouts++
	if c.Binning != "" {
		s.byBinning[c.Binning] = append(s.byBinning[c.Binning], l)
	}
	return l, nil
}

// Data are the rows of one profile, ready for being compared with References. It
// is not safe for concurrent use.
type Data struct {
	columns []*laidColumn
	sets    []*columnSet
	shares  [][]float64 // by layout, of those that several references have
	buffer  []float64
}

// Data makes a profile's features ready for comparison with all of the
// references.
func (r *References) Data(p *Profile) (*Data, error) {
	d := &Data{shares: make([][]float64, r.layouts), buffer: make([]float64, MaxBins+5)}
	for i := range p.Features {
		c := &p.Features[i]
		key := columnKey{c.Name, c.Type}
		if c.Rows == 0 {
			return nil, fmt.Errorf("column %q of the data: %w", c.Name, ErrEmpty)
		}
		set := r.columns[key]
		if set == nil { // no reference has it
			set = &columnSet{}
		}
		l, err := newLaid(c, &set.dictionary)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		d.columns, d.sets = append(d.columns, l), append(d.sets, set)
	}
	return d, nil
}

// sharesOf are the data's shares in the bins of a reference's column. They hold
// until the next call.
func (d *Data) sharesOf(i int, l *layout) ([]float64, error) {
	if l.index < len(d.shares) && d.shares[l.index] != nil {
		return d.shares[l.index], nil
	}
	into := d.buffer[:l.bins]
	if l.users > 1 && l.index < len(d.shares) {
		into = make([]float64, l.bins)
		d.shares[l.index] = into
	}
	if err := l.lay(into, d.columns[i]); err != nil {
		return nil, fmt.Errorf("column %q: %w", d.columns[i].column.Name, err)
	}
	normalise(into)
	return into, nil
}

// sameColumns wants the reference's columns to be the data's, in their order.
func (d *Data) sameColumns(r *Reference) error {
	if !slices.EqualFunc(d.sets, r.columns, func(s *columnSet, c *referenceColumn) bool { return s == c.set }) {
		return fmt.Errorf("%w: other columns, or in another order", ErrSchema)
	}
	return nil
}

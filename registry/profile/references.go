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
	layouts    map[string][]*layout // by binning
}

// Reference is one profile of References.
type Reference struct {
	Rows    int64
	columns []referenceColumn
	windows []referenceWindow
}

type referenceColumn struct {
	key    columnKey
	layout *layout
	shares []float64
	median float64   // NaN where there is none
	phi    []float64 // by window of Reference.windows; 0 where there is none
	p95    []float64 // the same, of blocks; −1 where there is none
}

// referenceWindow is a length of time of which something is known.
type referenceWindow struct {
	length time.Duration
	blocks *BlockDistances // nil: none
}

func (r *References) column(key columnKey) *columnSet {
	if r.columns == nil {
		r.columns = map[columnKey]*columnSet{}
	}
	s := r.columns[key]
	if s == nil {
		s = &columnSet{dictionary{map[string]int32{}, map[string]int32{}}, map[string][]*layout{}}
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
		l, err := r.layout(r.column(key), c)
		if err != nil {
			return nil, err
		}
		counts := make([]float64, len(c.Bins))
		for k, b := range c.Bins {
			counts[k] = float64(b.Count)
		}
		one := referenceColumn{key: key, layout: l, shares: normalised(counts), median: math.NaN()}
		if len(c.Quantiles) == QuantileCount {
			one.median = c.Quantiles[QuantileCount/2]
		}
		one.setWindows(c, ref.windows)
		ref.columns = append(ref.columns, one)
	}
	return ref, nil
}

// layout is that of a column, shared with others that have the same bins.
func (r *References) layout(s *columnSet, c *Column) (*layout, error) {
	if c.Binning != "" {
		edges, frequent := cutsOf(c)
		for _, l := range s.layouts[c.Binning] {
			if l.same(c.Binning, edges, frequent) && l.redacted == c.Redacted {
				l.users++
				return l, nil
			}
		}
	}
	l, err := newLayout(c, &s.dictionary)
	if err != nil {
		return nil, err
	}
	l.index, l.users = r.layouts, 1
	r.layouts++
	if c.Binning != "" {
		s.layouts[c.Binning] = append(s.layouts[c.Binning], l)
	}
	return l, nil
}

// Data are the rows of one profile, ready for being compared with References. It
// is not safe for concurrent use.
type Data struct {
	columns []*laidColumn
	keys    []columnKey
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
		l, err := newLaid(c, &r.column(key).dictionary)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		d.columns, d.keys = append(d.columns, l), append(d.keys, key)
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
		return nil, fmt.Errorf("column %q: %w", d.keys[i].name, err)
	}
	normalise(into)
	return into, nil
}

// sameColumns wants the reference's columns to be the data's, in their order.
func (d *Data) sameColumns(r *Reference) error {
	if !slices.EqualFunc(d.keys, r.columns, func(k columnKey, c referenceColumn) bool { return k == c.key }) {
		return fmt.Errorf("%w: other columns, or in another order", ErrSchema)
	}
	return nil
}

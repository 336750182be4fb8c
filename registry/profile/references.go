package profile

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
)

// References are the profiles of a model's versions, made ready for comparing
// many of them with the same data: what their columns have in common is kept
// once, and what a comparison does not need is not kept. The zero value is
// empty. It is not safe for concurrent use while profiles are added.
type References struct {
	columns map[columnKey]*columnSet
	schemas [][]*columnSet         // that references have
	windows map[[2]string][]string // their names
	shared  int32                  // layouts of several references
}

type columnKey struct {
	name string
	typ  Type
}

// columnSet is what the versions have in a column.
type columnSet struct {
	typ        Type
	dictionary dictionary
	names      names
	byBinning  map[binningKey]int32 // the first layout of those of a binning
	layouts    []layout
	categories []categoryLayout
	shares     pool[float64]
	edges      pool[float64]
	thresholds pool[float32]
	numbered   pool[int32]
}

// binningKey stands for what bins are called: unlike a string it is nothing that
// the garbage collector has to follow.
type binningKey [16]byte

func keyOfBinning(binning string) binningKey {
	sum := sha256.Sum256([]byte(binning))
	return binningKey(sum[:])
}

// Reference is one profile of References.
type Reference struct {
	Rows    int64
	sets    []*columnSet
	columns []referenceColumn
	medians []float64         // of the columns, NaN where there is none
	windows []referenceWindow // shortest first
	// phis are the clustering by column, for data as long as each of the windows,
	// or longer than the one before, and for longer data.
	phis []float64
}

// referenceColumn is a column of a reference, in the pools of its set.
type referenceColumn struct {
	layout int32
	shares uint32
}

func (r *References) column(key columnKey) *columnSet {
	if r.columns == nil {
		r.columns = map[columnKey]*columnSet{}
	}
	s := r.columns[key]
	if s == nil {
		s = &columnSet{
			typ:        key.typ,
			dictionary: dictionary{map[string]int32{}, map[string]int32{}},
			names:      names{ids: map[string]int32{}},
			byBinning:  map[binningKey]int32{},
		}
		r.columns[key] = s
	}
	return s
}

// Add makes a profile ready, which can then be let go. Errors are those that
// Shares would give of the reference.
func (r *References) Add(p *Profile) (*Reference, error) {
	ref := &Reference{Rows: p.Rows, columns: make([]referenceColumn, 0, len(p.Features)), medians: make([]float64, 0, len(p.Features))}
	for i := range p.Features {
		c := &p.Features[i]
		if len(c.Bins) == 0 {
			return nil, fmt.Errorf("column %q has no bins: it can't be a reference", c.Name)
		}
		if c.Rows == 0 {
			return nil, fmt.Errorf("column %q of the reference: %w", c.Name, ErrEmpty)
		}
		set := r.column(columnKey{c.Name, c.Type})
		l, err := r.layout(set, c)
		if err != nil {
			return nil, err
		}
		shares := make([]float64, len(c.Bins))
		for k, b := range c.Bins {
			shares[k] = float64(b.Count)
		}
		normalise(shares)
		median := math.NaN()
		if len(c.Quantiles) == QuantileCount {
			median = c.Quantiles[QuantileCount/2]
		}
		ref.sets, ref.medians = append(ref.sets, set), append(ref.medians, median)
		ref.columns = append(ref.columns, referenceColumn{l, set.shares.add(shares...)})
	}
	if schema := r.schema(ref.sets); schema != nil {
		ref.sets = schema
	} else {
		r.schemas = append(r.schemas, ref.sets)
	}
	ref.setWindows(p, r)
	return ref, nil
}

// schema is the one of these columns that is known, so that it can be told by
// where it is; nil if there is none.
func (r *References) schema(sets []*columnSet) []*columnSet {
	i := slices.IndexFunc(r.schemas, func(s []*columnSet) bool { return slices.Equal(s, sets) })
	if i < 0 {
		return nil
	}
	return r.schemas[i]
}

// layout is that of a column, shared with others that have the same bins.
func (r *References) layout(s *columnSet, c *Column) (int32, error) {
	for _, i := range s.alike(c) {
		if l := &s.layouts[i]; s.typ == Number || s.categories[l.category].redacted == c.Redacted {
			if l.shared < 0 {
				l.shared, r.shared = r.shared, r.shared+1
			}
			return i, nil
		}
	}
	made, err := s.newLayout(c)
	if err != nil {
		return 0, err
	}
	i := int32(len(s.layouts))
	if key := keyOfBinning(c.Binning); c.Binning != "" {
		if first, ok := s.byBinning[key]; ok {
			made.next, s.layouts[first].next = s.layouts[first].next, i
		} else {
			s.byBinning[key] = i
		}
	}
	s.layouts = append(s.layouts, made)
	return i, nil
}

// Data are the rows of one profile, ready for being compared with References. It
// is not safe for concurrent use.
type Data struct {
	columns []*laidColumn
	sets    []*columnSet
	shares  [][]float64 // of shared layouts
	buffer  []float64
}

// Data makes a profile's features ready for comparison with all of the
// references.
func (r *References) Data(p *Profile) (*Data, error) {
	d := &Data{shares: make([][]float64, r.shared), buffer: make([]float64, MaxBins+5)}
	var scratch merging
	for i := range p.Features {
		c := &p.Features[i]
		if c.Rows == 0 {
			return nil, fmt.Errorf("column %q of the data: %w", c.Name, ErrEmpty)
		}
		set := r.columns[columnKey{c.Name, c.Type}]
		if set == nil { // no reference has it
			set = &columnSet{}
		}
		l, err := newLaid(c, set, &scratch)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		d.columns, d.sets = append(d.columns, l), append(d.sets, set)
	}
	if schema := r.schema(d.sets); schema != nil {
		d.sets = schema
	}
	return d, nil
}

// sharesOf are the data's shares in the bins of a reference's column. They hold
// until the next call.
func (d *Data) sharesOf(i int, layout int32) ([]float64, error) {
	set := d.sets[i]
	l := &set.layouts[layout]
	shared := l.shared >= 0 && int(l.shared) < len(d.shares)
	if shared && d.shares[l.shared] != nil {
		return d.shares[l.shared], nil
	}
	into := d.buffer[:l.bins]
	if shared {
		into = make([]float64, l.bins)
	}
	if err := set.lay(into, layout, d.columns[i]); err != nil {
		return nil, fmt.Errorf("column %q: %w", d.columns[i].column.Name, err)
	}
	normalise(into)
	if shared {
		d.shares[l.shared] = into
	}
	return into, nil
}

// sameColumns wants the reference's columns to be the data's, in their order.
func (d *Data) sameColumns(r *Reference) error {
	if len(d.sets) != len(r.sets) || len(d.sets) > 0 && &d.sets[0] != &r.sets[0] {
		return fmt.Errorf("%w: other columns, or in another order", ErrSchema)
	}
	return nil
}

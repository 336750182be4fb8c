package registry

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/leeway-dev/leeway/registry/profile"
)

// Of the nearest candidates, and of the version in service, it is told how the
// columns that differ most do so.
const (
	toldCandidates = 20
	toldColumns    = 3
	toldBins       = 4 // of such a column
)

// rank compares the versions that can be, nearest first, and excludes others.
func (q *question) rank(versions []prepared, r *Result) {
	asked := make([]*prepared, 0, len(versions))
	references := make([]*profile.Reference, 0, len(versions))
	for i := range versions {
		v := &versions[i]
		if reason, detail := q.excluded(v); reason != "" {
			r.Excluded = append(r.Excluded, Excluded{Version: v.name, Reason: reason, Detail: detail})
			continue
		}
		asked, references = append(asked, v), append(references, v.reference)
	}
	list := make([]Candidate, 0, len(asked))
	room := newRoom(len(asked), len(q.features))
	for i, d := range q.data.Compare(references, q.length) {
		if d.Err == nil {
			asked[len(list)] = asked[i]
			list = append(list, q.candidate(asked[i], d, room))
			continue
		}
		reason := ExcludedNoProfile
		if errors.Is(d.Err, profile.ErrSchema) {
			reason = ExcludedSchema
		}
		r.Excluded = append(r.Excluded, Excluded{Version: asked[i].name, Reason: reason, Detail: d.Err.Error()})
	}
	slices.SortStableFunc(r.Excluded, func(a, b Excluded) int { return cmp.Compare(number(b.Version), number(a.Version)) })
	// Of equal distances the newest stays first.
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(list[a].Distance, list[b].Distance), cmp.Compare(a, b)) })
	r.Candidates, q.ranked = make([]Candidate, len(list)), make([]*prepared, len(list))
	for i, k := range order {
		r.Candidates[i], q.ranked[i] = list[k], asked[k]
	}
}

// room is memory for the parts of candidates, gotten at once: they are many, and
// each small.
type room struct {
	columns   []Column
	intervals []Interval
	keys      []uint64
}

func newRoom(candidates, columns int) *room {
	return &room{make([]Column, candidates*columns), make([]Interval, candidates), make([]uint64, columns)}
}

// take is room for a candidate.
func (r *room) take() ([]Column, *Interval) {
	n := len(r.keys)
	columns, interval := r.columns[:n:n], &r.intervals[0]
	r.columns, r.intervals = r.columns[n:], r.intervals[1:]
	return columns, interval
}

// tolerances are those of a version for the live window.
func (q *question) tolerances(v *prepared) (t profile.Tolerance, c Candidate) {
	c = Candidate{Version: v.name, Margin: BetterFactor, Basis: BasisGiven, Tolerance: q.options.Tolerance}
	t, measured := v.reference.Tolerance(q.length)
	if measured && t.Typical > ShortDistance {
		c.Margin = ShortBetterFactor
	}
	switch {
	case c.Tolerance > 0:
	case measured:
		c.Basis, c.Windows, c.Tolerance = BasisBlocks, t.Windows, t.Mean
	default:
		c.Basis, c.Tolerance = BasisFallback, AutoTolerance
	}
	return t, c
}

// candidate is what a comparison makes of a version.
func (q *question) candidate(v *prepared, d profile.Comparison, room *room) Candidate {
	t, c := q.tolerances(v)
	c.Distance = d.Mean.Distance
	order := q.falling(d.Columns, room.keys)
	c.Columns, c.Interval = room.take()
	*c.Interval = Interval{Low: d.Mean.Low, High: d.Mean.High, Clustering: ClusteringAssumed}
	if d.Measured {
		c.Interval.Clustering = ClusteringMeasured
	}
	for k, key := range order {
		i := int(key & columnOfKey)
		tolerance := ColumnFactor * c.Tolerance
		if c.Basis == BasisBlocks {
			tolerance = t.Column(i)
		}
		c.Columns[k] = Column{Name: q.features[i].name, Distance: d.Columns[i].Distance, Tolerance: tolerance}
	}
	c.Fits = c.Within()
	return c
}

// columnOfKey are the bits of a key that say which column it is of.
const columnOfKey = 1<<16 - 1

// falling orders columns, the one that differs most first; of equal distances by
// name. A column's key is its distance but for the last bits, which are its index;
// sorting numbers is much faster than sorting columns. What these bits would have
// said is looked up after.
func (q *question) falling(columns []profile.ColumnComparison, keys []uint64) []uint64 {
	for i := range columns {
		keys[i] = ^math.Float64bits(columns[i].Distance)&^columnOfKey | uint64(i)
	}
	slices.Sort(keys)
	before := func(a, b uint64) bool {
		x, y := columns[a&columnOfKey].Distance, columns[b&columnOfKey].Distance
		return x > y || x == y && q.features[a&columnOfKey].name < q.features[b&columnOfKey].name
	}
	for i := 1; i < len(keys); i++ {
		for k := i; k > 0 && before(keys[k], keys[k-1]); k-- {
			keys[k], keys[k-1] = keys[k-1], keys[k]
		}
	}
	return keys
}

// tell adds how columns differ.
func (q *question) tell(r *Result) {
	for at := range r.Candidates {
		c := &r.Candidates[at]
		if at >= toldCandidates && c.Version != r.Live {
			continue
		}
		for k := range c.Columns[:min(len(c.Columns), toldColumns)] {
			if one := &c.Columns[k]; one.Distance > 0 {
				i := slices.IndexFunc(q.features, func(f field) bool { return f.name == one.Name })
				one.Change = q.change(q.ranked[at], i)
			}
		}
	}
}

func (q *question) change(v *prepared, i int) *Change {
	from, err := q.data.Change(v.reference, i, toldBins)
	if err != nil {
		return nil // it was compared: there is none
	}
	out := &Change{Bins: make([]BinChange, len(from.Bins))}
	for k, b := range from.Bins {
		out.Bins[k] = BinChange{Bin: b.Name, Values: values(b), Shift: Shift{b.Reference, b.Data}}
	}
	if !math.IsNaN(from.Reference) && !math.IsNaN(from.Data) {
		out.Median = &Shift{from.Reference, from.Data}
	}
	return out
}

// values are what a bin holds, for people.
func values(b profile.BinShares) string {
	decimal := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
	switch b.Name {
	case profile.Other, profile.Unseen, profile.Missing:
		return ""
	case profile.Under, profile.FarUnder:
		return "below " + decimal(b.Upper)
	case profile.Over, profile.FarOver:
		return "above " + decimal(b.Lower)
	}
	if b.Lower == 0 && b.Upper == 0 && b.Category != "" {
		return b.Category
	}
	return fmt.Sprintf("%s to %s", decimal(b.Lower), decimal(b.Upper))
}

// number is that of a version as a Result writes it.
func number(version string) int64 {
	n, _ := strconv.ParseInt(version, 10, 64)
	return n
}

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

// rank compares the versions that can be, in their order, and excludes others.
func (q *question) rank(versions []prepared, r *Result) {
	var asked []*prepared
	var references []*profile.Reference
	for i := range versions {
		v := &versions[i]
		if reason, detail := q.excluded(v); reason != "" {
			r.Excluded = append(r.Excluded, Excluded{Version: version(v.Number), Reason: reason, Detail: detail})
			continue
		}
		asked, references = append(asked, v), append(references, v.reference)
	}
	q.ranked = make(map[string]*prepared, len(asked))
	for i, d := range q.data.Compare(references, q.length) {
		v := asked[i]
		if d.Err == nil {
			r.Candidates = append(r.Candidates, q.candidate(v, d))
			q.ranked[version(v.Number)] = v
			continue
		}
		reason := ExcludedNoProfile
		if errors.Is(d.Err, profile.ErrSchema) {
			reason = ExcludedSchema
		}
		r.Excluded = append(r.Excluded, Excluded{Version: version(v.Number), Reason: reason, Detail: d.Err.Error()})
	}
	slices.SortStableFunc(r.Excluded, func(a, b Excluded) int { return cmp.Compare(number(b.Version), number(a.Version)) })
}

// tolerances are those of a version for the live window.
func (q *question) tolerances(v *prepared) (mean float64, column func(i int) float64, c Candidate) {
	c = Candidate{Version: version(v.Number), Margin: BetterFactor, Basis: BasisGiven}
	mean = q.options.Tolerance
	if t, ok := v.reference.Tolerance(q.length); ok {
		if t.Typical > ShortDistance {
			c.Margin = ShortBetterFactor
		}
		if mean == 0 {
			c.Basis, c.Windows = BasisBlocks, t.Windows
			return t.Mean, func(i int) float64 { return t.Columns[i] }, c
		}
	}
	if mean == 0 {
		mean, c.Basis = AutoTolerance, BasisFallback
	}
	return mean, func(int) float64 { return ColumnFactor * mean }, c
}

// candidate is what a comparison makes of a version.
func (q *question) candidate(v *prepared, d profile.Comparison) Candidate {
	mean, column, c := q.tolerances(v)
	c.Distance, c.Tolerance, c.Fits = d.Mean.Distance, mean, d.Mean.Distance <= mean
	c.Interval = &Interval{Low: d.Mean.Low, High: d.Mean.High, Clustering: ClusteringAssumed}
	if d.Measured {
		c.Interval.Clustering = ClusteringMeasured
	}
	c.Columns = make([]Column, len(d.Columns))
	for i, one := range d.Columns {
		c.Columns[i] = Column{Name: q.features[i].name, Distance: one.Distance, Tolerance: column(i)}
		c.Fits = c.Fits && one.Distance <= c.Columns[i].Tolerance
	}
	slices.SortFunc(c.Columns, func(a, b Column) int {
		if a.Distance != b.Distance {
			return cmp.Compare(b.Distance, a.Distance)
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return c
}

// tell adds how columns differ.
func (q *question) tell(r *Result) {
	for i := range r.Candidates {
		c := &r.Candidates[i]
		if i >= toldCandidates && c.Version != r.Live {
			continue
		}
		for k := range c.Columns[:min(len(c.Columns), toldColumns)] {
			if one := &c.Columns[k]; one.Distance > 0 {
				i := slices.IndexFunc(q.features, func(f field) bool { return f.name == one.Name })
				one.Change = q.change(q.ranked[c.Version], i)
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

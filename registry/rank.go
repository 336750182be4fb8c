package registry

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/leeway-dev/leeway/registry/profile"
)

const (
	changedColumns = 3 // of a candidate are told how they differ
	changedBins    = 4 // of such a column
)

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

// rank makes a candidate of how far the data lies from a version.
func (q *question) rank(v *prepared, d profile.Comparison) Candidate {
	mean, column, c := q.tolerances(v)
	c.Distance, c.Tolerance, c.Fits = d.Mean.Distance, mean, d.Mean.Distance <= mean
	c.Interval = &Interval{Low: d.Mean.Low, High: d.Mean.High, Clustering: ClusteringAssumed}
	if d.Measured {
		c.Interval.Clustering = ClusteringMeasured
	}
	order := make([]int, len(d.Columns))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(d.Columns[b].Distance, d.Columns[a].Distance), cmp.Compare(q.features[a].name, q.features[b].name))
	})
	c.Columns = make([]Column, len(order))
	for k, i := range order {
		one := Column{Name: q.features[i].name, Distance: d.Columns[i].Distance, Tolerance: column(i)}
		c.Fits = c.Fits && one.Distance <= one.Tolerance
		if k < changedColumns && one.Distance > 0 {
			one.Change = q.change(v, i)
		}
		c.Columns[k] = one
	}
	return c
}

func (q *question) change(v *prepared, i int) *Change {
	from, err := q.data.Change(v.reference, i, changedBins)
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
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
	switch b.Name {
	case profile.Other, profile.Unseen, profile.Missing:
		return ""
	case profile.Under, profile.FarUnder:
		return "below " + number(b.Upper)
	case profile.Over, profile.FarOver:
		return "above " + number(b.Lower)
	}
	if b.Lower == 0 && b.Upper == 0 && b.Category != "" {
		return b.Category
	}
	return fmt.Sprintf("%s to %s", number(b.Lower), number(b.Upper))
}

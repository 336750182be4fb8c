package profile

import (
	"cmp"
	"math"
	"slices"
)

// Change says how data differs from a reference in a column.
type Change struct {
	// Bins, those whose shares differ most first.
	Bins []BinShares
	// Median of a column of numbers, NaN where it is not known.
	Reference, Data float64
}

// BinShares are the shares of the rows in a bin.
type BinShares struct {
	Name string
	// Lower and Upper bound a bin of numbers, infinite where there is no bound.
	Lower, Upper float64
	// Category of a bin that has one.
	Category        string
	Reference, Data float64
}

// Change says how the data differs from a reference in the i-th feature. At most
// most bins are listed, and only those whose shares differ.
func (d *Data) Change(r *Reference, i, most int) (Change, error) {
	if err := d.sameColumns(r); err != nil {
		return Change{}, err
	}
	ref, set := &r.columns[i], d.sets[i]
	shares, err := d.sharesOf(i, ref.layout)
	if err != nil {
		return Change{}, err
	}
	version := set.shares.row(ref.shares, len(shares))
	c := Change{Reference: r.medians[i], Data: d.columns[i].median}
	order := make([]int, 0, len(shares))
	gap := func(k int) float64 { return math.Abs(shares[k] - version[k]) }
	for k := range shares {
		if gap(k) > 0 {
			order = append(order, k)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(gap(b), gap(a)) })
	for _, k := range order[:min(len(order), most)] {
		b := set.bin(&set.layouts[ref.layout], k)
		b.Reference, b.Data = version[k], shares[k]
		c.Bins = append(c.Bins, b)
	}
	return c, nil
}

// bin is the k-th bin of a layout without its shares.
func (s *columnSet) bin(l *layout, k int) BinShares {
	if s.typ == Category {
		frequent := s.frequent(l)
		n := len(frequent)
		if k < n {
			return BinShares{Name: binName(k), Category: s.names.list[frequent[k]]}
		}
		return BinShares{Name: []string{Other, Unseen, Missing}[k-n]}
	}
	n, inf := l.edgeCount()-3, math.Inf(1)
	switch e := s.edgesOf(l); k - n {
	case 0:
		return BinShares{Name: Under, Lower: e[0], Upper: e[1]}
	case 1:
		return BinShares{Name: Over, Lower: e[n+1], Upper: e[n+2]}
	case 2:
		return BinShares{Name: FarUnder, Lower: -inf, Upper: e[0]}
	case 3:
		return BinShares{Name: FarOver, Lower: e[n+2], Upper: inf}
	case 4:
		return BinShares{Name: Missing, Lower: math.NaN(), Upper: math.NaN()}
	default:
		return BinShares{Name: binName(k), Lower: e[k+1], Upper: e[k+2]}
	}
}

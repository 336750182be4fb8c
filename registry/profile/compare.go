package profile

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Compare says how far the features of data, live or training, lie from those
// of a reference, on the reference's own bins: per column the square root of
// the Jensen–Shannon divergence to base 2, and the mean of these. Both need to
// have the same features, in any order; else the error wraps ErrSchema and
// names the columns. Predictions are not compared.
func Compare(reference, data *Profile) (Distance, error) {
	if err := sameSchema(reference.Features, data.Features); err != nil {
		return Distance{}, err
	}
	if len(reference.Features) == 0 {
		return Distance{}, fmt.Errorf("no features to compare: %w", ErrEmpty)
	}
	byName := make(map[string]*Column, len(data.Features))
	for i := range data.Features {
		byName[data.Features[i].Name] = &data.Features[i]
	}
	var d Distance
	for _, c := range reference.Features {
		ref, dat, err := Shares(c, *byName[c.Name])
		if err != nil {
			return Distance{}, err
		}
		one := ColumnDistance{c.Name, jensenShannon(ref, dat)}
		d.Columns = append(d.Columns, one)
		d.Mean += one.Distance / float64(len(reference.Features))
	}
	return d, nil
}

// sameSchema wants the same names with the same types on both sides.
func sameSchema(reference, data []Column) error {
	types := make(map[string]Type, len(data))
	for _, c := range data {
		types[c.Name] = c.Type
	}
	var wrong []string
	for _, c := range reference {
		switch t, ok := types[c.Name]; {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("%q is missing in the data", c.Name))
		case t != c.Type:
			wrong = append(wrong, fmt.Sprintf("%q is a %s in the data, a %s in the reference", c.Name, t, c.Type))
		}
		delete(types, c.Name)
	}
	for name := range types {
		wrong = append(wrong, fmt.Sprintf("%q is missing in the reference", name))
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("%w: %s", ErrSchema, strings.Join(wrong, ", "))
}

// Shares are the shares of rows in the reference's bins, for the reference
// itself and for data, each adding up to 1. They are exact when data counts
// into the same bins. Else data's numbers are laid over the edges by its
// sketch or its quantiles, to within the sketch's rank error or 1/1024, and
// its categories looked up among those that the reference knows; rows of
// categories that data has folded away, or hidden where the reference has hashes
// only, are taken to be known to the reference in the same proportion as its
// other categories without a bin are.
func Shares(reference, data Column) (ref, dat []float64, err error) {
	switch {
	case len(reference.Bins) == 0:
		return nil, nil, fmt.Errorf("column %q has no bins: it can't be a reference", reference.Name)
	case reference.Type != data.Type:
		return nil, nil, fmt.Errorf("%w: %q is a %s in the data, a %s in the reference", ErrSchema, reference.Name, data.Type, reference.Type)
	case reference.Rows == 0:
		return nil, nil, fmt.Errorf("column %q of the reference: %w", reference.Name, ErrEmpty)
	case data.Rows == 0:
		return nil, nil, fmt.Errorf("column %q of the data: %w", reference.Name, ErrEmpty)
	}
	counts := make([]float64, len(reference.Bins))
	for i, b := range reference.Bins {
		counts[i] = float64(b.Count)
	}
	ref = normalised(counts)
	switch {
	case sameBins(&reference, &data):
		for i, b := range data.Bins {
			counts[i] = float64(b.Count)
		}
	case data.Type == Category && data.Redacted && !reference.Redacted:
		err = fmt.Errorf("%w: categories are redacted in the data, but not in the reference", ErrSchema)
	case data.Type == Category:
		var b *Binner
		if b, err = NewBinner(reference); err == nil {
			layCategories(counts, b, &data)
		}
	default:
		err = layNumbers(counts, &reference, &data)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("column %q: %w", reference.Name, err)
	}
	return ref, normalised(counts), nil
}

func normalised(counts []float64) []float64 {
	shares := slices.Clone(counts)
	normalise(shares)
	return shares
}

func normalise(counts []float64) {
	var sum float64
	for _, n := range counts {
		sum += n
	}
	for i := range counts {
		counts[i] /= sum
	}
}

// sameBins says whether data's counts are of the reference's bins.
func sameBins(reference, data *Column) bool {
	return reference.Binning != "" && reference.Binning == data.Binning &&
		slices.EqualFunc(reference.Bins, data.Bins, func(a, b Bin) bool {
			return a.Name == b.Name && a.Category == b.Category && equal(a.Lower, b.Lower) && equal(a.Upper, b.Upper)
		})
}

func equal(a, b *float64) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// layCategories counts data's categories into the bins of a reference.
func layCategories(counts []float64, b *Binner, data *Column) {
	clear(counts)
	unknown := float64(data.Folded)
	var hidden func(string) int
	for _, k := range data.Categories {
		name := k.Name
		if !isHash(name) {
			name = Key(name, b.redacted)
		}
		i := b.key(name)
		if i == b.unseen && !b.redacted && isHash(name) {
			if hidden == nil {
				hidden = b.hidden()
			}
			if i = hidden(name); i < 0 {
				unknown += float64(k.Count)
				continue
			}
		}
		counts[i] += float64(k.Count)
	}
	counts[b.missing] = float64(data.Missing)
	spread(counts, b.other, b.unseen, unknown)
}

// spread divides rows of categories of which nothing is known between other and
// unseen, as those are divided of which it is.
func spread(counts []float64, other, unseen int, unknown float64) {
	if unknown == 0 {
		return
	}
	known := 0.5
	if without := counts[other] + counts[unseen]; without > 0 {
		known = counts[other] / without
	}
	counts[other] += known * unknown
	counts[unseen] += (1 - known) * unknown
}

// layNumbers spreads data's numbers over the reference's bins.
func layNumbers(counts []float64, reference, data *Column) error {
	edges, n := edgesOf(reference.Bins)
	values := data.Rows - data.Missing
	below := make([]float64, 0, len(edges))
	switch {
	case values == 0:
		below = make([]float64, len(edges))
	case len(data.Sketch) > 0:
		s, err := readSketch(data.Sketch)
		if err != nil {
			return fmt.Errorf("sketch: %w", err)
		}
		for i, e := range edges {
			// The last two, maximum and far maximum, belong to the bin below.
			rank, err := s.GetRank(narrow(e), i >= n+1)
			if err != nil {
				return fmt.Errorf("sketch: %w", err)
			}
			below = append(below, rank*float64(values))
		}
	case len(data.Quantiles) == QuantileCount:
		for i, e := range edges {
			below = append(below, rankByQuantiles(data.Quantiles, values, e, i >= n+1))
		}
	default:
		return fmt.Errorf("%w: the data has neither sketch nor quantiles for it, nor the reference's bins", ErrSchema)
	}
	counts[n+2], counts[n] = below[0], below[1]-below[0] // far_under, under
	for i := range n {
		counts[i] = below[i+2] - below[i+1]
	}
	counts[n+1], counts[n+3] = below[n+2]-below[n+1], float64(values)-below[n+2] // over, far_over
	counts[n+4] = float64(data.Missing)
	return nil
}

// rankByQuantiles is the number of n values below x (or at it, if inclusive),
// as far as quantiles tell: exact for up to 1024 values, else within n/1024,
// linear between two quantiles.
func rankByQuantiles(quantiles []float64, n int64, x float64, inclusive bool) float64 {
	if inclusive {
		x = math.Nextafter(x, math.Inf(1))
	}
	i, _ := slices.BinarySearch(quantiles, x) // the first at or above x
	if i == 0 {
		return 0
	}
	if i == len(quantiles) {
		return float64(n)
	}
	// The values for the quantiles before are below x, that of i is not.
	least := float64(max(rankOf(i-1, n), 1))
	most := max(float64(rankOf(i, n)-1), least)
	a, b := quantiles[i-1], quantiles[i]
	return least + (most-least)*(x/2-a/2)/(b/2-a/2)
}

// jensenShannon is the square root of the Jensen–Shannon divergence to base 2
// (Lin 1991), a metric from 0 to 1; scipy.spatial.distance.jensenshannon with
// base 2 agrees. With p = m(1−d) and q = m(1+d) every term is at least 0 and
// nothing cancels: equal shares are exactly 0 apart.
func jensenShannon(p, q []float64) float64 {
	var sum float64
	for i := range p {
		m := (p[i] + q[i]) / 2
		switch {
		case p[i] == q[i]:
		case p[i] == 0 || q[i] == 0:
			sum += m * 2 * math.Ln2
		default:
			d := (q[i] - p[i]) / (q[i] + p[i])
			down, up := logs(d)
			sum += m * ((1-d)*down + (1+d)*up)
		}
	}
	return math.Sqrt(min(max(sum/2/math.Ln2, 0), 1))
}

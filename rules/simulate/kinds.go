package simulate

import "math"

// Kind is a kind of column by the shares of its bins.
type Kind struct {
	Name   string
	Shares []float64
	// Ordered bins are of numbers, from the least to the greatest.
	Ordered bool
}

// column is one with so many rows of the training data in each bin.
func (k Kind) column(reference []float64) *Column {
	if !k.Ordered {
		return NewColumn(reference)
	}
	return NewOrdered(reference, MeanRanks(reference))
}

// MeanRanks are those of the rows in each bin, of bins that go from the least to the
// greatest: 0 to 1.
func MeanRanks(counts []float64) []float64 {
	ranks, below, rows := make([]float64, len(counts)), 0.0, total(counts)
	for b, n := range counts {
		ranks[b] = (below + n/2) / rows
		below += n
	}
	return ranks
}

// Kinds are the columns that are tried: a number between deciles with bins for
// what is out of range, a handful of categories, categories of Zipf's law, and
// a rare flag.
func Kinds() []Kind {
	number := []float64{0.005}
	for range 10 {
		number = append(number, 0.099)
	}
	return []Kind{
		{Name: "continuous", Shares: append(number, 0.005), Ordered: true},
		{Name: "discrete", Shares: []float64{0.35, 0.25, 0.2, 0.15, 0.05}},
		{Name: "skewed", Shares: zipf(20)},
		{Name: "binary", Shares: []float64{0.95, 0.05}},
	}
}

// zipf are categories of Zipf's law that have at least 0.5 % of the rows each,
// as a profile gives them bins, and the rest together.
func zipf(n int) []float64 {
	shares, sum := make([]float64, n), 0.0
	for i := range shares {
		shares[i] = 1 / math.Pow(float64(i+1), 1.2)
		sum += shares[i]
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

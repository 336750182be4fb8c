package profile

import "math"

// MeanRanks are the mean ranks, bin by bin, of the rows of a reference column of
// numbers: the share of the values that are smaller than those of a bin, and half of
// its own (the ridit of Bross 1958). 0 is the least, 1 the greatest; NaN is that of
// missing values. Nil for categories, and where there is no value.
func (c Column) MeanRanks() []float64 {
	values := float64(c.Rows - c.Missing)
	if c.Type != Number || len(c.Bins) == 0 || values <= 0 {
		return nil
	}
	ranks, below := make([]float64, len(c.Bins)), 0.0
	for _, i := range valueOrder(interior(Number, c.Bins)) {
		count := float64(c.Bins[i].Count)
		ranks[i] = (below + count/2) / values
		below += count
	}
	ranks[len(ranks)-1] = math.NaN()
	return ranks
}

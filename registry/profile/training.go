package profile

import "math"

// New makes a training profile of its columns, and checks it.
func New(rows int64, features, predictions []Column) (*Profile, error) {
	p := &Profile{Format: Format, Rows: rows, Features: features, Predictions: predictions}
	for _, list := range [][]Column{features, predictions} {
		for i := range list {
			if len(list[i].Bins) > 0 {
				list[i].Binning = binning(&list[i])
			}
		}
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}

// NumberColumn describes values, and rows that miss one. It has no bins where
// there are no values. Those of a prediction are a probability when they are
// not just two and lie from 0 to 1. Errors are those of values.
func NumberColumn(name string, missing int64, values Values, prediction bool) (Column, error) {
	c := Column{Name: name, Type: Number, Rows: missing + values.Len(), Missing: missing}
	if values.Len() > 0 {
		if err := c.describe(values, prediction); err != nil {
			return c, err
		}
	}
	return c, nil
}

// describe makes bins and quantiles.
func (c *Column) describe(values Values, prediction bool) error {
	n := values.Len()
	ranks := make([]int64, 0, QuantileCount+64)
	for i := range QuantileCount {
		ranks = append(ranks, max(rankOf(i, n), 1)-1)
	}
	probes := cutProbes(n)
	found, err := values.Find(append(ranks, probes...))
	if err != nil {
		return err
	}
	c.Quantiles = make([]float64, QuantileCount)
	for i := range c.Quantiles {
		c.Quantiles[i] = found[i].Value
	}
	first, last := found[0], found[QuantileCount-1]
	distinct := 3 // or more
	switch {
	case first == last:
		distinct = 1
	case first.end() == last.Below:
		distinct = 2
	}
	c.Binary = distinct == 2
	wanted := numberBins
	if prediction && distinct > 2 && first.Value >= 0 && last.Value <= 1 {
		c.Probability = true
		wanted = probabilityBins
	}
	chosen := cuts(found[QuantileCount:], n, wanted)
	if c.Probability {
		chosen = narrowed(chosen, found[:QuantileCount], n)
	}
	c.Bins, err = numberColumnBins(values, chosen, c.Missing)
	return err
}

// cutProbes are ranks among whose runs are all heavy values, and all that are
// near a cut of n values into numberBins or probabilityBins.
func cutProbes(n int64) []int64 {
	var ranks []int64
	step := max(int64(heavyShare*float64(n)), 1)
	for rank := int64(0); rank < n; rank += step {
		ranks = append(ranks, rank)
	}
	for _, bins := range []int{numberBins, probabilityBins} {
		for i := 1; i < bins; i++ {
			ranks = append(ranks, int64(position(i, bins, n)))
		}
	}
	return append(ranks, n-1)
}

// position of the i-th cut of n values into bins.
func position(i, bins int, n int64) float64 {
	return math.Min(float64(n)*float64(i)/float64(bins), float64(n))
}

// CategoryColumn describes the categories of rows, values of them with one. top
// are the most frequent ones, most frequent first, then by name: all, or
// MaxCategories + MaxSeen of them at least; and distinct is how many there are.
// Names are those that Key makes.
func CategoryColumn(name string, redacted bool, missing, values int64, top []CategoryCount, distinct int64) Column {
	top = top[:min(len(top), MaxCategories+MaxSeen)]
	c := Column{Name: name, Type: Category, Rows: missing + values, Missing: missing, Redacted: redacted, Binary: distinct == 2}
	c.Bins = categoryColumnBins(top, values, missing)
	c.Categories = top
	if len(top) > MaxCategories {
		c.Categories = top[:MaxCategories:MaxCategories]
		hashes := make([]uint32, 0, len(top)-MaxCategories)
		for _, k := range top[MaxCategories:] {
			hashes = append(hashes, hash(k.Name))
		}
		c.Seen = seenOf(hashes)
	}
	c.Folded = values
	for _, k := range c.Categories {
		c.Folded -= k.Count
	}
	return c
}

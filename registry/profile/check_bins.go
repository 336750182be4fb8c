package profile

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// checkBins checks that the bins are those that numberColumnBins or
// categoryColumnBins could have made, and that counts add up.
func checkBins(c *Column) error {
	n := interior(c.Type, c.Bins)
	if n < 0 || n > MaxBins || n == 0 && c.Type == Number {
		return fmt.Errorf("bins: %d of them, too few or too many", len(c.Bins))
	}
	special := []string{Other, Unseen, Missing}
	if c.Type == Number {
		special = []string{Under, Over, FarUnder, FarOver, Missing}
	}
	var sum int64
	for i, b := range c.Bins {
		want := binName(i)
		if i >= n {
			want = special[i-n]
		}
		if b.Name != want {
			return fmt.Errorf("bins[%d].name: is %q, want %q", i, clip(b.Name), want)
		}
		if b.Count < 0 || b.Count > c.Rows {
			return fmt.Errorf("bins[%d].count: %d is not between 0 and rows, %d", i, b.Count, c.Rows)
		}
		sum += b.Count
	}
	if sum != c.Rows {
		return fmt.Errorf("bins: counts add up to %d, but rows is %d", sum, c.Rows)
	}
	if last := c.Bins[len(c.Bins)-1]; last.Count != c.Missing {
		return fmt.Errorf("bins: %q counts %d, but missing is %d", Missing, last.Count, c.Missing)
	}
	if c.Type == Number {
		return checkEdges(c.Bins, n)
	}
	return checkBinCategories(c.Bins, n)
}

func checkBinCategories(bins []Bin, n int) error {
	names := make(map[string]bool, n)
	for i, b := range bins {
		switch {
		case b.Lower != nil || b.Upper != nil:
			return fmt.Errorf("bins[%d]: lower or upper in a column of categories", i)
		case i >= n && b.Category != "":
			return fmt.Errorf("bins[%d].category: %q has none", i, b.Name)
		case len(b.Category) > MaxCategory || !utf8.ValidString(b.Category):
			return fmt.Errorf("bins[%d].category: want at most %d bytes of UTF-8", i, MaxCategory)
		case i < n && names[b.Category]:
			return fmt.Errorf("bins[%d].category: %q twice", i, clip(b.Category))
		}
		names[b.Category] = true
	}
	return nil
}

// checkEdges wants every bound in its place, and neighbours to share theirs.
func checkEdges(bins []Bin, n int) error {
	for i, b := range bins {
		if b.Category != "" {
			return fmt.Errorf("bins[%d].category: in a column of numbers", i)
		}
		lower := b.Name != FarUnder && b.Name != Missing
		upper := b.Name != FarOver && b.Name != Missing
		if lower != (b.Lower != nil) || upper != (b.Upper != nil) {
			return fmt.Errorf("bins[%d] %q: lower or upper is missing, or is one too many", i, b.Name)
		}
	}
	edges, _ := edgesOf(bins)
	for i, e := range edges {
		if math.IsNaN(e) || math.IsInf(e, 0) {
			return fmt.Errorf("bins: edge %v is not finite", e)
		}
		// The last bin may hold one value alone; the far edges of a column as
		// wide as float64 lie on the range itself.
		level := i == 1 || i >= len(edges)-2
		if i > 0 && (e < edges[i-1] || e == edges[i-1] && !level) {
			return fmt.Errorf("bins: edge %v after %v, want them ascending", e, edges[i-1])
		}
	}
	for i := range n {
		if *bins[i].Upper != edges[i+2] {
			return fmt.Errorf("bins[%d].upper: %v, but the next bin begins at %v", i, *bins[i].Upper, edges[i+2])
		}
	}
	under, over, farUnder, farOver := bins[n], bins[n+1], bins[n+2], bins[n+3]
	if *under.Upper != edges[1] || *farUnder.Upper != *under.Lower {
		return fmt.Errorf("bins: %q, %q and %q don't meet", FarUnder, Under, bins[0].Name)
	}
	if *over.Lower != edges[n+1] || *farOver.Lower != *over.Upper {
		return fmt.Errorf("bins: %q, %q and %q don't meet", bins[n-1].Name, Over, FarOver)
	}
	return nil
}

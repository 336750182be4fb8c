package profile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
)

// How a reference is cut into bins; DESIGN's "Bins" has the reasons.
const (
	numberBins      = 10
	probabilityBins = 20
	heavyShare      = 0.1   // of the values: a bin of its own
	categoryShare   = 0.005 // of the values, and
	categoryRows    = 20    // rows at least, for a category to have a bin
	categoryBins    = 30
)

// run is a distinct value with the number of rows that have it.
type run struct {
	value float64
	count int64
}

// runs lists the distinct values of ascending values.
func runs(ascending []float64) []run {
	var list []run
	for _, v := range ascending {
		if n := len(list); n > 0 && list[n-1].value == v {
			list[n-1].count++
		} else {
			list = append(list, run{v, 1})
		}
	}
	return list
}

// cuts chooses where to cut values into about n bins with equally many rows: a
// cut k lies before list[k]. A value with heavyShare of the rows stands alone;
// what lies between heavy values is not cut into bins of less than half the
// usual size, for sparse bins make a poor reference.
func cuts(list []run, n int) []int {
	before := make([]int64, len(list)+1) // rows before each run
	for i, r := range list {
		before[i+1] = before[i] + r.count
	}
	total := before[len(list)]
	fixed := map[int]bool{0: true, len(list): true}
	for i, r := range list {
		if float64(r.count) >= heavyShare*float64(total) {
			fixed[i], fixed[i+1] = true, true
		}
	}
	wanted := make(map[int]bool)
	for i := 1; i < n; i++ {
		wanted[nearest(before, float64(total)*float64(i)/float64(n))] = true
	}
	least := float64(total) / float64(n) / 2
	var chosen []int
	for k := range len(list) + 1 {
		switch {
		case fixed[k]:
			// A wanted cut too near before a fixed one gives way to it.
			for len(chosen) > 0 && !fixed[chosen[len(chosen)-1]] && float64(before[k]-before[chosen[len(chosen)-1]]) < least {
				chosen = chosen[:len(chosen)-1]
			}
			chosen = append(chosen, k)
		case wanted[k] && float64(before[k]-before[chosen[len(chosen)-1]]) >= least:
			chosen = append(chosen, k)
		}
	}
	return chosen
}

// nearest is the index of the ascending number nearest to x, the lower of two.
func nearest(ascending []int64, x float64) int {
	i, _ := slices.BinarySearchFunc(ascending, x, func(n int64, x float64) int {
		if float64(n) < x {
			return -1
		}
		return 1
	})
	if i == len(ascending) || i > 0 && x-float64(ascending[i-1]) <= float64(ascending[i])-x {
		i--
	}
	return i
}

// between is a number above a and at most b: midway, where there is room.
func between(a, b float64) float64 {
	m := a/2 + b/2
	if !(m > a && m <= b) {
		return b
	}
	return m
}

// numberColumnBins cuts the runs of a column's values, of which there is at
// least one, into about n bins, with their counts.
func numberColumnBins(list []run, missing int64, n int) []Bin {
	chosen := cuts(list, n)
	lowest, highest := list[0].value, list[len(list)-1].value
	edge := func(k int) float64 {
		switch k {
		case 0:
			return lowest
		case len(list):
			return highest
		}
		return between(list[k-1].value, list[k].value)
	}
	var bins []Bin
	for i := range len(chosen) - 1 {
		bin := Bin{Name: binName(i), Lower: new(edge(chosen[i])), Upper: new(edge(chosen[i+1]))}
		for _, r := range list[chosen[i]:chosen[i+1]] {
			bin.Count += r.count
		}
		bins = append(bins, bin)
	}
	low, high := far(lowest, highest)
	return append(bins,
		Bin{Name: Under, Lower: &low, Upper: &lowest},
		Bin{Name: Over, Lower: &highest, Upper: &high},
		Bin{Name: FarUnder, Upper: &low},
		Bin{Name: FarOver, Lower: &high},
		Bin{Name: Missing, Count: missing})
}

// far is where values are outside of a range by more than its width. A range
// without width has that of the value itself, or 1: a flag that was always 0
// is over when it is 1, not far over.
func far(lowest, highest float64) (low, high float64) {
	width := highest - lowest
	if width == 0 {
		width = max(math.Abs(lowest), 1)
	}
	low = max(lowest-width, -math.MaxFloat64)
	high = min(highest+width, math.MaxFloat64)
	return low, high
}

// categoryColumnBins gives a bin to each frequent category of a sorted list;
// values is the sum of its counts, and the known ones are those that the
// profile will remember. The expected share of unseen categories is that of
// the categories seen once (Good 1953, after Turing); what can't be remembered
// will look unseen as well.
func categoryColumnBins(list []CategoryCount, values, missing int64, known int) []Bin {
	var bins []Bin
	var other, unseen int64
	for i, c := range list {
		switch {
		case c.Count >= categoryRows && float64(c.Count) >= categoryShare*float64(values) && i < categoryBins:
			bins = append(bins, Bin{Name: binName(i), Category: c.Name, Count: c.Count})
		case c.Count == 1 || i >= known:
			unseen += c.Count
		default:
			other += c.Count
		}
	}
	return append(bins,
		Bin{Name: Other, Count: other}, Bin{Name: Unseen, Count: unseen}, Bin{Name: Missing, Count: missing})
}

func binName(i int) string { return fmt.Sprintf("%02d", i) }

// interior is the number of numbered bins.
func interior(t Type, bins []Bin) int {
	if t == Number {
		return len(bins) - 5
	}
	return len(bins) - 3
}

// edgesOf lists the edges of a number column's bins, from the one between
// far_under and under to the one between over and far_over, and the number of
// interior bins.
func edgesOf(bins []Bin) (edges []float64, n int) {
	n = interior(Number, bins)
	edges = append(edges, *bins[n].Lower)
	for _, b := range bins[:n] {
		edges = append(edges, *b.Lower)
	}
	return append(edges, *bins[n-1].Upper, *bins[n+1].Upper), n
}

// binning identifies the definition of a column's bins: edges, categories and
// which categories are known; not their counts.
func binning(c *Column) string {
	h := sha256.New()
	h.Write([]byte(c.Type))
	for _, b := range c.Bins {
		fmt.Fprintf(h, "\n%s %q", b.Name, b.Category)
	}
	if c.Type == Number {
		edges, _ := edgesOf(c.Bins)
		for _, e := range edges {
			h.Write(binary.BigEndian.AppendUint64(nil, math.Float64bits(e+0))) // -0 is 0
		}
	} else {
		known := make([]string, 0, len(c.Categories))
		for _, k := range c.Categories {
			known = append(known, k.Name)
		}
		slices.Sort(known)
		fmt.Fprintf(h, "\n%q", known)
		h.Write(c.Seen)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

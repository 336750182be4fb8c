package profile

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
)

// How a reference is cut into bins; DESIGN's "Bins" has the reasons.
const (
	numberBins      = 10
	probabilityBins = 20
	widestBin       = 0.1   // of a probability, as a share of the range
	heavyShare      = 0.1   // of the values: a bin of its own
	categoryShare   = 0.005 // of the values, and
	categoryRows    = 20    // rows at least, for a category to have a bin
	categoryBins    = 30
)

// cuts chooses where to cut n values into about so many bins with equally many
// rows: positions from 0 to n, each between two distinct values. probes are the
// runs of cutProbes. A value with heavyShare of the rows stands alone; what lies
// between heavy values is not cut into bins of less than half the usual size,
// for sparse bins make a poor reference.
func cuts(probes []Run, n int64, bins int) []int64 {
	fixed := map[int64]bool{0: true, n: true}
	for _, r := range probes {
		if float64(r.Count) >= heavyShare*float64(n) {
			fixed[r.Below], fixed[r.end()] = true, true
		}
	}
	wanted := make(map[int64]bool)
	for i := 1; i < bins; i++ {
		wanted[nearest(probes, position(i, bins, n))] = true
	}
	least := float64(n) / float64(bins) / 2
	var chosen []int64
	for _, at := range slices.Sorted(maps.Keys(union(fixed, wanted))) {
		if fixed[at] {
			// A wanted cut too near before a fixed one gives way to it.
			for len(chosen) > 0 && !fixed[chosen[len(chosen)-1]] && float64(at-chosen[len(chosen)-1]) < least {
				chosen = chosen[:len(chosen)-1]
			}
			chosen = append(chosen, at)
		} else if float64(at-chosen[len(chosen)-1]) >= least {
			chosen = append(chosen, at)
		}
	}
	return chosen
}

// narrowed adds cuts to those of a probability, where a bin is wider than
// widestBin: rows of a rare class lie far apart, and one bin would hold those
// that are sure and those that are not. At most ten are added; what lies between
// has as many rows as a category needs. quantiles are ascending runs.
func narrowed(chosen []int64, quantiles []Run, n int64) []int64 {
	widest := widestBin * (quantiles[len(quantiles)-1].Value - quantiles[0].Value)
	least := max(int64(math.Ceil(categoryShare*float64(n))), categoryRows)
	out := chosen[:1:1]
	for _, to := range chosen[1:] {
		from := out[len(out)-1]
		first, _ := slices.BinarySearchFunc(quantiles, from, func(r Run, at int64) int { return cmp.Compare(r.Below, at) })
		behind, _ := slices.BinarySearchFunc(quantiles, to, func(r Run, at int64) int { return cmp.Compare(r.Below, at) })
		inside := quantiles[first:behind]
		if len(inside) > 0 {
			low, width := inside[0].Value, inside[len(inside)-1].Value-inside[0].Value
			parts := math.Ceil(width / widest)
			for i := 1.0; i < parts; i++ {
				last := out[len(out)-1]
				k := slices.IndexFunc(inside, func(r Run) bool { return r.Value >= low+width*i/parts && r.Below-last >= least })
				if k >= 0 && to-inside[k].Below >= least {
					out = append(out, inside[k].Below)
				}
			}
		}
		out = append(out, to)
	}
	return out
}

func union(a, b map[int64]bool) map[int64]bool {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// nearest is the end of a run that is nearest to x, the lower of two; one of the
// runs is around x.
func nearest(probes []Run, x float64) int64 {
	i := slices.IndexFunc(probes, func(r Run) bool { return float64(r.Below) <= x && x < float64(r.end()) })
	if r := probes[i]; x-float64(r.Below) > float64(r.end())-x {
		return r.end()
	}
	return probes[i].Below
}

// between is a number above a and at most b: midway, where there is room.
func between(a, b float64) float64 {
	m := a/2 + b/2
	if !(m > a && m <= b) {
		return b
	}
	return m
}

// numberColumnBins makes the bins between cuts of values, of which there is at
// least one, with their counts.
func numberColumnBins(values Values, chosen []int64, missing int64) ([]Bin, error) {
	// The values before and behind each cut; the ends are values themselves.
	var ranks []int64
	for _, at := range chosen {
		ranks = append(ranks, max(at-1, 0), min(at, values.Len()-1))
	}
	around, err := values.Find(ranks)
	if err != nil {
		return nil, err
	}
	edge := func(i int) *float64 {
		before, behind := around[2*i].Value, around[2*i+1].Value
		if before == behind {
			return new(before)
		}
		return new(between(before, behind))
	}
	var bins []Bin
	for i := range len(chosen) - 1 {
		bins = append(bins, Bin{Name: binName(i), Lower: edge(i), Upper: edge(i + 1), Count: chosen[i+1] - chosen[i]})
	}
	lowest, highest := around[0].Value, around[len(around)-1].Value
	low, high := far(lowest, highest)
	return append(bins,
		Bin{Name: Under, Lower: &low, Upper: &lowest},
		Bin{Name: Over, Lower: &highest, Upper: &high},
		Bin{Name: FarUnder, Upper: &low},
		Bin{Name: FarOver, Lower: &high},
		Bin{Name: Missing, Count: missing}), nil
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

// categoryColumnBins gives a bin to each frequent category of a sorted list,
// those that the profile will remember; values is how many rows have one, of the
// list or not. The expected share of unseen categories is that of the categories
// seen once (Good 1953, after Turing); what can't be remembered will look unseen
// as well.
func categoryColumnBins(list []CategoryCount, values, missing int64) []Bin {
	var bins []Bin
	var other int64
	unseen := values
	for i, c := range list {
		unseen -= c.Count
		switch {
		case c.Count >= categoryRows && float64(c.Count) >= categoryShare*float64(values) && i < categoryBins:
			bins = append(bins, Bin{Name: binName(i), Category: c.Name, Count: c.Count})
		case c.Count == 1:
			unseen++
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

// valueOrder lists the bins of a number column of so many interior ones by value,
// from far_under to far_over.
func valueOrder(n int) []int {
	order := []int{n + 2, n} // far_under, under
	for i := range n {
		order = append(order, i)
	}
	return append(order, n+1, n+3) // over, far_over
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

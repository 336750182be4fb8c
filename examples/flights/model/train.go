package model

import (
	"errors"
	"slices"
	"sort"

	"github.com/leeway-dev/leeway/examples/flights/data"
)

const (
	trees     = 60
	depth     = 3
	rate      = 0.15
	cuts      = 64 // candidate splits a feature
	leafRows  = 20
	routeRows = 5 // fewer, and the mean of a route is not trusted
)

// Train fits a model by least squares (Friedman 2001, with histogram splits).
func Train(flights []data.Flight) (*Model, error) {
	if len(flights) < 10*leafRows {
		return nil, errors.New("too few rows to train on")
	}
	m := &Model{Routes: routes(flights)}
	m.Intercept, m.PerMile = line(flights)
	t := newTrainer(flights)
	for i, f := range flights {
		t.residual[i] = f.AirTime - m.base(f)
	}
	rows := make([]int, len(flights))
	for i := range rows {
		rows[i] = i
	}
	for range trees {
		tree := slices.Repeat(Tree{{Feature: -1}}, 1<<(depth+1)-1)
		t.grow(tree, 0, depth, slices.Clone(rows))
		for i, f := range flights {
			t.residual[i] -= tree.value(f.Numbers[:])
		}
		m.Trees = append(m.Trees, tree)
	}
	return m, nil
}

func routes(flights []data.Flight) map[string]float64 {
	sum, n := map[string]float64{}, map[string]float64{}
	for _, f := range flights {
		sum[route(f)] += f.AirTime
		n[route(f)]++
	}
	mean := map[string]float64{}
	for r := range sum {
		if n[r] >= routeRows {
			mean[r] = sum[r] / n[r]
		}
	}
	return mean
}

// line fits air time over distance.
func line(flights []data.Flight) (intercept, slope float64) {
	d := slices.Index(data.Numbers, "distance")
	var n, sx, sy, sxx, sxy float64
	for _, f := range flights {
		x, y := f.Numbers[d], f.AirTime
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	slope = (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return (sy - slope*sx) / n, slope
}

// trainer holds every number as the index of the first cut above it.
type trainer struct {
	cuts     [][]float64
	bins     [][]uint8 // by feature, by row
	residual []float64
}

func newTrainer(flights []data.Flight) *trainer {
	t := &trainer{residual: make([]float64, len(flights))}
	for f := range data.Numbers {
		xs := make([]float64, len(flights))
		for i := range flights {
			xs[i] = flights[i].Numbers[f]
		}
		sorted := slices.Clone(xs)
		sort.Float64s(sorted)
		var edges []float64
		for c := 1; c < cuts; c++ {
			edges = append(edges, sorted[c*len(sorted)/cuts])
		}
		edges = slices.Compact(edges)
		bins := make([]uint8, len(xs))
		for i, x := range xs {
			bins[i] = uint8(sort.Search(len(edges), func(k int) bool { return edges[k] > x }))
		}
		t.cuts, t.bins = append(t.cuts, edges), append(t.bins, bins)
	}
	return t
}

// grow fills node i and what is below it.
func (t *trainer) grow(tree Tree, i, depth int, rows []int) {
	sum := 0.0
	for _, r := range rows {
		sum += t.residual[r]
	}
	feature, cut := -1, 0
	if depth > 0 {
		feature, cut = t.split(rows, sum)
	}
	if feature < 0 {
		tree[i] = Node{Feature: -1, Value: rate * sum / max(1, float64(len(rows)))}
		return
	}
	tree[i] = Node{Feature: feature, Below: t.cuts[feature][cut]}
	var left, right []int
	for _, r := range rows {
		if int(t.bins[feature][r]) <= cut {
			left = append(left, r)
		} else {
			right = append(right, r)
		}
	}
	t.grow(tree, 2*i+1, depth-1, left)
	t.grow(tree, 2*i+2, depth-1, right)
}

// split finds the cut that lowers the squared error most; -1 if none does.
func (t *trainer) split(rows []int, sum float64) (feature, cut int) {
	feature = -1
	n := float64(len(rows))
	best := sum * sum / n * (1 + 1e-9)
	for f, edges := range t.cuts {
		var sums, counts [cuts]float64
		for _, r := range rows {
			b := t.bins[f][r]
			sums[b] += t.residual[r]
			counts[b]++
		}
		leftSum, leftRows := 0.0, 0.0
		for c := range edges {
			leftSum, leftRows = leftSum+sums[c], leftRows+counts[c]
			if leftRows < leafRows || n-leftRows < leafRows {
				continue
			}
			rest := sum - leftSum
			if gain := leftSum*leftSum/leftRows + rest*rest/(n-leftRows); gain > best {
				best, feature, cut = gain, f, c
			}
		}
	}
	return feature, cut
}

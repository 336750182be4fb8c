package main

import (
	"math"
	"slices"
	"sort"
)

// loss is what a model is trained for and judged by.
type loss int

const (
	absolute    loss = iota // trained by least squares, judged by the mean absolute error
	squared                 // by the root of the mean square
	logarithmic             // by the logarithmic loss of a probability
)

const (
	trees     = 60
	depth     = 5
	rate      = 0.1
	cuts      = 64
	leafRows  = 20
	smoothing = 20 // rows of the mean that a category's own mean is pulled by
)

// model is boosted regression trees (Friedman 2001, with histogram splits). A
// category is replaced by the mean of the target in it.
type model struct {
	loss  loss
	means [][]float64 // by column and category; nil for numbers
	start float64
	trees [][]node
}

// node of a tree in an array: the children of i are 2i+1 and 2i+2.
type node struct {
	column int // -1: a leaf
	below  float64
	value  float64
}

func train(s *stream, rows []row, t int) *model {
	m := &model{loss: s.targets[t].loss, means: make([][]float64, len(s.columns))}
	y := make([]float64, len(rows))
	for i, r := range rows {
		y[i] = r.y[t]
		m.start += y[i] / float64(len(y))
	}
	for c, column := range s.columns {
		if column.categories != nil {
			m.means[c] = categoryMeans(rows, y, c, len(column.categories), m.start)
		}
	}
	if m.loss == logarithmic {
		p := min(max(m.start, 0.01), 0.99)
		m.start = math.Log(p / (1 - p))
	}
	b := newBooster(m, rows)
	score := slices.Repeat([]float64{m.start}, len(rows))
	all := make([]int32, len(rows))
	for i := range all {
		all[i] = int32(i)
	}
	for range trees {
		for i := range y {
			b.gradient[i], b.curvature[i] = y[i]-score[i], 1
			if m.loss == logarithmic {
				p := sigmoid(score[i])
				b.gradient[i], b.curvature[i] = y[i]-p, p*(1-p)
			}
		}
		tree := slices.Repeat([]node{{column: -1}}, 1<<(depth+1)-1)
		b.grow(tree, 0, depth, slices.Clone(all), score)
		m.trees = append(m.trees, tree)
	}
	return m
}

func categoryMeans(rows []row, y []float64, c, n int, mean float64) []float64 {
	sum, count := make([]float64, n), make([]float64, n)
	for i, r := range rows {
		if k := r.x[c]; k == k {
			sum[int(k)] += y[i]
			count[int(k)]++
		}
	}
	for k := range sum {
		sum[k] = (sum[k] + smoothing*mean) / (count[k] + smoothing)
	}
	return sum
}

func (m *model) value(r *row, c int) float64 {
	x := r.x[c]
	if m.means[c] == nil || x != x {
		return x
	}
	return m.means[c][int(x)]
}

func (m *model) predict(r *row) float64 {
	y := m.start
	for _, t := range m.trees {
		i := 0
		for t[i].column >= 0 {
			if m.value(r, t[i].column) >= t[i].below { // a missing value goes left
				i = 2*i + 2
			} else {
				i = 2*i + 1
			}
		}
		y += t[i].value
	}
	if m.loss == logarithmic {
		return sigmoid(y)
	}
	return y
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// booster holds every value as the index of the first edge above it.
type booster struct {
	edges               [][]float64
	bins                [][]uint8
	gradient, curvature []float64
}

func newBooster(m *model, rows []row) *booster {
	b := &booster{gradient: make([]float64, len(rows)), curvature: make([]float64, len(rows))}
	for c := range m.means {
		xs := make([]float64, len(rows))
		var sorted []float64
		for i := range rows {
			if xs[i] = m.value(&rows[i], c); xs[i] == xs[i] {
				sorted = append(sorted, xs[i])
			}
		}
		slices.Sort(sorted)
		var edges []float64
		for k := 1; k < cuts && len(sorted) > 0; k++ {
			edges = append(edges, sorted[k*len(sorted)/cuts])
		}
		edges = slices.Compact(edges)
		bins := make([]uint8, len(xs))
		for i, x := range xs {
			if x == x {
				bins[i] = uint8(sort.Search(len(edges), func(k int) bool { return edges[k] > x }))
			}
		}
		b.edges, b.bins = append(b.edges, edges), append(b.bins, bins)
	}
	return b
}

// grow fills node i and what is below it, and adds the leaves to the scores.
func (b *booster) grow(tree []node, i, depth int, rows []int32, score []float64) {
	g, h := 0.0, 0.0
	for _, r := range rows {
		g, h = g+b.gradient[r], h+b.curvature[r]
	}
	column, cut := -1, 0
	if depth > 0 {
		column, cut = b.split(rows, g, h)
	}
	if column < 0 {
		tree[i] = node{column: -1, value: rate * g / (h + 1)}
		for _, r := range rows {
			score[r] += tree[i].value
		}
		return
	}
	tree[i] = node{column: column, below: b.edges[column][cut]}
	var left, right []int32
	for _, r := range rows {
		if int(b.bins[column][r]) <= cut {
			left = append(left, r)
		} else {
			right = append(right, r)
		}
	}
	b.grow(tree, 2*i+1, depth-1, left, score)
	b.grow(tree, 2*i+2, depth-1, right, score)
}

// split finds the cut that gains most; -1 if none does.
func (b *booster) split(rows []int32, g, h float64) (column, cut int) {
	column = -1
	best := g*g/(h+1)*(1+1e-9) + 1e-9
	for c, edges := range b.edges {
		var gs, hs [cuts]float64
		var counts [cuts]int
		bins := b.bins[c]
		for _, r := range rows {
			k := bins[r]
			gs[k] += b.gradient[r]
			hs[k] += b.curvature[r]
			counts[k]++
		}
		lg, lh, ln := 0.0, 0.0, 0
		for k := range edges {
			lg, lh, ln = lg+gs[k], lh+hs[k], ln+counts[k]
			if ln < leafRows || len(rows)-ln < leafRows {
				continue
			}
			if gain := lg*lg/(lh+1) + (g-lg)*(g-lg)/(h-lh+1); gain > best {
				best, column, cut = gain, c, k
			}
		}
	}
	return column, cut
}

// judge is the error of predictions for the rows that are chosen.
func judge(l loss, predicted []float64, rows []row, t int, chosen []int) float64 {
	sum := 0.0
	for _, i := range chosen {
		p, y := predicted[i], rows[i].y[t]
		switch l {
		case absolute:
			sum += math.Abs(p - y)
		case squared:
			sum += (p - y) * (p - y)
		default:
			p = min(max(p, 1e-6), 1-1e-6)
			sum -= y*math.Log(p) + (1-y)*math.Log(1-p)
		}
	}
	sum /= float64(len(chosen))
	if l == squared {
		return math.Sqrt(sum)
	}
	return sum
}

package simulate

import "math"

// Column is what the rules know of a column: the rows of the training data in
// each bin.
type Column struct {
	reference []float64
	logs      []float64 // x(R), or x(0.5) where R is 0
	rows      float64   // of the reference
	share     []float64
	terms     [][]float64 // of whole effective rows, as far as they were needed

	ranks  []float64 // mean rank of a bin less a half, 0 where there is no value
	spread float64   // their variance; 0: the rank test is not for this column
}

// rankable, as in rules/rank.go, is the least variance of ranks for the rank test: nine tenths of that
// of values that are all different. The sum of fewer distinct ones is no normal
// deviate in a small window.
const rankable = 0.9 / 12

// NewOrdered takes the rows of the training data by bin, and the mean rank of each
// bin (0 to 1, NaN where there is no value), which only numbers have: nil is
// NewColumn.
func NewOrdered(reference, ranks []float64) *Column {
	c := NewColumn(reference)
	c.ranks = make([]float64, len(ranks))
	for b, r := range ranks {
		if !math.IsNaN(r) {
			c.ranks[b] = r - 0.5
		}
		c.spread += c.share[b] * c.ranks[b] * c.ranks[b]
	}
	if c.spread < rankable {
		c.spread = 0
	}
	return c
}

// ranked says that the rank test is for this column.
func (c *Column) ranked() bool { return c.spread > 0 }

// meanRank is that of the rows, less that of the training data.
func (c *Column) meanRank(live []float64) float64 {
	sum := 0.0
	for b, n := range live {
		sum += n * c.ranks[b]
	}
	return sum / total(live)
}

// Rank is the square of the normal deviate of the mean rank: the two-sample
// Wilcoxon statistic on bins, a χ² of one degree of freedom. 0 where ranks don't tell.
func (c *Column) Rank(live []float64, clustering float64) float64 {
	if !c.ranked() {
		return 0
	}
	mean, rows := c.meanRank(live), total(live)/clustering
	return mean * mean / c.spread * rows / (1 + rows/c.rows)
}

// RankBetween is the same of two windows of the column.
func (c *Column) RankBetween(a, b []float64) float64 {
	if !c.ranked() {
		return 0
	}
	moved, rows := c.meanRank(a)-c.meanRank(b), total(a)
	return moved * moved / c.spread * rows / (1 + rows/total(b))
}

// NewColumn takes the rows of the training data by bin.
func NewColumn(reference []float64) *Column {
	c := &Column{reference: reference, logs: make([]float64, len(reference)), share: make([]float64, len(reference))}
	for _, r := range reference {
		c.rows += r
	}
	for b, r := range reference {
		c.share[b] = r / c.rows
		c.logs[b] = xlogx(c.filled(b))
	}
	c.terms = make([][]float64, len(reference))
	return c
}

// filled is R: half a row where the training data has none.
func (c *Column) filled(b int) float64 {
	if c.reference[b] > 0 {
		return c.reference[b]
	}
	return 0.5
}

// G is the two-sample statistic of live counts, divided by their clustering,
// against the training data, and its degrees of freedom.
func (c *Column) G(live []float64, clustering float64) (g, df float64) {
	var rows, reference float64
	for b, n := range live {
		switch {
		case n > 0:
			g += c.term(b, n, clustering)
			rows += n / clustering
			reference += c.filled(b)
			df++
		case c.reference[b] > 0:
			reference += c.reference[b]
			df++
		}
	}
	g -= xlogx(rows) + xlogx(reference) - xlogx(rows+reference)
	return 2 * g, max(df-1, 1)
}

// remembered is how many rows of a bin have their term remembered.
const remembered = 1 << 14

// term is x(e) + x(R) - x(e+R) of a bin with rows in it.
func (c *Column) term(b int, n, clustering float64) float64 {
	if clustering != 1 || n >= remembered || n != math.Trunc(n) {
		return xlogx(n/clustering) + c.logs[b] - xlogx(n/clustering+c.filled(b))
	}
	known := c.terms[b]
	for len(known) <= int(n) {
		e := float64(len(known))
		known = append(known, xlogx(e)+c.logs[b]-xlogx(e+c.filled(b)))
	}
	c.terms[b] = known
	return known[int(n)]
}

// Distance is the Jensen-Shannon distance (base 2) of live counts.
func (c *Column) Distance(live []float64) float64 {
	var rows, sum float64
	for _, n := range live {
		rows += n
	}
	for b, n := range live {
		p, q := n/rows, c.share[b]
		sum += plogp(p) + plogp(q) - (p+q)*math.Log(max((p+q)/2, 1e-12))
	}
	return math.Sqrt(max(sum/(2*math.Ln2), 0))
}

// Between is G of two windows of the same column, and its degrees of freedom.
func Between(a, b []float64) (g, df float64) {
	var rowsA, rowsB float64
	for i := range a {
		if a[i]+b[i] > 0 {
			g += xlogx(a[i]) + xlogx(b[i]) - xlogx(a[i]+b[i])
			df++
		}
		rowsA, rowsB = rowsA+a[i], rowsB+b[i]
	}
	g -= xlogx(rowsA) + xlogx(rowsB) - xlogx(rowsA+rowsB)
	return 2 * g, df - 1
}

func xlogx(x float64) float64 { return x * math.Log(max(x, 1e-9)) }
func plogp(x float64) float64 { return x * math.Log(max(x, 1e-12)) }

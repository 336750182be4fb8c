package atlas

import "math"

// filled is the part's errors with those that are missing put in: a level of
// the version plus a level of the data set, fitted to what is known by least
// squares. Rows and columns are those of the part, which has to hang together.
//
// Without it a version that was measured on the hard data sets only would look
// bad for that.
func filled(log [][]float64, p part) [][]float64 {
	out := make([][]float64, len(p.versions))
	missing := false
	for a, i := range p.versions {
		out[a] = make([]float64, len(p.datasets))
		for b, j := range p.datasets {
			out[a][b] = log[i][j]
			missing = missing || !known(log[i][j])
		}
	}
	if !missing {
		return out
	}
	level := levels(out)
	for _, row := range out {
		n, sum := 0.0, 0.0
		for b, x := range row {
			if known(x) {
				n, sum = n+1, sum+x-level[b]
			}
		}
		for b, x := range row {
			if !known(x) {
				row[b] = sum/n + level[b]
			}
		}
	}
	return out
}

// levels are the data sets' in the fit of version plus data set, the first being
// 0: the normal equations with the versions' levels eliminated.
func levels(x [][]float64) []float64 {
	m := len(x[0])
	a := make([][]float64, m)
	for b := range a {
		a[b] = make([]float64, m+1) // the last is the right side
	}
	for _, row := range x {
		n, sum := 0.0, 0.0
		for _, v := range row {
			if known(v) {
				n, sum = n+1, sum+v
			}
		}
		for b, v := range row {
			if !known(v) {
				continue
			}
			a[b][b]++
			a[b][m] += v - sum/n
			for c, w := range row {
				if known(w) {
					a[b][c] -= 1 / n
				}
			}
		}
	}
	for c := range a[0] {
		a[0][c] = 0
	}
	a[0][0] = 1
	return solve(a)
}

// solve solves linear equations, the right side being the last column, by
// Gaussian elimination with partial pivoting. It changes a.
func solve(a [][]float64) []float64 {
	n := len(a)
	for c := range n {
		p := c
		for r := c + 1; r < n; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[p][c]) {
				p = r
			}
		}
		a[c], a[p] = a[p], a[c]
		for r := c + 1; r < n; r++ {
			f := a[r][c] / a[c][c]
			if f == 0 {
				continue
			}
			for k := c; k <= n; k++ {
				a[r][k] -= f * a[c][k]
			}
		}
	}
	x := make([]float64, n)
	for r := n - 1; r >= 0; r-- {
		sum := a[r][n]
		for k := r + 1; k < n; k++ {
			sum -= a[r][k] * x[k]
		}
		x[r] = sum / a[r][r]
	}
	return x
}

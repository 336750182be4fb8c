package atlas

import (
	"errors"
	"fmt"
	"math"
)

// ErrTable says that a table is not well formed.
var ErrTable = errors.New("not a valid table of errors")

// Table holds the errors of versions on data sets.
type Table struct {
	// Error[i][j] is the error of version i on data set j, above 0, lower being
	// better; NaN where it was not measured.
	Error [][]float64
	// Apart[j][k] is how far the rows of data set k lie from those of data set
	// j, on the bins of j. It is finite.
	Apart [][]float64
	// Trained[i][j] says that version i was trained on rows of data set j, or
	// of the same time. Nil: version i on data set i, where there is one.
	Trained [][]bool
}

// minVersions and minDatasets are what a comparison of anything needs: a version
// measured on fewer data sets is left out.
const (
	minVersions = 2
	minDatasets = 3
)

func (t *Table) check() error {
	n, m := len(t.Error), len(t.Apart)
	if t.Trained != nil && len(t.Trained) != n {
		return fmt.Errorf("%w: %d rows of errors, %d of what was trained on", ErrTable, n, len(t.Trained))
	}
	for i, row := range t.Error {
		if len(row) != m {
			return fmt.Errorf("%w: version %d has %d errors for %d data sets", ErrTable, i, len(row), m)
		}
		for j, e := range row {
			if !math.IsNaN(e) && !(e > 0 && !math.IsInf(e, 0)) {
				return fmt.Errorf("%w: the error of version %d on data set %d is %g", ErrTable, i, j, e)
			}
		}
		if t.Trained != nil && len(t.Trained[i]) != m {
			return fmt.Errorf("%w: version %d has %d marks for %d data sets", ErrTable, i, len(t.Trained[i]), m)
		}
	}
	for j, row := range t.Apart {
		if len(row) != m {
			return fmt.Errorf("%w: data set %d has %d distances to %d data sets", ErrTable, j, len(row), m)
		}
		for k, d := range row {
			if math.IsNaN(d) || math.IsInf(d, 0) || d < 0 {
				return fmt.Errorf("%w: data set %d is %g from data set %d", ErrTable, k, d, j)
			}
		}
	}
	return nil
}

func (t *Table) trained(i, j int) bool {
	if t.Trained == nil {
		return i == j
	}
	return t.Trained[i][j]
}

// logs are the logarithms of the errors.
func (t *Table) logs() [][]float64 {
	out := make([][]float64, len(t.Error))
	for i, row := range t.Error {
		out[i] = make([]float64, len(row))
		for j, e := range row {
			out[i][j] = math.Log(e)
		}
	}
	return out
}

// part is some of a table's versions and data sets, by their indices.
type part struct{ versions, datasets []int }

// usable is the largest part in which every version was measured on at least so
// many data sets, every data set has at least two versions, and every version
// can be compared with every other, if only by way of third ones.
func usable(log [][]float64, p part, least int) part {
	for {
		var next part
		for _, i := range p.versions {
			if count(len(p.datasets), func(j int) bool { return known(log[i][p.datasets[j]]) }) >= least {
				next.versions = append(next.versions, i)
			}
		}
		for _, j := range p.datasets {
			if count(len(next.versions), func(i int) bool { return known(log[next.versions[i]][j]) }) >= minVersions {
				next.datasets = append(next.datasets, j)
			}
		}
		if len(next.versions) == len(p.versions) && len(next.datasets) == len(p.datasets) {
			return connected(log, next)
		}
		p = next
	}
}

// connected is the part's largest set of versions and data sets that hang
// together; of equal ones that with the lowest version.
func connected(log [][]float64, p part) part {
	var best part
	seen := map[int]bool{}
	for _, first := range p.versions {
		if seen[first] {
			continue
		}
		if c := reach(log, p, first, seen); len(c.versions) > len(best.versions) {
			best = c
		}
	}
	return best
}

func reach(log [][]float64, p part, first int, seen map[int]bool) part {
	in := map[int]bool{}
	seen[first] = true
	for queue := []int{first}; len(queue) > 0; {
		i := queue[0]
		queue = queue[1:]
		for _, j := range p.datasets {
			if in[j] || !known(log[i][j]) {
				continue
			}
			in[j] = true
			for _, other := range p.versions {
				if !seen[other] && known(log[other][j]) {
					seen[other] = true
					queue = append(queue, other)
				}
			}
		}
	}
	var c part
	for _, i := range p.versions {
		for _, j := range p.datasets {
			if in[j] && known(log[i][j]) {
				c.versions = append(c.versions, i)
				break
			}
		}
	}
	for _, j := range p.datasets {
		if in[j] {
			c.datasets = append(c.datasets, j)
		}
	}
	return c
}

func known(x float64) bool { return !math.IsNaN(x) }

func count(n int, is func(int) bool) (sum int) {
	for i := range n {
		if is(i) {
			sum++
		}
	}
	return sum
}

package profile

import (
	"cmp"
	"slices"
)

// Values are the values of a column of numbers in ascending order, wherever
// they are kept. Nobody needs to hold them all to describe them: a few of their
// ranks are enough.
type Values interface {
	// Len is how many there are.
	Len() int64
	// Find returns the run of each rank, from 0 to Len−1.
	Find(ranks []int64) ([]Run, error)
}

// Run is a distinct value, how many values are smaller, and how many equal it.
type Run struct {
	Value        float64
	Below, Count int64
}

// end is the first rank behind the run.
func (r Run) end() int64 { return r.Below + r.Count }

// Runs are Values held as their distinct ones, ascending, each Below the end of
// the one before.
type Runs []Run

// RunsOf lists the runs of ascending values. −0 is 0.
func RunsOf(ascending []float64) Runs {
	var list Runs
	for i, v := range ascending {
		if n := len(list); n > 0 && list[n-1].Value == v {
			list[n-1].Count++
		} else {
			list = append(list, Run{v + 0, int64(i), 1})
		}
	}
	return list
}

// Len implements Values.
func (r Runs) Len() int64 {
	if len(r) == 0 {
		return 0
	}
	return r[len(r)-1].end()
}

// Find implements Values; it returns no error.
func (r Runs) Find(ranks []int64) ([]Run, error) {
	found := make([]Run, len(ranks))
	for i, rank := range ranks {
		at, _ := slices.BinarySearchFunc(r, rank, func(r Run, rank int64) int {
			return cmp.Compare(r.end()-1, rank)
		})
		found[i] = r[at]
	}
	return found, nil
}

// rankOf is how many of n values the i-th quantile stands for: i/1024, rounded
// up.
func rankOf(i int, n int64) int64 {
	const steps = QuantileCount - 1
	return n/steps*int64(i) + (n%steps*int64(i)+steps-1)/steps
}

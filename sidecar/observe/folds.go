package observe

import (
	"slices"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/profile/summary"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// folds are values that are counted by less than they are, and were not told of yet.
type folds struct {
	vector, size, column int64
	categories           int64 // that were told of, of those that the recorders count
}

func (f *folds) add(fold protocol.Fold, n int) {
	if fold == protocol.ToVector {
		f.vector += int64(n)
	} else {
		f.size += int64(n)
	}
}

// take tells of all; categories is what the recorders have counted so far.
func (f *folds) take(categories int64, tell func(metrics.Fold, int64)) {
	told := func(fold metrics.Fold, n int64) {
		if n > 0 {
			tell(fold, n)
		}
	}
	told(metrics.Vector, f.vector)
	told(metrics.Size, f.size)
	told(metrics.Column, f.column)
	told(metrics.Category, categories-f.categories)
	*f = folds{categories: categories}
}

// summarised adds the name of the value that a column sums up, if it does.
func summarised(names []string, column string) []string {
	if value, _, ok := summary.Split(column); ok && !slices.Contains(names, value) {
		return append(names, value)
	}
	return names
}

// classColumns are the predictions whose highest the last one is; nil where it is something else.
func classColumns(predictions []profile.Column) (list []int) {
	last := len(predictions) - 1
	if last < 0 || predictions[last].Name != summary.Highest {
		return nil
	}
	for i, c := range predictions[:last] {
		if _, _, sum := summary.Split(c.Name); c.Type == profile.Number && !sum {
			list = append(list, i)
		}
	}
	return list
}

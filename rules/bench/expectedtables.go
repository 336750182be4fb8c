package main

import (
	"fmt"
	"math"
)

// deviations are absolute, of an estimate from the truth, in one repeat after
// the other.
type deviations struct{ ours, theirs, difference repeats }

// repeats are means, one for each repeat.
type repeats struct {
	sums, counts []float64
}

func (r *repeats) add(repeat int, x float64) {
	for len(r.sums) <= repeat {
		r.sums, r.counts = append(r.sums, 0), append(r.counts, 0)
	}
	r.sums[repeat] += x
	r.counts[repeat]++
}

// mean over the repeats, and its standard error.
func (r *repeats) mean() (mean, stderr float64) {
	var sum, squares, n float64
	for i, s := range r.sums {
		if r.counts[i] > 0 {
			x := s / r.counts[i]
			sum, squares, n = sum+x, squares+x*x, n+1
		}
	}
	mean = sum / n
	return mean, math.Sqrt(max(squares/n-mean*mean, 0) / max(n-1, 1))
}

// expectedTables add up deviations by what they are of.
type expectedTables struct {
	order []expectedKey
	cells map[expectedKey]*deviations
}

type expectedKey struct {
	group, classifier, shift string
	calibrated               bool
}

func (t *expectedTables) add(repeat int, c expectedCase) {
	if t.cells == nil {
		t.cells = map[expectedKey]*deviations{}
	}
	for _, w := range c.Windows {
		ours, theirs := math.Abs(w.ours.expected-w.True), math.Abs(w.CBPE-w.True)
		key := expectedKey{c.Group, c.Classifier, w.Shift, c.Calibrated}
		d := t.cells[key]
		if d == nil {
			d = &deviations{}
			t.cells[key] = d
			t.order = append(t.order, key)
		}
		d.ours.add(repeat, ours)
		d.theirs.add(repeat, theirs)
		d.difference.add(repeat, ours-theirs)
	}
}

func (t *expectedTables) print(b *bench) {
	fmt.Print("\n### Expected error\n\n| data | classifier | calibrated | shift | Leeway | CBPE | difference |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, key := range t.order {
		d := t.cells[key]
		ours, _ := d.ours.mean()
		theirs, _ := d.theirs.mean()
		diff, stderr := d.difference.mean()
		fmt.Printf("| %s | %s | %v | %s | %.4f | %.4f | %+.4f ± %.4f |\n", key.group, key.classifier, key.calibrated, key.shift, ours, theirs, diff, stderr)
	}
}

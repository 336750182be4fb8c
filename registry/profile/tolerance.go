package profile

import (
	"math"
	"slices"
	"time"
)

// Tolerance is how far data of a length of time may lie from a reference and
// still be of its kind.
type Tolerance struct {
	// Mean is of the mean over the columns.
	Mean float64
	// Typical is the median: half of the blocks lay within it.
	Typical float64
	// Windows are the lengths that were measured and used: one, or the two
	// between which it is interpolated. They are not to be changed.
	Windows []string

	first, second []float64 // limits of the columns
	weight        float64   // of the first in squares
	shorter       shorterWindow
	part          float64
}

// Tolerance is what blocks of the training rows showed, 95% for the mean; it is
// at least MinTolerance, of a column MinColumnTolerance. For less than the shortest
// length measured the shortest's is taken: shorter windows may lie further, so it
// errs by refusing. Longer ones lie nearer, so beyond twice the longest nothing is
// known, and ok is false; as it is where no blocks were measured.
//
// Between two lengths the mean's is interpolated by the logarithm of the length. A
// column's allows for cycles, for blocks of seven days all hold the same weekdays:
// squares of distances are interpolated as that of a weekday would fall with the
// length, and a window that is longer than a block by a part of one may lie
// further by what that part makes of a weekday, as far as shorter blocks allow
// that the column is one (see cycle and cyclic).
func (r *Reference) Tolerance(length time.Duration) (t Tolerance, ok bool) {
	var known []int
	for i, w := range r.windows {
		if w.alone != nil {
			known = append(known, i)
		}
	}
	if length <= 0 || len(known) == 0 || length > 2*r.windows[known[len(known)-1]].length {
		return Tolerance{}, false
	}
	upper := slices.IndexFunc(known, func(i int) bool { return r.windows[i].length >= length })
	switch {
	case upper < 0:
		upper = len(known) - 1
		fallthrough
	case upper == 0 || r.windows[known[upper]].length == length:
		return r.toleranceAt(known[upper], known[upper], length), true
	}
	return r.toleranceAt(known[upper-1], known[upper], length), true
}

// toleranceAt is that of one window, or between two.
func (r *Reference) toleranceAt(a, b int, length time.Duration) Tolerance {
	first, second := &r.windows[a], &r.windows[b]
	t := Tolerance{Windows: first.alone, first: first.limits, second: second.limits, weight: 1}
	share := 0.0 // of the second window
	if a != b {
		from, to, at := first.length.Hours(), second.length.Hours(), length.Hours()
		t.Windows = second.pair
		share = math.Log(at/from) / math.Log(to/from)
		t.weight = cycle(at/to) / cycle(from/to)
	}
	t.Mean = first.tolerance*(1-share) + second.tolerance*share
	t.Typical = first.typical*(1-share) + second.typical*share
	t.shorter, t.part = r.over(a, length)
	return t
}

// Column is the tolerance of the i-th column.
func (t *Tolerance) Column(i int) float64 {
	x, y := t.first[i], t.second[i]
	if x < 0 || y < 0 { // of this column one is not known
		x = max(x, y)
		y = x
	}
	if x < 0 {
		return 1
	}
	square := t.weight*x*x + (1-t.weight)*y*y
	if t.part > 0 {
		square += t.part * t.shorter.cyclic(i, x)
	}
	return min(math.Sqrt(square), 1)
}

// shorterWindow is the next shorter window than one, if there is one.
type shorterWindow struct {
	limits []float64 // nil: there is none
	cycle  float64   // what a weekday is away in it, squared, if the longer is a week
}

// over says what the part of a window that is over whole ones of the a-th length
// makes of a weekday, and what is known of shorter ones.
func (r *Reference) over(a int, length time.Duration) (s shorterWindow, part float64) {
	if length <= r.windows[a].length {
		return s, 0
	}
	for k := a - 1; k >= 0 && s.limits == nil; k-- {
		if w := r.windows[k]; w.alone != nil {
			s = shorterWindow{w.limits, cycle(w.length.Hours() / r.windows[a].length.Hours())}
		}
	}
	return s, cycle(length.Hours() / r.windows[a].length.Hours())
}

// cyclic is the most of a column, from 0 to 1, that may be a cycle as long as a
// window in which the column's tolerance is x: the fall from the shorter window to
// that one, over that of a weekday. Without a shorter one it is 1.
func (s shorterWindow) cyclic(column int, x float64) float64 {
	if s.limits == nil || s.limits[column] < 0 {
		return 1
	}
	y := s.limits[column]
	return min(max(y*y-x*x, 0)/s.cycle, 1)
}

// cycle is the square of the distance between a window and all time, of a column
// that says where in a cycle it is (a weekday), when the window is so many
// cycles long: the Jensen–Shannon divergence to base 2. Of n cycles and a part r
// the share r of the values is there n+1 times, the others n times. It is 0 for
// whole cycles, 0.69 for a seventh of one, and from one cycle on at most 0.023.
func cycle(length float64) float64 {
	whole, part := math.Modf(length)
	d := jensenShannon([]float64{part, 1 - part}, []float64{part * (whole + 1) / length, (1 - part) * whole / length})
	return d * d
}

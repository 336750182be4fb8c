package atlas

import (
	"math"
	"slices"
)

// The gate: with at least so many data sets, at least so much of the order of the
// versions explained by inputs, and that in enough of the data sets to be no
// chance (the mean of what each gains by it over its standard error), they may be
// switched by. On 12 months of flights the target that inputs tell about had an
// R2 of 0.5 to 0.8, those that they don't at most 0.3; with fewer data sets both
// overlap, and R2 alone opened one gate in six of a stream whose inputs tell
// nothing (make bench-match).
const (
	GateDatasets = 8
	GateR2       = 0.25
	GateT        = 2
)

// widths that a kernel may have, in units of the distance; with +Inf all data
// sets count alike, whatever they look like.
var widths = [...]float64{.005, .01, .02, .04, .08, .16, math.Inf(1)}

// rounding is how large a square of differences of logarithms may be for being
// computed with floating point.
const rounding = 1e-20

// Gate says whether inputs may be switched by.
type Gate string

// The states of the gate.
const (
	// NoGate: too few data sets to tell. The distance ranks.
	NoGate Gate = "no_gate"
	// Open: inputs order the versions of this model.
	Open Gate = "open"
	// Closed: they don't, or not enough.
	Closed Gate = "closed"
)

// Atlas is what was learned from a table.
type Atlas struct {
	// Gate says how far to trust the predictions.
	Gate Gate
	// Datasets that could be left out and predicted.
	Datasets int
	// R2 is the share of what the plain mean over the data sets leaves of the
	// versions' order that the kernel explains, 0 to 1, leaving data sets out.
	R2 float64
	// T is the mean over the data sets of what each gains by that, over its
	// standard error; 0 where there is no gain.
	T float64
	// Width of the kernel that predicts windows, +Inf where all data sets count
	// alike. It is twice that which predicts data sets best: the profile of some
	// hours or days is further from its data set than that from itself.
	Width float64
	// S is the standard error of a difference between two versions that is
	// predicted by that kernel, in logarithms.
	S float64

	part     part
	log      [][]float64 // of the part, filled
	measured [][]float64 // of the whole table, NaN where it was not
}

// Fit learns from a table. With too little to learn from the result has no
// version, NoGate and no data sets. The error wraps ErrTable.
func Fit(t Table) (*Atlas, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	log := t.logs()
	all := part{versions: upTo(len(t.Error)), datasets: upTo(len(t.Apart))}
	a := &Atlas{Gate: NoGate, Width: math.Inf(1), part: usable(log, all, minDatasets), measured: log}
	if len(a.part.versions) < minVersions {
		a.part = part{}
		return a, nil
	}
	a.log = filled(log, a.part)
	a.leaveOut(&t, log)
	if a.Datasets >= GateDatasets {
		if a.Gate = Closed; a.R2 >= GateR2 && a.T >= GateT {
			a.Gate = Open
		}
	}
	return a, nil
}

// leaveOut predicts every data set from the others and the versions that were
// not trained on it, and takes the width that does best; of equal ones the wider.
func (a *Atlas) leaveOut(t *Table, log [][]float64) {
	const plain = len(widths) - 1
	var missed [len(widths)][]float64 // by width and data set
	var total, spread [len(widths)]float64
	for _, k := range a.part.datasets {
		f, ok := newFold(t, log, a.part, k)
		if !ok {
			continue
		}
		a.Datasets++
		for h, width := range widths {
			sum := f.missed(width)
			missed[h] = append(missed[h], sum)
			total[h] += sum
			spread[h] += sum / float64(len(f.truth))
		}
	}
	if total[plain] <= rounding*float64(a.Datasets) { // nothing is left to explain
		return
	}
	best := plain
	for h := plain - 1; h >= 0; h-- {
		if total[h] < total[best] {
			best = h
		}
	}
	a.R2 = 1 - total[best]/total[plain]
	a.T = significance(missed[plain], missed[best])
	used := min(best+1, plain)
	a.Width = widths[used]
	a.S = math.Sqrt(2 * spread[used] / float64(a.Datasets))
}

// significance is the mean of the differences over its standard error.
func significance(before, after []float64) float64 {
	n, mean, squares := float64(len(before)), 0.0, 0.0
	for i := range before {
		mean += (before[i] - after[i]) / n
	}
	for i := range before {
		squares += (before[i] - after[i] - mean) * (before[i] - after[i] - mean)
	}
	if squares <= rounding {
		return 0
	}
	return mean / math.Sqrt(squares/(n-1)/n)
}

// fold is one data set left out.
type fold struct {
	truth    []float64   // of the versions, centred
	log      [][]float64 // of the same versions on the other data sets
	distance []float64   // of the one left out from the others
}

func newFold(t *Table, log [][]float64, p part, k int) (fold, bool) {
	rest := part{}
	for _, i := range p.versions {
		if !t.trained(i, k) {
			rest.versions = append(rest.versions, i)
		}
	}
	for _, j := range p.datasets {
		if j != k {
			rest.datasets = append(rest.datasets, j)
		}
	}
	rest = usable(log, rest, 1)
	var f fold
	if len(rest.versions) < minVersions || len(rest.datasets) < minDatasets-1 {
		return f, false
	}
	for at, row := range filled(log, rest) {
		if truth := log[rest.versions[at]][k]; known(truth) {
			f.truth, f.log = append(f.truth, truth), append(f.log, row)
		}
	}
	if len(f.truth) < minVersions {
		return f, false
	}
	for _, j := range rest.datasets {
		f.distance = append(f.distance, t.Apart[j][k])
	}
	centre(f.truth)
	return f, true
}

// missed is the sum over the versions of the squared difference between what
// was and what a kernel of that width predicts, both centred.
func (f *fold) missed(width float64) (sum float64) {
	p := predict(f.log, f.distance, width)
	centre(p)
	for i := range p {
		sum += (f.truth[i] - p[i]) * (f.truth[i] - p[i])
	}
	return sum
}

// predict is, for each version, the mean of its logarithms over the data sets,
// weighted by exp(-(d - min d)/width).
func predict(log [][]float64, distance []float64, width float64) []float64 {
	nearest := slices.Min(distance)
	weights := make([]float64, len(distance))
	total := 0.0
	for j, d := range distance {
		weights[j] = math.Exp(-(d - nearest) / width)
		total += weights[j]
	}
	out := make([]float64, len(log))
	for i, row := range log {
		for j, x := range row {
			out[i] += weights[j] / total * x
		}
	}
	return out
}

func centre(x []float64) {
	mean := 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for i := range x {
		x[i] -= mean
	}
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

package atlas

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// What a switch needs: a predicted gain of at least 2 %, and of 1.64 standard
// errors of a predicted difference (one-sided 95 %). Where labels were blended
// in: 5 %, for what they say of one week need not hold in the next.
const (
	minGain       = 0.02
	minLabelsGain = 0.05
	oneSided      = 1.64
)

// Nor is a prediction enough that is right on average: of the data sets most like
// the window, at most so many and none further than the nearest by more than the
// kernel's width, the version has to have been better on every one. Where the
// newest data sets and the old ones of the same season say opposite things, as
// with a demand that grows, that is what tells (make bench-match).
const likeDatasets = 5

// MinSpan is the least time that labelled rows have to span to be believed: what
// one day's labels say of the next is wrong too often.
const MinSpan = 5 * 24 * time.Hour

// A prediction weighs as much as so many labelled rows: as have its variance,
// S^2/2, where the errors of single rows differ by their mean and ten rows in a
// row tell as much as one; but at most maxWorth.
const (
	worthOfVariance = 10
	maxWorth        = 1000
)

// worth of a prediction in labelled rows.
func (a *Atlas) worth() float64 {
	if a.S == 0 {
		return maxWorth
	}
	return min(maxWorth, worthOfVariance/(a.S*a.S/2))
}

// Labels are what labelled rows of the window say.
type Labels struct {
	// Rows is how many there are, Span the time between the first and the last.
	Rows int64
	Span time.Duration
	// Error of each version on them, in the table's order; NaN where it was not
	// measured.
	Error []float64
}

// Prediction is what the atlas says of one window.
type Prediction struct {
	// Log is the predicted logarithm of each version's error, in the table's
	// order; NaN where too little was measured of it.
	Log []float64
	// Labelled says that labels were blended in.
	Labelled bool
	// MinGain is the least difference in Log that a switch needs; +Inf where
	// nothing may be switched by.
	MinGain float64

	like [][]float64 // by version, logarithms on the data sets most like the window
}

// Predict predicts the versions' errors on a window from its distance to every
// data set of the table. Labels may be nil; they are used when they span
// MinSpan, and for the versions that they tell of.
func (a *Atlas) Predict(distance []float64, labels *Labels) (Prediction, error) {
	p := Prediction{MinGain: math.Inf(1)}
	near := make([]float64, len(a.part.datasets))
	for b, j := range a.part.datasets {
		if j >= len(distance) || math.IsNaN(distance[j]) || math.IsInf(distance[j], 0) {
			return p, fmt.Errorf("%w: no distance to data set %d", ErrTable, j)
		}
		near[b] = distance[j]
	}
	if len(a.part.versions) > 0 {
		for b, x := range predict(a.log, near, a.Width) {
			for i := a.part.versions[b]; len(p.Log) <= i; {
				p.Log = append(p.Log, math.NaN())
			}
			p.Log[a.part.versions[b]] = x
		}
	}
	p.like = a.like(near)
	if a.Gate == Open {
		p.MinGain = max(math.Log1p(minGain), oneSided*a.S)
	}
	if labels != nil && labels.Span >= MinSpan && labels.Rows > 0 {
		p.blend(labels, a.worth())
	}
	return p, nil
}

// like are the logarithms measured on the data sets most like the window.
func (a *Atlas) like(distance []float64) [][]float64 {
	order := upTo(len(distance))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(distance[a], distance[b]) })
	order = order[:min(len(order), likeDatasets)]
	out := make([][]float64, len(a.measured))
	for i, row := range a.measured {
		for _, b := range order {
			if distance[b] <= distance[order[0]]+a.Width {
				out[i] = append(out[i], row[a.part.datasets[b]])
			}
		}
	}
	return out
}

// agrees says whether a version was better than another on every one of the data
// sets most like the window on which both were measured, and on one at least.
func (p Prediction) agrees(from, to int) bool {
	both := 0
	for j, x := range p.like[to] {
		if y := p.like[from][j]; known(x) && known(y) {
			if x >= y {
				return false
			}
			both++
		}
	}
	return both > 0
}

// blend takes what labels say of the versions that were predicted too, both
// centred, each by its weight. Others have no prediction any more: they can't
// be compared with these. Where nothing was predicted at all, versions are taken
// to be alike but for the labels.
func (p *Prediction) blend(l *Labels, worth float64) {
	if len(p.Log) == 0 {
		p.Log = make([]float64, len(l.Error))
	}
	var at []int
	var predicted, measured []float64
	for i, e := range l.Error {
		if e > 0 && !math.IsInf(e, 0) && p.has(i) {
			at, predicted, measured = append(at, i), append(predicted, p.Log[i]), append(measured, math.Log(e))
		}
	}
	if len(at) < minVersions {
		return
	}
	level := 0.0
	for _, x := range measured {
		level += x / float64(len(measured))
	}
	centre(predicted)
	centre(measured)
	for i := range p.Log {
		p.Log[i] = math.NaN()
	}
	n := float64(l.Rows)
	for b, i := range at {
		p.Log[i] = level + (n*measured[b]+worth*predicted[b])/(n+worth)
	}
	p.Labelled, p.MinGain = true, math.Log1p(minLabelsGain)
}

// Best is the version with the lowest predicted error among those allowed, -1
// where none was predicted; of equal ones the last.
func (p Prediction) Best(allowed func(int) bool) int {
	best := -1
	for i, x := range p.Log {
		if known(x) && allowed(i) && (best < 0 || x <= p.Log[best]) {
			best = i
		}
	}
	return best
}

// Better says whether to switch from one version to another. Labels of the window
// itself count more than what was on data sets like it.
func (p Prediction) Better(from, to int) bool {
	return p.has(from) && p.has(to) && p.Log[from]-p.Log[to] >= p.MinGain && (p.Labelled || p.agrees(from, to))
}

func (p Prediction) has(i int) bool { return i >= 0 && i < len(p.Log) && known(p.Log[i]) }

// String says in one sentence what inputs are worth to this model.
func (a *Atlas) String() string {
	sets := fmt.Sprintf("%d data sets", a.Datasets)
	if a.Datasets == 1 {
		sets = "1 data set"
	}
	switch a.Gate {
	case Open:
		return fmt.Sprintf("inputs predict quality for this model: R2 = %.2f over %s", a.R2, sets)
	case Closed:
		chance := ""
		if a.R2 >= GateR2 {
			chance = ", which may be chance"
		}
		return fmt.Sprintf("inputs do not predict quality for this model: R2 = %.2f over %s%s", a.R2, sets, chance)
	}
	return fmt.Sprintf("whether inputs predict quality for this model is not known: it could be tried on %s, %d are needed", sets, GateDatasets)
}

package explain

import (
	"fmt"
	"strings"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// verdict gives the verdict on a change again from the two samples of the record,
// and tells from where on each number alone would have made it another.
func verdict(d v1alpha1.ModelDecision) []string {
	before, after := compared(d)
	if before == nil || after == nil || d.Status.VerifiedBy == "" {
		return nil
	}
	b, a := evidence.SampleOf(before), evidence.SampleOf(after)
	was := decide.Compare(b, a)
	if string(was.By) != d.Status.VerifiedBy || was.Outcome == decide.Worse != (d.Status.Outcome != string(decide.OK)) {
		return nil // pods that ended, or were not ready: no sample says so
	}
	var from []string
	for _, k := range knobs(b, a) {
		to, way := k.most, "or more"
		if was.Outcome == decide.Worse {
			to, way = 0, "or less"
		}
		x, turns := turn(k.is, to, func(x float64) bool {
			s := a
			k.set(&s, x)
			return decide.Compare(b, s).Outcome != was.Outcome
		})
		if turns {
			from = append(from, fmt.Sprintf(k.words, k.tell(x))+" "+way)
		}
	}
	line := "Judged again from these numbers alone, it comes out the same."
	switch {
	case len(from) == 0:
		return append([]string{line}, "No one of them alone would have made it otherwise.")
	case was.Outcome == decide.Worse:
		return append([]string{line}, "It would have stayed with "+strings.Join(from, ", or ")+".")
	}
	return append([]string{line}, "It would have been undone with "+strings.Join(from, ", or ")+".")
}

// compared are the samples that a verdict rests on.
func compared(d v1alpha1.ModelDecision) (before, after *v1alpha1.Baseline) {
	if before = d.Status.Before; before == nil {
		before = d.Spec.Baseline
	}
	return before, d.Status.After
}

// knob is a number of the sample after a change: what it is, how much it could
// have been, and how to say it.
type knob struct {
	is, most float64
	set      func(*decide.Sample, float64)
	words    string
	tell     func(float64) string
}

// far is how many times the larger of the two numbers is looked at, where nothing
// bounds them.
const far = 100

func knobs(b, a decide.Sample) []knob {
	var all []knob
	if a.Labels > 0 && b.Labels > 0 {
		k := knob{is: a.ErrorSum / a.Labels, words: "an error of %s", tell: figure}
		k.most = far * max(k.is, b.ErrorSum/b.Labels)
		if a.ErrorSum == a.ErrorSquares && b.ErrorSum == b.ErrorSquares { // right or wrong
			k.most = 1
		}
		k.set = func(s *decide.Sample, x float64) { rescale(s, x, k.most == 1) }
		all = append(all, k)
	}
	if a.Requests > 0 {
		all = append(all, knob{a.Errors / a.Requests, 1, func(s *decide.Sample, x float64) { s.Errors = x * s.Requests }, "%s failed requests", percent})
	}
	if a.P99 > 0 && b.P99 > 0 {
		all = append(all, knob{a.P99, far * max(a.P99, b.P99), func(s *decide.Sample, x float64) { s.P99 = x }, "a p99 of %s s", figure})
	}
	if a.PredictionCritical > 0 {
		all = append(all, knob{a.PredictionZ, far * max(a.PredictionZ, a.PredictionCritical),
			func(s *decide.Sample, x float64) { s.PredictionZ = x }, "a z of the predictions of %s", figure})
	}
	return all
}

// rescale makes the mean error another, and its spread as much greater; that of
// answers which are right or wrong follows from the mean.
func rescale(s *decide.Sample, mean float64, classes bool) {
	factor := 0.0
	if s.ErrorSum > 0 {
		factor = mean * s.Labels / s.ErrorSum
	}
	s.ErrorSum, s.ErrorSquares = mean*s.Labels, s.ErrorSquares*factor*factor
	if classes {
		s.ErrorSquares = s.ErrorSum
	}
}

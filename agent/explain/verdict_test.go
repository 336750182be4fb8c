package explain_test

import (
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/explain"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// The verdict on a change is made again from the record, and how far each number
// was from making it another is told, at the places where package decide turns.
func TestVerdict(t *testing.T) {
	traffic := decide.Sample{Requests: 5000, Errors: 5, P99: 0.020}
	with := func(change func(*decide.Sample)) decide.Sample { s := traffic; change(&s); return s }
	// labelled has 1,000 labels of an error with the standard deviation 9.
	labelled := func(mean float64) decide.Sample {
		return with(func(s *decide.Sample) {
			s.Labels, s.ErrorSum, s.ErrorSquares = 1000, 1000*mean, 1000*(mean*mean+81)
		})
	}
	classes := func(wrong float64) decide.Sample {
		return with(func(s *decide.Sample) { s.Labels, s.ErrorSum, s.ErrorSquares = 1000, wrong, wrong })
	}
	predicting := func(z float64) decide.Sample {
		return with(func(s *decide.Sample) { s.PredictionZ, s.PredictionCritical, s.PredictionJS = z, 4, 0.06 })
	}
	const same = "Judged again from these numbers alone, it comes out the same."
	for _, tt := range []struct {
		name          string
		before, after decide.Sample
		says          string
	}{
		// 0.1 % and the floor of one percentage point; 1.5 times 20 ms. An error of
		// 10.44 has a deviation of 11.75: 1.44 above 9 are 3.09·√((81 + 138)/999).
		{"traffic", traffic, traffic, "It would have been undone with 1.1% failed requests or more, or a p99 of 0.03 s or more."},
		{"errors", traffic, with(func(s *decide.Sample) { s.Errors = 500 }), "It would have stayed with 1.1% failed requests or less."},
		{"latency", traffic, with(func(s *decide.Sample) { s.P99 = 0.1 }), "It would have stayed with a p99 of 0.03 s or less."},
		{"errors and latency", traffic, with(func(s *decide.Sample) { s.Errors, s.P99 = 500, 0.1 }), "No one of them alone would have made it otherwise."},
		{"predictions", traffic, predicting(1), "a p99 of 0.03 s or more, or a z of the predictions of 4 or more."},
		{"predictions are off", traffic, predicting(8), "It would have stayed with a z of the predictions of 4 or less."},
		{"labels", labelled(9), labelled(8), "It would have been undone with an error of 10.4 or more, or 1.1% failed"},
		{"labels are worse", labelled(9), labelled(12), "It would have stayed with an error of 10.2 or less."},
		{"classes", classes(100), classes(80), "It would have been undone with an error of 0.145 or more"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := decide.Compare(tt.before, tt.after)
			d := v1alpha1.ModelDecision{}
			d.Status.Before, d.Status.After = evidence.Baseline(tt.before), evidence.Baseline(tt.after)
			d.Status.State, d.Status.VerifiedBy, d.Status.Outcome = v1alpha1.Done, string(v.By), string(v.Outcome)
			got := explain.Decision(d)
			if !strings.Contains(got, same) || !strings.Contains(got, tt.says) {
				t.Errorf("does not say %q:\n%s", tt.says, got)
			}
			d.Status.Outcome = map[bool]string{true: "ok", false: "undone"}[v.Outcome == decide.Worse]
			if got := explain.Decision(d); strings.Contains(got, same) {
				t.Errorf("a verdict that the numbers don't bear out comes out the same:\n%s", got)
			}
		})
	}
}

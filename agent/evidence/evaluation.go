package evidence

import (
	"cmp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Evaluation is what the last evaluation came to of those decisions, newest first,
// that are about a trouble; nil if none has ended by itself.
func Evaluation(decisions []v1alpha1.ModelDecision, t Trouble) *decide.Evaluation {
	for i := range decisions {
		d := &decisions[i]
		if d.Spec.Action != string(decide.Evaluate) || !t.Is(d, decide.ConceptDrift) {
			continue
		}
		switch {
		case d.Status.State == v1alpha1.Done && d.Status.Evaluation != nil:
			e := evaluationOf(d.Status.Evaluation)
			e.Decision = d.Name
			return e
		case d.Status.State == v1alpha1.StateHeld:
			return &decide.Evaluation{
				Decision: d.Name, AskedAt: d.Spec.DecidedAt.Time, EndedAt: ended(d), Failed: decide.Reason(d.Status.Reason), Detail: d.Status.Message,
			}
		}
	}
	return nil
}

// RecordedEvaluation is an evaluation as a decision keeps it; nil of none.
func RecordedEvaluation(e *decide.Evaluation) *v1alpha1.EvaluationEvidence {
	if e == nil {
		return nil
	}
	out := &v1alpha1.EvaluationEvidence{
		Decision: e.Decision, AskedAt: metav1.NewMicroTime(e.AskedAt), EndedAt: metav1.NewMicroTime(e.EndedAt),
		Failed: string(e.Failed), Message: e.Detail, Rows: e.Rows, Loss: e.Loss,
	}
	if e.Failed == "" {
		out.Live = decimal(e.Live)
	}
	for _, m := range e.Versions {
		out.Versions = append(out.Versions, v1alpha1.MeasuredVersion{
			Version: m.Version, Mean: decimal(m.Mean), Gain: decimal(m.Gain), StandardError: decimal(m.StandardError),
		})
	}
	slices.SortStableFunc(out.Versions, func(a, b v1alpha1.MeasuredVersion) int { return cmp.Compare(parse(b.Gain), parse(a.Gain)) })
	return out
}

// evaluationOf reads what RecordedEvaluation wrote.
func evaluationOf(v *v1alpha1.EvaluationEvidence) *decide.Evaluation {
	if v == nil {
		return nil
	}
	out := &decide.Evaluation{
		Decision: v.Decision, AskedAt: v.AskedAt.Time, EndedAt: v.EndedAt.Time, Failed: decide.Reason(v.Failed), Detail: v.Message,
		Rows: v.Rows, Loss: v.Loss, Live: zero(parse(v.Live)),
	}
	for _, m := range v.Versions {
		out.Versions = append(out.Versions, decide.Measured{
			Version: m.Version, Mean: parse(m.Mean), Gain: parse(m.Gain), StandardError: parse(m.StandardError),
		})
	}
	return out
}

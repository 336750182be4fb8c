package explain

import (
	"fmt"
	"strings"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// evaluated tells what an evaluation measured, or why it did not.
func evaluated(e *v1alpha1.EvaluationEvidence, s v1alpha1.ModelDecisionSpec) []string {
	if e == nil {
		return nil
	}
	by := "It"
	if e.Decision != "" {
		by = "Decision " + e.Decision
	}
	if e.Failed != "" {
		return []string{fmt.Sprintf("%s had versions measured until %s, which came to nothing (%s): %s.", by, moment(e.EndedAt), e.Failed, strings.TrimSuffix(e.Message, "."))}
	}
	lines := []string{
		fmt.Sprintf("%s had %s measured beside %s, all on the same %s labelled rows, by %s: asked for %s, measured %s.",
			by, plural(int64(len(e.Versions)), "version"), version(s.From), count(e.Rows), e.Loss, moment(e.AskedAt), moment(e.EndedAt)),
		fmt.Sprintf("Version %s (live): %s %s.", s.From, e.Loss, short(e.Live)),
	}
	for _, m := range e.Versions {
		lines = append(lines, measured(m, e.Loss, m.Version == s.To))
	}
	return lines
}

// measured tells one version, and whether its gain is beyond chance: counted again
// from the record's numbers.
func measured(m v1alpha1.MeasuredVersion, loss string, chosen bool) string {
	gain, se := float(m.Gain), float(m.StandardError)
	name, than := "Version "+m.Version, "less"
	if chosen {
		name += " (chosen)"
	}
	if gain < 0 {
		than = "more"
	}
	line := fmt.Sprintf("%s: %s %s, %s by %s ± %s", name, loss, short(m.Mean), than, figure(abs(gain)), short(m.StandardError))
	if se > 0 {
		line += fmt.Sprintf(", %.1f standard errors", abs(gain)/se)
	}
	switch {
	case gain <= 0:
		return line + ": no better."
	case decide.Measured{Gain: gain, StandardError: se}.Better():
		return line + fmt.Sprintf(": better, beyond %d.", decide.Beyond)
	}
	return line + fmt.Sprintf(": not beyond %d.", decide.Beyond)
}

// gains moves what one version gained at a time, up or down, until something else is
// decided.
func gains(w *again) []string {
	if w.was.Cause != decide.ConceptDrift || w.Evaluation == nil || w.Evaluation.Failed != "" {
		return nil
	}
	switch w.was.Action {
	case decide.Evaluate, decide.Redeploy:
		return nil // it had no say
	}
	var lines []string
	for i, m := range w.Evaluation.Versions[:min(len(w.Evaluation.Versions), maxTold)] {
		set := func(c *decide.Case, x float64) {
			e := *c.Evaluation
			e.Versions = append([]decide.Measured(nil), e.Versions...)
			e.Versions[i].Gain = x
			c.Evaluation = &e
		}
		was := fmt.Sprintf("Version %s gained %s", m.Version, figure(m.Gain))
		far := max(abs(m.Gain), decide.Beyond*m.StandardError)
		if best := w.Evaluation.Versions[0]; best.Gain > far {
			far = best.Gain
		}
		if x, d, ok := w.turn(m.Gain, min(m.Gain, 0), set); ok {
			lines = append(lines, fmt.Sprintf("%s; at %s or below: %s.", was, figure(x), inShort(d)))
		} else if x, d, ok := w.turn(m.Gain, 2*far, set); ok {
			lines = append(lines, fmt.Sprintf("%s; above %s: %s.", was, figure(x), inShort(d)))
		} else {
			lines = append(lines, was+"; at no gain would it have been otherwise.")
		}
	}
	return lines
}

package explain

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// maxTold bounds the alerts, and the versions, of which it is told what would have
// changed the decision.
const maxTold = 6

// whatIf makes a decision again from its record, with one thing changed at a time,
// and tells from where on it would have come out otherwise. Nothing here knows a
// rule: what decides is asked.
func whatIf(d *v1alpha1.ModelDecision) []string {
	c, ok := evidence.CaseOf(d)
	if !ok {
		return thresholds(d.Spec, nil)
	}
	was := c.Decide()
	if !agrees(was, d.Spec) {
		return append(thresholds(d.Spec, nil), fmt.Sprintf("Made again from this record, it comes out as %s: the record does not hold all that it rested on, so no more is said.", inShort(was)))
	}
	w := &again{c, was, d.Spec}
	lines := []string{"Made again from this record alone, it comes out the same."}
	lines = append(lines, thresholds(d.Spec, w)...)
	for _, ask := range []func(*again) []string{fewerModels, lessLoad, laterOnset, moreRows, distances, newerHalf, gains, permits, laterOn, fewerActing} {
		lines = append(lines, ask(w)...)
	}
	return lines
}

// again is a case that is judged again, and how it was judged.
type again struct {
	decide.Case
	was  decide.Decision
	spec v1alpha1.ModelDecisionSpec
}

// with judges the case with a change. The change must not write through slices.
func (w *again) with(change func(*decide.Case)) decide.Decision {
	c := w.Case
	change(&c)
	return c.Decide()
}

func (w *again) otherwise(d decide.Decision) bool {
	return d.Cause != w.was.Cause || d.Action != w.was.Action || d.Reason != w.was.Reason || d.Target != w.was.Target
}

// looks is how many values are tried before the turning point is narrowed down.
const looks = 64

// turn looks from what a number was to a bound for the first value with which it
// comes out otherwise.
func turn(from, to float64, otherwise func(float64) bool) (float64, bool) {
	same := from
	for i := 1; i <= looks; i++ {
		x := from + (to-from)*float64(i)/looks
		if !otherwise(x) {
			same = x
			continue
		}
		for range looks {
			if middle := same + (x-same)/2; otherwise(middle) {
				x = middle
			} else {
				same = middle
			}
		}
		return x, true
	}
	return 0, false
}

// turn finds where the decision comes out otherwise, and what is decided there.
func (w *again) turn(from, to float64, set func(*decide.Case, float64)) (float64, decide.Decision, bool) {
	ask := func(x float64) decide.Decision { return w.with(func(c *decide.Case) { set(c, x) }) }
	x, turns := turn(from, to, func(x float64) bool { return w.otherwise(ask(x)) })
	if !turns {
		return 0, decide.Decision{}, false
	}
	return x, ask(x), true
}

// agrees says that a record says what was decided. What package guard found in the
// way of it stands in the record instead of the judgement's reason.
func agrees(was decide.Decision, s v1alpha1.ModelDecisionSpec) bool {
	if string(was.Cause) != s.Cause {
		return false
	}
	switch decide.Reason(s.Reason) {
	case "gitops_owned", "workload_paused", decide.ReasonNotAllowed, decide.ReasonArtifactUnreachable:
		return was.Target == s.To
	case decide.ReasonArtifactMissing, decide.ReasonArtifactDigest:
		return was.Reason == decide.ReasonNoGoodVersion
	}
	action := was.Action
	if was.Proposed != "" {
		action = was.Proposed
	}
	return string(action) == s.Action && string(was.Reason) == s.Reason && was.Target == s.To
}

// inShort says a decision in a few words.
func inShort(d decide.Decision) string {
	action := map[decide.Action]string{
		decide.NoAction: "nothing to do", decide.Hold: "a hold", decide.Wait: "a wait", decide.Train: "a training", decide.Evaluate: "an evaluation",
		decide.Rollback: "going back to " + version(d.Target), decide.Redeploy: "deploying " + version(d.Target),
	}[d.Action]
	if d.Cause != decide.None {
		return fmt.Sprintf("%s, %s (%s)", d.Cause, action, d.Reason)
	}
	return fmt.Sprintf("%s (%s)", action, d.Reason)
}

// thresholds tells of each alert how far it was from quiet; and, where the case can
// be judged again, what would have been decided without it.
func thresholds(s v1alpha1.ModelDecisionSpec, w *again) []string {
	var lines []string
	var names []string
	alone := false
	for i, a := range s.Alerts {
		if i == maxTold {
			break
		}
		line := a.Name
		if a.Subject != "" {
			line += " of " + a.Subject
		}
		if a.Window != "" {
			line += " over " + a.Window
		}
		value, threshold := float(a.Value), float(a.Threshold)
		switch {
		case value > threshold && threshold > 0:
			line += fmt.Sprintf(" was at %s, and is quiet at %s or below: %s of it", short(a.Value), short(a.Threshold), figure(threshold/value))
		case value < threshold && value > 0:
			line += fmt.Sprintf(" was at %s, and is quiet at %s or above: %s times it", short(a.Value), short(a.Threshold), figure(threshold/value))
		case w == nil:
			continue
		default:
			line += ": the record does not say from where on it is quiet"
		}
		if w != nil {
			// The alerts that led to it come first in the case, as in the record.
			d := w.with(func(c *decide.Case) {
				c.Alerts = slices.Delete(slices.Clone(c.Alerts), i, i+1)
			})
			if w.otherwise(d) {
				alone = true
				line += ". Without it: " + inShort(d)
			}
		}
		lines, names = append(lines, line+"."), append(names, a.Name)
	}
	if w == nil || len(names) == 0 {
		return lines
	}
	if n := len(s.Alerts) - maxTold; n > 0 {
		lines = append(lines, fmt.Sprintf("And of %s more.", plural(int64(n), "alert")))
	}
	if !alone {
		d := w.with(func(c *decide.Case) { c.Alerts = c.Alerts[len(s.Alerts):] })
		lines = append(lines, fmt.Sprintf("Without any one of them the same would have been decided; without all of them: %s.", inShort(d)))
	}
	return lines
}

func seconds(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }

// clock is a time of day, with the date where a decision may be about days.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func figure(x float64) string { return short(strconv.FormatFloat(x, 'f', -1, 64)) }

// float of a decimal number, 0 where there is none.
func float(s string) float64 {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

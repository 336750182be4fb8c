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
	for _, ask := range []func(*again) []string{fewerModels, lessLoad, laterOnset, moreRows, distances, newerHalf, permits, laterOn, fewerActing} {
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

// turn looks from what a number was to a bound for the first value with which the
// decision comes out otherwise, and returns it with what is decided there.
func (w *again) turn(from, to float64, set func(*decide.Case, float64)) (float64, decide.Decision, bool) {
	ask := func(x float64) decide.Decision { return w.with(func(c *decide.Case) { set(c, x) }) }
	same := from
	for i := 1; i <= looks; i++ {
		x := from + (to-from)*float64(i)/looks
		if !w.otherwise(ask(x)) {
			same = x
			continue
		}
		for range looks {
			if middle := same + (x-same)/2; w.otherwise(ask(middle)) {
				x = middle
			} else {
				same = middle
			}
		}
		return x, ask(x), true
	}
	return 0, decide.Decision{}, false
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
		decide.NoAction: "nothing to do", decide.Hold: "a hold", decide.Wait: "a wait", decide.Train: "a training",
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

// fewerModels leaves out other models, the last to change first.
func fewerModels(w *again) []string {
	if w.was.Cause != decide.Correlated {
		return nil
	}
	var others []string
	for _, o := range slices.Backward(w.Onsets) {
		if o.Model != w.Model && !slices.Contains(others, o.Model) {
			others = append(others, o.Model)
		}
	}
	for n := 1; n <= len(others); n++ {
		d := w.with(func(c *decide.Case) {
			c.Onsets = slices.DeleteFunc(slices.Clone(c.Onsets), func(o decide.Onset) bool { return slices.Contains(others[:n], o.Model) })
		})
		if w.otherwise(d) {
			return []string{fmt.Sprintf("With %s fewer: %s.", plural(int64(n), "model"), inShort(d))}
		}
	}
	return nil
}

func lessLoad(w *again) []string {
	if w.was.Cause != decide.Saturation {
		return nil
	}
	x, d, ok := w.turn(w.Load.Requests, 0, func(c *decide.Case, x float64) { c.Load.Requests = x })
	if !ok {
		return nil
	}
	return []string{fmt.Sprintf("Below %s requests a second, %s times what was asked before (it was %s, %s times): %s.",
		figure(x), figure(x/w.Load.RequestsBefore), figure(w.Load.Requests), figure(w.Load.Requests/w.Load.RequestsBefore), inShort(d))}
}

// laterOnset has all alerts begin later, and the decision come as much later: what
// was clean for a while before is not the release.
func laterOnset(w *again) []string {
	if w.was.Cause != decide.BadRelease || len(w.spec.Alerts) == 0 {
		return nil
	}
	first, longest := w.Alerts[0].ActiveAt, time.Duration(0)
	for _, a := range w.Alerts[:len(w.spec.Alerts)] {
		longest = max(longest, a.Window)
		if a.ActiveAt.Before(first) {
			first = a.ActiveAt
		}
	}
	x, d, ok := w.turn(0, 2*longest.Seconds(), func(c *decide.Case, x float64) {
		c.Now, c.Alerts = c.Now.Add(seconds(x)), slices.Clone(c.Alerts)
		for i := range c.Alerts {
			c.Alerts[i].ActiveAt = c.Alerts[i].ActiveAt.Add(seconds(x))
		}
	})
	if !ok {
		return nil
	}
	return []string{fmt.Sprintf("Had they begun %s later, at %s: %s.", span(seconds(x)), clock(first.Add(seconds(x))), inShort(d))}
}

func moreRows(w *again) []string {
	if w.was.Reason != decide.ReasonTooFewRows || w.Match == nil {
		return nil
	}
	x, d, ok := w.turn(float64(w.Match.Rows), float64(2*w.Policy.MinSamples+1), func(c *decide.Case, x float64) {
		m := *c.Match
		m.Rows = int64(math.Ceil(x))
		c.Match = &m
	})
	if !ok {
		return nil
	}
	return []string{fmt.Sprintf("From %s rows on (there were %s), with distances as they were: %s.", count(int64(math.Ceil(x))), count(w.Match.Rows), inShort(d))}
}

// permits are things that are so or not.
func permits(w *again) []string {
	var lines []string
	tell := func(had string, change func(*decide.Case)) {
		if d := w.with(change); w.otherwise(d) {
			lines = append(lines, fmt.Sprintf("%s: %s.", had, inShort(d)))
		}
	}
	match := func(change func(*decide.Match)) func(*decide.Case) {
		return func(c *decide.Case) {
			m := *c.Match
			m.Candidates = slices.Clone(m.Candidates)
			change(&m)
			c.Match = &m
		}
	}
	switch w.was.Reason {
	case decide.ReasonNoRetrain:
		tell("With something to train with in spec.retrain", func(c *decide.Case) { c.Policy.CanRetrain = true })
	case decide.ReasonInputsSayNothing:
		tell("Were it known that inputs predict quality", match(func(m *decide.Match) { m.ProposeOnly = false }))
	case decide.ReasonToleranceAuto:
		tell("With a tolerance learned from its training rows, and the same distance", match(func(m *decide.Match) {
			for i := range m.Candidates {
				m.Candidates[i].Calibrated = true
			}
		}))
	case decide.ReasonNoneFits, decide.ReasonInputsMoving, decide.ReasonNoGoodVersion:
		for i, k := range w.Versions {
			if len(lines) == maxTold || k.Gated || k.Version == w.Active {
				continue
			}
			tell(fmt.Sprintf("Had version %s passed a gate", k.Version), func(c *decide.Case) {
				c.Versions = slices.Clone(c.Versions)
				c.Versions[i].Gated = true
			})
		}
	}
	return lines
}

// laterOn lets time pass, and nothing else happen.
func laterOn(w *again) []string {
	var within time.Duration
	switch w.was.Reason {
	case decide.ReasonCooldown:
		within = w.Policy.Cooldown
	case decide.ReasonChangesPerDay:
		within = 24 * time.Hour
	case decide.ReasonRetrainsPerWeek:
		within = 7 * 24 * time.Hour
	case decide.ReasonOscillation:
		within = w.Policy.ReturnAfter
	case decide.ReasonCorrelated:
		within = decide.CorrelatedFor
	default:
		return nil
	}
	x, d, ok := w.turn(0, within.Seconds()+1, func(c *decide.Case, x float64) { c.Now = c.Now.Add(seconds(x)) })
	if !ok {
		return []string{fmt.Sprintf("Within %s no time alone would have changed it.", span(within))}
	}
	return []string{fmt.Sprintf("After %s, %s later, with nothing else changed: %s.", clock(w.Now.Add(seconds(x))), span(seconds(x)), inShort(d))}
}

func fewerActing(w *again) []string {
	if w.was.Reason != decide.ReasonFleetLimit {
		return nil
	}
	for n := 1; n <= w.FleetActing; n++ {
		if d := w.with(func(c *decide.Case) { c.FleetActing -= n }); w.otherwise(d) {
			return []string{fmt.Sprintf("With %s acting less (%d did): %s.", plural(int64(n), "other guard"), w.FleetActing, inShort(d))}
		}
	}
	return nil
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

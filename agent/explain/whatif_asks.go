package explain

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

// What is asked of a case, each of those decisions that it may have turned.

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
	case decide.ReasonNoRetrain, decide.ReasonNoneBetter, decide.ReasonEvaluationFailed:
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

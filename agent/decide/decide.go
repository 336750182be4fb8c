package decide

import (
	"fmt"
	"strings"
	"time"
)

// Decision is what to do, and why.
type Decision struct {
	Cause  Cause
	Action Action
	Reason Reason
	// Target is the version to deploy; with a hold, the one that would be.
	Target string
	// Proposed is what a person may approve where Action is Hold but the only
	// obstacle is that Leeway may not do it alone; else empty.
	Proposed Action
	// Asked are the versions that an evaluation is to measure.
	Asked   []string
	Alerts  []Alert
	Columns []string
	// Onsets and Load are as in the diagnosis.
	Onsets []Onset
	Load   *Load
	// Message is one sentence with numbers.
	Message string
}

// Decide turns a diagnosis into a decision: it reads the match where one was
// asked for (nil: there is none), and applies the limits.
func Decide(d Diagnosis, m *Match, e Evidence, p Policy, now time.Time) Decision {
	r := Decision{
		Cause: d.Cause, Action: d.Action, Reason: d.Reason, Target: d.Target,
		Alerts: d.Alerts, Columns: d.Columns, Onsets: d.Onsets, Load: d.Load, Message: d.Message,
	}
	switch {
	case d.NeedsMatch:
		r = matched(r, d, m, e, p, now)
	case d.Cause == ConceptDrift && d.Action == Train && p.CanEvaluate:
		r = evaluated(r, e, p, now)
	}
	return limited(r, e, p, now)
}

// hold keeps what a decision was about, but not the act.
func (r Decision) hold(reason Reason, format string, args ...any) Decision {
	r.Action, r.Reason, r.Asked = Hold, reason, nil
	r.Message += fmt.Sprintf(format, args...)
	return r
}

// matched turns drifted inputs into what the registry's answer calls for.
func matched(r Decision, d Diagnosis, m *Match, e Evidence, p Policy, now time.Time) Decision {
	if m == nil {
		return r.hold(ReasonNoData, "; there are no live rows to match")
	}
	if m.Rows < p.MinSamples {
		return r.hold(ReasonTooFewRows, "; a match needs %d rows and there are %d since then", p.MinSamples, m.Rows)
	}
	if m.Live != nil && m.Live.Fits {
		return r.hold(ReasonLiveFits, "; yet it is at home in today's %d rows (%s), so nothing is to be gained", m.Rows, distance(*m.Live))
	}
	best, before, passed := choose(m, e, p)
	if best == nil {
		if near, was := nearing(m, e, p); near != nil {
			return r.hold(ReasonInputsMoving, "; %s; but the newer half of the rows is nearer to version %s (distance %s, of all rows %s): inputs are still on their way, so wait before one is trained",
				nobody(m, passed), near.Version, number(near.Distance), number(was.Distance))
		}
		if newer := leaving(m); newer != nil {
			return r.hold(ReasonInputsMoving, "; %s; but the newer half of the rows is farther from version %s, in service, than all are (distance %s, of all rows %s): inputs still move, so wait before one is trained",
				nobody(m, passed), newer.Version, number(newer.Distance), number(m.Live.Distance))
		}
		if left := standing(d.Latest, p, now); left > 0 {
			return r.hold(ReasonInputsMoving, "; %s; but %s was noticed only %s ago: see for another %s whether inputs stay as they are, before one is trained",
				nobody(m, passed), columns([]string{d.Latest.Subject}), span(now.Sub(d.Latest.ActiveAt)), span(left))
		}
		r.Action, r.Reason = Train, ReasonNoneFits
		r.Message += fmt.Sprintf("; %s, so train a new one", nobody(m, passed))
		return r
	}
	r.Action, r.Reason, r.Target = Rollback, ReasonFits, best.Version
	r.Message += fmt.Sprintf("; version %s is at home in today's %d rows (%s%s)", best.Version, m.Rows, distance(*best), against(m.Live))
	if before != nil {
		r.Message += fmt.Sprintf("; version %s ranks before it (%s), but its tolerance was not learned from its training rows", before.Version, distance(*before))
	}
	if p.ToleranceAuto && !best.Calibrated {
		r.Proposed = Rollback
		return r.hold(ReasonToleranceAuto, ", but its tolerance was not learned from its training rows: a person may approve going back to it")
	}
	if m.ProposeOnly {
		r.Proposed = Rollback
		return r.hold(ReasonInputsSayNothing, ", but %s: a person may approve going back to it", m.Trust)
	}
	r.Message += "; go back to version " + best.Version
	return r
}

// choose returns the best version that fits, is better, may stand in for the
// active one and has proven itself; and the versions that only lacked the last.
// One whose tolerance was not learned may only be proposed, so it gives way to
// the best that may be acted on, unless nothing may be: then before is the one
// that gave way. It fits by a constant that knows nothing of how its data
// varies, so to be nearer says less of it.
func choose(m *Match, e Evidence, p Policy) (best, before *Candidate, unproven []string) {
	for _, c := range m.Candidates {
		switch {
		case !c.Fits || !c.Better || !exchangeable(e, c.Version):
		case !proven(e, p, c.Version):
			unproven = append(unproven, c.Version)
		case c.Calibrated || !p.ToleranceAuto || m.ProposeOnly:
			return &c, before, unproven
		case before == nil:
			before = &c
		}
	}
	return before, nil, unproven
}

// Nearing is how much nearer than all rows the newer half of them must be to a
// version for the inputs to be on their way to it: a tenth. Half as many rows are
// farther from anything, by chance, so a change that came at once is not taken for
// one that goes on.
const Nearing = 0.9

// nearing is the version that could be gone back to and that the inputs are on
// their way to: the nearest on the newer half of the rows, and the same on all. To
// train while a season turns is to train on a mixture.
func nearing(m *Match, e Evidence, p Policy) (now, was *Candidate) {
	for _, c := range m.Newer {
		if !exchangeable(e, c.Version) || !proven(e, p, c.Version) {
			continue
		}
		for _, old := range m.Candidates {
			if old.Version == c.Version && c.Distance < Nearing*old.Distance && (now == nil || c.Distance < now.Distance) {
				now, was = &c, &old
			}
		}
	}
	return now, was
}

// leaving is the version in service on the newer half of the rows, where that is
// farther from it than all rows are: what it is left for goes on changing, or is
// so new that most of the rows are of before. A version trained now would be at
// home in neither.
func leaving(m *Match) *Candidate {
	if m.Live == nil {
		return nil
	}
	for _, c := range m.Newer {
		if c.Version == m.Live.Version && Nearing*c.Distance > m.Live.Distance {
			return &c
		}
	}
	return nil
}

// standing is for how much longer inputs have to stay as they are before a
// version is trained on them: until there are as many rows since the last column
// was noticed as the alert that noticed it looks at, but no more than a match
// does. What comes over an hour is seen in one column before the others, and what
// comes over many models in one before the others.
func standing(latest *Alert, p Policy, now time.Time) time.Duration {
	if latest == nil {
		return 0
	}
	window := latest.Window
	if p.MatchWindow > 0 {
		window = min(window, p.MatchWindow)
	}
	return window - now.Sub(latest.ActiveAt)
}

// nobody says why no version was chosen.
func nobody(m *Match, unproven []string) string {
	switch {
	case len(unproven) > 0:
		return fmt.Sprintf("version %s would fit today's %d rows but neither passed a gate nor was live and clean",
			strings.Join(unproven, ", "), m.Rows)
	case len(m.Candidates) == 0:
		return fmt.Sprintf("there is no other version to compare today's %d rows with", m.Rows)
	}
	near := m.Candidates[0]
	verdict := "does not fit"
	if near.Fits && near.Better {
		verdict = "may not stand in"
	} else if near.Fits {
		verdict = "is not enough of an improvement"
	}
	return fmt.Sprintf("of %s none fits today's %d rows and is better: the nearest, version %s, %s (%s%s)",
		count(len(m.Candidates), "other version"), m.Rows, near.Version, verdict, distance(near), against(m.Live))
}

func distance(c Candidate) string {
	return fmt.Sprintf("distance %s, tolerance %s%s", number(c.Distance), number(c.Tolerance), predicted(c))
}

func against(live *Candidate) string {
	if live == nil {
		return ""
	}
	return fmt.Sprintf("; version %s now in service: %s%s", live.Version, number(live.Distance), predicted(*live))
}

func predicted(c Candidate) string {
	if c.Predicted == 0 {
		return ""
	}
	return ", predicted error " + number(c.Predicted)
}

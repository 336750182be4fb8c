package decide

import (
	"fmt"
	"time"
)

// Retrained is a version that a training registered, and that passed the gate.
type Retrained struct {
	Version string
	// Cause that it was trained for.
	Cause Cause
	// Tainted says that input was broken while it was trained.
	Tainted bool
}

// AfterRetrain decides what becomes of a retrained version: d is the diagnosis
// of now, m the match on today's rows (nil: there is none).
//
// Trained for drifted inputs, it must fit today's rows and be better there than
// the version in service. Trained for a change that inputs don't show, it must
// fit; that it is better is what the gate compared. A wait is asked again.
func AfterRetrain(r Retrained, d Diagnosis, m *Match, e Evidence, p Policy, now time.Time) Decision {
	out := Decision{
		Cause: r.Cause, Target: r.Version, Alerts: d.Alerts, Columns: d.Columns,
		Message: fmt.Sprintf("version %s was trained for %s", r.Version, word(r.Cause)),
	}
	if r.Tainted {
		return out.hold(ReasonTainted, ", but input was broken meanwhile: it stays registered and is not deployed")
	}
	if k, ok := e.known(r.Version); ok && (k.Rejected || k.Retired) {
		return out.hold(ReasonNoGoodVersion, ", but it has been rejected or retired since")
	}
	switch {
	case d.Cause == InputDrift && d.NeedsMatch:
	case d.Cause == ConceptDrift && d.Action == Train:
	case d.Cause == PredictionDrift && d.Action != Wait && d.Reason != ReasonExpectedError && r.Cause != InputDrift:
	case gone(r, d, e, p, now):
		return out.hold(ReasonDriftGone, ", and that is gone: version %s stays, the new one remains a candidate", e.Active)
	default:
		return out.wait(d)
	}
	out = fitting(out, d.Cause == InputDrift, m, e, p)
	return limited(out, e, p, now)
}

// gone says that what the version was trained for is over, and not just too
// early to be seen again.
func gone(r Retrained, d Diagnosis, e Evidence, p Policy, now time.Time) bool {
	if d.Cause == PredictionDrift {
		return d.Action != Wait && r.Cause == InputDrift
	}
	v := look(e, p, now)
	coming := len(v.pending[AlertInputDrift]) + len(v.pending[AlertQuality])
	return d.Cause == None && d.Reason == ReasonHealthy && coming == 0
}

// wait puts a redeployment off while something else is the matter.
func (r Decision) wait(d Diagnosis) Decision {
	r.Action, r.Reason = Wait, d.Reason
	if d.Reason == ReasonHealthy {
		r.Reason = ReasonWaitsForHigherCause
	}
	r.Message += "; it is not deployed now: " + d.Message
	return r
}

// fitting redeploys a version that fits today's rows.
func fitting(out Decision, mustBeBetter bool, m *Match, e Evidence, p Policy) Decision {
	if m == nil {
		return out.hold(ReasonNoData, "; there are no live rows to match")
	}
	if m.Rows < p.MinSamples {
		return out.hold(ReasonTooFewRows, "; a match needs %d rows and there are %d", p.MinSamples, m.Rows)
	}
	if mustBeBetter && m.Live != nil && m.Live.Fits {
		return out.hold(ReasonLiveFits, "; version %s is at home again in today's %d rows (%s) and stays", e.Active, m.Rows, distance(*m.Live))
	}
	for _, c := range m.Candidates {
		if c.Version != out.Target {
			continue
		}
		if !c.Fits || mustBeBetter && !c.Better {
			return out.hold(ReasonNoneFits, "; today's %d rows have moved on: it does not fit them better (%s%s)",
				m.Rows, distance(c), against(m.Live))
		}
		out.Action, out.Reason = Redeploy, ReasonGatePassed
		out.Message += fmt.Sprintf(", passed the gate and is at home in today's %d rows (%s%s); deploy version %s",
			m.Rows, distance(c), against(m.Live), c.Version)
		return out
	}
	return out.hold(ReasonNoneFits, "; it is not among the %d versions that may stand in for version %s", len(m.Candidates), e.Active)
}

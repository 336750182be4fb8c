package decide

import "time"

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
	Alerts   []Alert
	Columns  []string
	// Message is one sentence with numbers.
	Message string
}

// Decide turns a diagnosis into a decision: it reads the match where one was
// asked for (nil: there is none), and applies the limits.
func Decide(d Diagnosis, m *Match, e Evidence, p Policy, now time.Time) Decision {
	return Decision{}
}

// Retrained is a version that a training registered, and that passed the gate.
type Retrained struct {
	Version string
	// Cause that it was trained for.
	Cause Cause
	// Tainted says that input was broken while it was trained.
	Tainted bool
}

// AfterRetrain decides what becomes of a retrained version: d is the diagnosis
// of now, m the match on today's rows.
func AfterRetrain(r Retrained, d Diagnosis, m *Match, e Evidence, p Policy, now time.Time) Decision {
	return Decision{}
}

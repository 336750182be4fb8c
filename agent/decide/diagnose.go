package decide

import "time"

// Diagnosis is the first cause that holds, and what it calls for.
type Diagnosis struct {
	Cause Cause
	// Action is final but for the limits, unless NeedsMatch: then it is Wait
	// until Decide is given the match.
	Action Action
	Reason Reason
	// Alerts that it rests on, all eligible.
	Alerts []Alert
	// Columns of broken input, or that drifted.
	Columns []string
	// Target is the version to go back to.
	Target string
	// NeedsMatch asks for a match on the rows from MatchFrom to now.
	NeedsMatch bool
	MatchFrom  time.Time
	// Message is one sentence with numbers.
	Message string
}

// Diagnose goes down the table and returns the first cause that holds.
func Diagnose(e Evidence, p Policy, now time.Time) Diagnosis { return Diagnosis{} }

package decide

import (
	"fmt"
	"time"
)

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
	// Latest is the alert that noticed the last of the columns that drifted.
	Latest *Alert
	// Onsets are those of all models that are in trouble at once, where that is
	// the cause; Load is what was asked of the model, where that is.
	Onsets []Onset
	Load   *Load
	// Message is one sentence with numbers.
	Message string
}

// found says how far a row of the table applies.
type found int

const (
	absent  found = iota
	pending       // it may hold soon: what stands lower waits
	holds
)

// table lists the rows, highest first.
func table() []func(view) (Diagnosis, found) {
	return []func(view) (Diagnosis, found){
		blind, humanChanged, rollingOut, correlated, brokenInput, badRelease, saturation, serving, inputDrift,
		predictionDrift, conceptDrift, expectedError,
	}
}

// Diagnose goes down the table and returns the first cause that holds.
func Diagnose(e Evidence, p Policy, now time.Time) Diagnosis {
	v := look(e, p, now)
	var higher *Diagnosis
	for _, row := range table() {
		d, f := row(v)
		switch {
		case f == pending && higher == nil:
			higher = &d
		case f == holds && higher != nil:
			return waits(*higher, d)
		case f == holds:
			return v.registered(d)
		}
	}
	return v.healthy()
}

// waits puts a decision off until the higher cause fires or clears.
func waits(higher, d Diagnosis) Diagnosis {
	return Diagnosis{
		Cause: d.Cause, Action: Wait, Reason: ReasonWaitsForHigherCause,
		Alerts: append(append([]Alert{}, d.Alerts...), higher.Alerts...), Columns: d.Columns,
		Message: fmt.Sprintf("%s would be diagnosed, but %s (%s) is pending: wait until it fires or clears",
			word(d.Cause), word(higher.Cause), alertNames(higher.Alerts)),
	}
}

// registered holds what would act on a version that the registry does not know:
// neither what it was trained on nor what may replace it is known then.
func (v view) registered(d Diagnosis) Diagnosis {
	reason, message := Standing(v.Evidence)
	if reason == "" || !(d.Action.Acts() || d.NeedsMatch || d.Cause == BadRelease) {
		return d
	}
	d.Action, d.Reason, d.Target, d.NeedsMatch, d.MatchFrom = Hold, reason, "", false, time.Time{}
	d.Message = fmt.Sprintf("%s is diagnosed (%s), but %s", word(d.Cause), alertNames(d.Alerts), message)
	return d
}

// Standing is the reason why a guard can do nothing whatever is alerted, with
// the sentence, or empty.
func Standing(e Evidence) (Reason, string) {
	if len(e.Versions) == 0 {
		return ReasonEmptyRegistry, fmt.Sprintf("the registry has no version of model %s", e.Model)
	}
	if _, ok := e.known(e.Active); !ok {
		return ReasonUnregistered, fmt.Sprintf("version %s is not among the %d in the registry", e.Active, len(e.Versions))
	}
	return "", ""
}

// healthy is what is left when no row holds.
func (v view) healthy() Diagnosis {
	d := Diagnosis{Action: NoAction, Reason: ReasonHealthy,
		Message: fmt.Sprintf("no alert counts against version %s", v.Active)}
	waiting := 0
	for _, m := range []map[AlertCause][]Alert{v.pending, v.page} {
		for _, alerts := range m {
			waiting += len(alerts)
		}
	}
	switch {
	case waiting > 0:
		d.Message = fmt.Sprintf("%s on version %s, none that calls for action yet", count(waiting, "alert"), v.Active)
	case v.settling > 0:
		d.Reason = ReasonSettling
		d.Message = fmt.Sprintf("%s on version %s, none that counts before it has been settled for longer than the alert's window",
			count(v.settling, "alert"), v.Active)
	}
	return d
}

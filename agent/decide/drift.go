package decide

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The rows on what the model is given, and what it makes of it.

// brokenInput holds while columns are broken, and after that for as long as
// all that fires may come from the rows of that time.
func brokenInput(v view) (Diagnosis, found) {
	d := Diagnosis{Cause: BrokenInput, Action: Hold, Reason: ReasonBrokenInput}
	if firing := v.firing[AlertBrokenInput]; len(firing) > 0 {
		d.Alerts, d.Columns = firing, subjects(firing)
		d.Message = fmt.Sprintf("input is broken upstream in %s since %s (%s): going back or training can't mend that",
			columns(d.Columns), clock(earliest(firing)), shown(firing[0]))
		return d, holds
	}
	if waiting := v.pending[AlertBrokenInput]; len(waiting) > 0 {
		d.Alerts = waiting
		return d, pending
	}
	garbled := acting(v.garbled)
	if len(garbled) == 0 || len(v.firing) > 0 {
		return Diagnosis{}, absent
	}
	d.Alerts, d.Columns = garbled, subjects(garbled)
	d.Message = fmt.Sprintf("input was broken until %s ago, which %s still looks back on: wait until it is out of the last %s",
		span(v.now.Sub(v.stay.LastAlert[AlertBrokenInput])), alertNames(garbled), span(longestWindow(garbled)))
	return d, holds
}

// inputDrift asks for a match. An alert of the page clock makes it pending:
// then the inputs can't be called unchanged, and nothing lower may hold.
func inputDrift(v view) (Diagnosis, found) {
	firing := v.firing[AlertInputDrift]
	if len(firing) == 0 {
		waiting := append(append([]Alert{}, v.pending[AlertInputDrift]...), v.page[AlertInputDrift]...)
		waiting = append(waiting, garbledOf(v, AlertInputDrift)...)
		if len(waiting) == 0 {
			return Diagnosis{}, absent
		}
		return Diagnosis{Cause: InputDrift, Alerts: waiting}, pending
	}
	noticed := v.noticed(firing)
	d := Diagnosis{
		Cause: InputDrift, Action: Wait, Reason: ReasonInputDrift, Alerts: firing, Columns: subjects(firing),
		NeedsMatch: true, MatchFrom: v.onset(noticed), Latest: &noticed[len(noticed)-1],
	}
	d.Message = fmt.Sprintf("inputs of version %s differ from its training data in %s since %s",
		v.Active, columns(d.Columns), clock(d.MatchFrom))
	return d, holds
}

// noticed are the alerts that were the first to see each drifted column, by the
// page clock if that was first; the earliest first.
func (v view) noticed(firing []Alert) []Alert {
	first := map[string]Alert{}
	for _, a := range slices.Concat(firing, v.page[AlertInputDrift]) {
		before, ok := first[a.Subject]
		if (ok || a.Clock != Page) && (!ok || a.ActiveAt.Before(before.ActiveAt)) {
			first[a.Subject] = a
		}
	}
	return slices.SortedFunc(maps.Values(first), func(a, b Alert) int {
		return cmp.Or(a.ActiveAt.Compare(b.ActiveAt), cmp.Compare(a.Subject, b.Subject))
	})
}

// onset is since when the rows are of today's kind: when half of the drifted
// columns had been noticed. Rows from before are left out: a mixture of two
// regimes is at home nowhere, so that the match would find that nothing fits.
// The earliest column is not taken because it may have been off for weeks, the
// latest not because it may come and go.
func (v view) onset(noticed []Alert) time.Time {
	from := noticed[len(noticed)/2].ActiveAt
	if broken := v.stay.LastAlert[AlertBrokenInput]; broken.After(from) {
		from = broken
	}
	if w := v.policy.MatchWindow; w > 0 && from.Before(v.now.Add(-w)) {
		from = v.now.Add(-w)
	}
	return from
}

func predictionDrift(v view) (Diagnosis, found) {
	d := Diagnosis{Cause: PredictionDrift, Action: Hold, Reason: ReasonPredictionDrift}
	if firing := v.firing[AlertPredictionDrift]; len(firing) > 0 {
		d.Alerts, d.Columns = firing, subjects(firing)
		d.Message = fmt.Sprintf("predictions of version %s drifted since %s (%s), its inputs did not: look before anything is changed",
			v.Active, clock(earliest(firing)), shown(firing[0]))
		return d, holds
	}
	d.Alerts = append(append([]Alert{}, v.pending[AlertPredictionDrift]...), garbledOf(v, AlertPredictionDrift)...)
	if len(d.Alerts) > 0 {
		return d, pending
	}
	return Diagnosis{}, absent
}

// conceptDrift trains: no match by inputs can answer it, for they are unchanged. Where
// versions can be evaluated on labelled rows, Decide asks for that first.
func conceptDrift(v view) (Diagnosis, found) {
	firing := v.firing[AlertQuality]
	if len(firing) == 0 {
		return Diagnosis{}, absent
	}
	d := Diagnosis{
		Cause: ConceptDrift, Action: Train, Reason: ReasonConceptDrift, Alerts: firing, Columns: subjects(firing),
		Message: fmt.Sprintf("the quality of version %s fell since %s (%s) and its inputs did not change",
			v.Active, clock(earliest(firing)), shown(firing[0])),
	}
	if !v.policy.CanEvaluate {
		d.Message += ": train on today's labels"
	}
	return d, holds
}

// expectedError holds on what the predictions let expect, where nothing else was
// found. It says no more than that they moved to where the version is often
// wrong: a change of what is true does not show in it, so nobody trains for it,
// and for a release that predicts otherwise there are the alerts on predictions.
func expectedError(v view) (Diagnosis, found) {
	if len(v.estimated) == 0 {
		return Diagnosis{}, absent
	}
	return Diagnosis{
		Cause: PredictionDrift, Action: Hold, Reason: ReasonExpectedError, Alerts: v.estimated, Columns: subjects(v.estimated),
		Message: fmt.Sprintf("version %s is expected to be wrong more often since %s (%s), which is an estimate: labels can tell, and nothing is changed for it",
			v.Active, clock(earliest(v.estimated)), shown(v.estimated[0])),
	}, holds
}

// acting are the alerts that would lead to something.
func acting(alerts []Alert) []Alert {
	return slices.DeleteFunc(slices.Clone(alerts), func(a Alert) bool { return a.Clock == Page || !a.Firing })
}

// garbledOf are alerts of a cause that may or may not be real: what stands
// lower waits until that is known.
func garbledOf(v view, cause AlertCause) []Alert {
	return slices.DeleteFunc(slices.Concat(v.garbled, v.clouded), func(a Alert) bool {
		return a.Cause != cause || a.Clock == Page && cause != AlertInputDrift
	})
}

func longestWindow(alerts []Alert) time.Duration {
	var longest time.Duration
	for _, a := range alerts {
		longest = max(longest, a.Window)
	}
	return longest
}

package decide_test

import (
	"slices"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

// What the demo shows must come out of this package alone.

func TestHealthy(t *testing.T) {
	check(t, both(settled("1", ""), nil), want{reason: decide.ReasonHealthy, action: decide.NoAction})
}

func TestNewRegime(t *testing.T) {
	summer := func(alerts ...decide.Alert) decide.Evidence {
		e := settled("1", "")
		e.Alerts = alerts
		return e
	}
	fits := candidate("1", 0.267, false, false)
	none := &decide.Match{Rows: 4000, Live: &fits, Candidates: []decide.Candidate{candidate("2", 0.237, false, false)}}
	drift := drifted("1", 10*second)
	quality := alert(decide.AlertQuality, 5*second, "")
	predictions := alert(decide.AlertPredictionDrift, 6*second, "air_time")
	wait := want{decide.ConceptDrift, decide.Wait, decide.ReasonWaitsForHigherCause, "", "input drift"}
	train := want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", "4000 rows"}

	check(t, both(summer(quality, page(alert(decide.AlertInputDrift, 3*second, "temp"))), none), wait)
	check(t, both(summer(quality, pending(alert(decide.AlertInputDrift, 3*second, "temp"))), none), wait)
	check(t, both(summer(append(drift, quality, predictions)...), none), train)
	check(t, both(summer(drift...), none), train)

	e := summer(append(drift, quality, predictions)...)
	e.RetrainOpen = true
	check(t, both(e, none), want{decide.InputDrift, decide.Hold, decide.ReasonRetrainOpen, "", "under way"})

	// The training is done: the new version is the nearest to today's rows.
	none.Candidates = slices.Insert(none.Candidates, 0, candidate("3", 0.05, true, true))
	d := decide.Diagnose(e, policy(), now)
	got := decide.AfterRetrain(decide.Retrained{Version: "3", Cause: decide.InputDrift}, d, none, e, policy(), now)
	check(t, got, want{decide.InputDrift, decide.Redeploy, decide.ReasonGatePassed, "3", "distance 0.05"})
}

func TestSeasonReturns(t *testing.T) {
	e := settled("3", "1")
	e.History[1].LeftFor = decide.InputDrift
	for _, c := range []decide.AlertCause{decide.AlertInputDrift, decide.AlertQuality, decide.AlertPredictionDrift} {
		e.History[1].LastAlert = map[decide.AlertCause]time.Time{c: e.History[1].ReplacedAt}
	}
	e.Alerts = append(drifted("3", 10*second),
		on("3", alert(decide.AlertQuality, 5*second, "")), on("3", alert(decide.AlertPredictionDrift, 6*second, "air_time")))
	back := want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "1", "distance 0.144"}
	check(t, both(e, december()), back)

	// Back on winter's version: what the other left behind has no effect.
	after := settled("1", "3")
	after.History[1].LeftFor = decide.InputDrift
	after.Alerts = e.Alerts
	check(t, both(after, december()), want{reason: decide.ReasonHealthy, action: decide.NoAction})

	// December still differs from January and February, but it is at home there.
	after.Alerts = append(drifted("1", 2*minute), e.Alerts...)
	live := candidate("1", 0.144, true, false)
	m := &decide.Match{Rows: 4000, Live: &live, Candidates: []decide.Candidate{candidate("2", 0.09, true, true)}}
	check(t, both(after, m), want{decide.InputDrift, decide.Hold, decide.ReasonLiveFits, "", "0.144"})
}

// Nothing is trained for a mixture of two seasons.
func TestSeasonStillTurning(t *testing.T) {
	e := settled("3", "1")
	e.History[1].LeftFor = decide.InputDrift
	e.Alerts = drifted("3", 10*second)
	live := candidate("3", 0.5, false, false)
	half := func(newer float64) *decide.Match {
		return &decide.Match{Rows: 4000, Live: &live,
			Candidates: []decide.Candidate{candidate("2", 0.4, false, true), candidate("1", 0.37, false, true)},
			Newer:      []decide.Candidate{candidate("2", 0.4, false, true), candidate("1", newer, false, true)}}
	}
	check(t, both(e, half(0.25)), want{decide.InputDrift, decide.Hold, decide.ReasonInputsMoving, "", "nearer to version 1 (distance 0.25, of all rows 0.37)"})
	train := want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", "train a new one"}
	check(t, both(e, half(0.36)), train)
	e.Versions[0].Rejected = true // and what may not be gone back to is not waited for
	check(t, both(e, half(0.25)), train)
}

// Nor for one of before and after, nor while it goes on changing.
func TestInputsStillMove(t *testing.T) {
	e := settled("3", "1")
	e.Alerts = drifted("3", 10*second)
	live := candidate("3", 0.3, false, false)
	half := func(newer ...decide.Candidate) *decide.Match {
		return &decide.Match{Rows: 4000, Live: &live, Candidates: []decide.Candidate{candidate("2", 0.4, false, true)}, Newer: newer}
	}
	train := want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", "train a new one"}
	check(t, both(e, half(candidate("3", 0.34, false, false))), want{decide.InputDrift, decide.Hold, decide.ReasonInputsMoving, "", "farther from version 3, in service, than all are (distance 0.34, of all rows 0.3)"})
	check(t, both(e, half(candidate("3", 0.32, false, false))), train) // half as many rows are farther from anything
	check(t, both(e, half(candidate("3", 0.25, false, false))), train) // on its way back: it has not come to fit
	check(t, both(e, half(candidate("2", 0.5, false, false))), train)  // the way from what is not in service says nothing
	check(t, both(e, half()), train)
}

func TestBadRelease(t *testing.T) {
	back := want{decide.BadRelease, decide.Rollback, decide.ReasonLastGood, "3", "go back to version 3"}
	for name, isSettled := range map[string]bool{"while it rolls out": false, "settled a moment ago": true} {
		t.Run(name, func(t *testing.T) {
			e := released(8*second, isSettled)
			e.Alerts = []decide.Alert{on("5", alert(decide.AlertErrors, 5*second, "5xx"))}
			check(t, both(e, nil), back)
		})
	}
	t.Run("days after the release", func(t *testing.T) {
		e := released(3*day, true)
		e.Alerts = []decide.Alert{on("5", alert(decide.AlertErrors, 3*day-6*second, "5xx"))}
		check(t, both(e, nil), back)
	})
	t.Run("put back after it was rejected", func(t *testing.T) {
		e := released(8*second, false)
		e.Alerts = []decide.Alert{on("5", alert(decide.AlertErrors, 5*second, "5xx"))}
		e.Versions[3].Rejected, e.Versions[3].RejectedAt = true, ago(minute)
		check(t, both(e, nil), want{decide.HumanChanged, decide.Hold, decide.ReasonRejectedReturned, "", "kubectl-client-side-apply"})
		check(t, both(e, nil), want{decide.HumanChanged, decide.Hold, decide.ReasonRejectedReturned, "", "2013-12-01 11:59:52Z"})
	})
	t.Run("rejected while it serves", func(t *testing.T) {
		e := released(8*second, false)
		e.Alerts = []decide.Alert{on("5", alert(decide.AlertErrors, 5*second, "5xx"))}
		e.Versions[3].Rejected, e.Versions[3].RejectedAt = true, ago(second)
		check(t, both(e, nil), back)
	})
}

func TestColumnGoesMissing(t *testing.T) {
	broken := alert(decide.AlertBrokenInput, 4*second, "temp")
	e := settled("1", "3")
	held := want{decide.BrokenInput, decide.Hold, decide.ReasonBrokenInput, "", "column temp"}
	e.Alerts = append(drifted("1", 5*second), broken, alert(decide.AlertQuality, 3*second, ""))
	got := both(e, december())
	check(t, got, held)
	if !slices.Equal(got.Columns, []string{"temp"}) {
		t.Errorf("columns %v", got.Columns)
	}

	e.Alerts[len(e.Alerts)-2] = pending(broken)
	check(t, both(e, december()), want{decide.InputDrift, decide.Wait, decide.ReasonWaitsForHigherCause, "", "broken input"})

	// The column is back. Its rows are still in the last 30 s, and must neither
	// be matched nor trained on.
	e.Alerts = drifted("1", 25*second)
	e.History[0].LastAlert = map[decide.AlertCause]time.Time{decide.AlertBrokenInput: ago(12 * second)}
	check(t, both(e, december()), want{decide.BrokenInput, decide.Hold, decide.ReasonBrokenInput, "", "12s ago"})
	e.History[0].LastAlert[decide.AlertBrokenInput] = ago(30 * second)
	if got := both(e, december()); got.Cause != decide.InputDrift {
		t.Errorf("broken input of long ago still holds: %s", got.Message)
	}
}

func TestSilence(t *testing.T) {
	for _, reason := range []decide.Reason{
		decide.ReasonNoTraffic, decide.ReasonNoData, decide.ReasonTooFewRows, decide.ReasonPartialProfile,
		decide.ReasonSourceUnreachable, decide.ReasonSidecarMissing, "some_other",
	} {
		e := settled("1", "3")
		e.Blind, e.BlindDetail = reason, "3 pods"
		e.Alerts = append(drifted("1", 5*second), alert(decide.AlertErrors, minute, "5xx"))
		check(t, both(e, december()), want{decide.Blind, decide.Hold, reason, "", "(3 pods)"})
	}
}

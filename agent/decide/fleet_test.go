package decide_test

import (
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

func onset(model string, d time.Duration) decide.Onset {
	return decide.Onset{Namespace: "ml", Model: model, Subject: "temp", At: ago(d)}
}

// fleetOf is a model whose inputs drift since 20 s, beside others that began when
// they say.
func fleetOf(others ...decide.Onset) decide.Evidence {
	e := settled("1", "3")
	e.Alerts = drifted("1", 20*second)
	e.Onsets = append(decide.Onsets(e.Alerts, e, now), others...)
	return e
}

func TestSeveralAtOnce(t *testing.T) {
	held := want{decide.Correlated, decide.Hold, decide.ReasonCorrelated, "", "inputs of 3 models changed within 11s of each other (fraud, flights, price), this one's in columns dewp, pressure, temp"}
	alone := want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "2", "version 2 is at home"}
	live := candidate("1", 0.4, false, false)
	m := &decide.Match{Rows: 4000, Live: &live, Candidates: []decide.Candidate{candidate("2", 0.1, true, true)}}
	fraud, price := onset("fraud", 30*second), onset("price", 19*second)

	t.Run("three", func(t *testing.T) { check(t, both(fleetOf(fraud, price), m), held) })
	t.Run("two", func(t *testing.T) { check(t, both(fleetOf(fraud), m), alone) })
	t.Run("three columns of one other", func(t *testing.T) {
		check(t, both(fleetOf(fraud, fraud, onset("fraud", 25*second)), m), alone)
	})
	t.Run("one of them earlier", func(t *testing.T) {
		check(t, both(fleetOf(fraud, onset("price", 20*second+decide.CorrelatedWithin+second)), m), alone)
	})
	t.Run("others, not this one", func(t *testing.T) {
		e := fleetOf(onset("fraud", hour), onset("price", hour), onset("churn", hour))
		check(t, both(e, m), alone)
	})
	t.Run("a column that has drifted for weeks begins nothing new", func(t *testing.T) {
		e := settled("1", "3")
		for _, a := range drifted("1", 20*second) {
			if a.Clock == decide.Act {
				a.ActiveAt = ago(9 * minute)
			}
			e.Alerts = append(e.Alerts, a)
		}
		e.SettledAt = ago(30 * day)
		for i := range e.Alerts {
			if e.Alerts[i].Clock == decide.Act {
				e.Alerts[i].ActiveAt = ago(21 * day)
			}
		}
		e.Onsets = append(decide.Onsets(e.Alerts, e, now), fraud, price)
		check(t, both(e, m), alone)
	})
	t.Run("the page clock is enough to count, and leads to no act", func(t *testing.T) {
		e := settled("1", "3")
		e.Alerts = []decide.Alert{page(alert(decide.AlertInputDrift, 20*second, "temp"))}
		e.Onsets = append(decide.Onsets(e.Alerts, e, now), fraud, price)
		w := held
		w.says = "this one's in column temp"
		check(t, both(e, m), w)
	})
	t.Run("broken input", func(t *testing.T) {
		e := settled("1", "3")
		e.Alerts = []decide.Alert{alert(decide.AlertBrokenInput, 20*second, "temp")}
		e.Onsets = append(decide.Onsets(e.Alerts, e, now), fraud, price)
		w := held
		w.says = "this one's in column temp"
		check(t, both(e, m), w)
	})
	t.Run("a day later it is how things are", func(t *testing.T) {
		e := fleetOf(fraud, price)
		for i := range e.Onsets {
			e.Onsets[i].At = e.Onsets[i].At.Add(-decide.CorrelatedFor)
		}
		check(t, both(e, m), alone)
	})
	t.Run("what is over a day old hides nothing that is new", func(t *testing.T) {
		old := func(model string) decide.Onset { return onset(model, 30*hour) }
		e := fleetOf(fraud, price, old("flights"), old("a"), old("b"), old("c"))
		check(t, both(e, m), held)
	})
	t.Run("a release that fails from its first request", func(t *testing.T) {
		e := released(8*second, true)
		e.Alerts = []decide.Alert{on("5", alert(decide.AlertErrors, 5*second, "5xx"))}
		e.Onsets = []decide.Onset{fraud, price, onset("flights", 25*second)}
		check(t, both(e, nil), want{decide.BadRelease, decide.Rollback, decide.ReasonLastGood, "3", "go back to version 3"})
	})
	t.Run("errors of a version that was clean for long", func(t *testing.T) {
		e := fleetOf(fraud, price)
		e.Alerts = append(e.Alerts, alert(decide.AlertErrors, 5*second, "5xx"))
		check(t, both(e, m), held)
	})
}

// When the others have cleared, this one waits until the rows of that time are out
// of what its alerts look back on.
func TestSeveralAtOnceCastAShadow(t *testing.T) {
	e := fleetOf(onset("fraud", 30*second), onset("price", 19*second))
	e.History[0] = decide.Track(e, now)
	if !e.History[0].LastAlert[decide.AlertCause("correlated")].Equal(now) {
		t.Fatalf("not kept in the stay: %+v", e.History[0])
	}
	e.Onsets = decide.Onsets(e.Alerts, e, now)
	live := candidate("1", 0.4, false, false)
	m := &decide.Match{Rows: 4000, Live: &live, Candidates: []decide.Candidate{candidate("2", 0.1, true, true)}}
	at := func(d time.Duration) decide.Decision {
		return decide.Decide(decide.Diagnose(e, policy(), now.Add(d)), m, e, policy(), now.Add(d))
	}
	check(t, at(29*second), want{decide.Correlated, decide.Hold, decide.ReasonCorrelated, "", "at once until 29s ago"})
	check(t, at(30*second), want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "2", ""})

	// Quality that fell meanwhile is no change of what is true either.
	e.Alerts = []decide.Alert{alert(decide.AlertQuality, 5*second, "")}
	check(t, at(10*second), want{decide.Correlated, decide.Hold, decide.ReasonCorrelated, "", "still looks back on"})
	check(t, at(20*second), want{decide.ConceptDrift, decide.Train, decide.ReasonConceptDrift, "", ""})
}

func TestOnsets(t *testing.T) {
	e := settled("1", "3")
	alerts := []decide.Alert{
		alert(decide.AlertInputDrift, 20*second, "temp"), page(alert(decide.AlertInputDrift, 25*second, "temp")),
		alert(decide.AlertBrokenInput, 5*second, "dewp"), pending(alert(decide.AlertInputDrift, 30*second, "wind")),
		alert(decide.AlertErrors, 30*second, "5xx"), on("3", alert(decide.AlertInputDrift, 30*second, "pressure")),
	}
	got := decide.Onsets(alerts, e, now)
	if len(got) != 2 || got[0].Subject != "temp" || !got[0].At.Equal(ago(25*second)) || got[1].Subject != "dewp" {
		t.Errorf("%+v", got)
	}
	if e.SettledAt = ago(5 * second); len(decide.Onsets(alerts, e, now)) != 0 {
		t.Error("a version that has just settled has onsets")
	}
}

func TestSaturation(t *testing.T) {
	slow := func(load, before float64, alerts ...decide.Alert) decide.Evidence {
		e := settled("1", "3")
		e.Alerts = append(alerts, alert(decide.AlertLatency, 15*second, ""))
		e.Load = decide.Load{Requests: load, RequestsBefore: before, P99: 0.5, P99Before: 0.1}
		return e
	}
	held := want{decide.Saturation, decide.Hold, decide.ReasonSaturation, "",
		"since 300 requests/s are asked, where 100 were the most of the hour before, 3.0 times as many; p99 500ms, before 100ms"}
	serving := want{decide.Serving, decide.Hold, decide.ReasonServing, "", "look at what serves it"}
	check(t, both(slow(300, 100), nil), held)
	check(t, both(slow(300, 100, alert(decide.AlertErrors, 15*second, "5xx")), nil), held)
	check(t, both(slow(124, 100), nil), serving)
	check(t, both(slow(125, 100), nil), want{decide.Saturation, decide.Hold, decide.ReasonSaturation, "", "125 requests/s"})
	check(t, both(slow(300, 0), nil), serving) // nothing is known of before

	// Errors come first, and wait for what they may come from.
	e := slow(300, 100, alert(decide.AlertErrors, 3*second, "5xx"))
	e.Alerts[1].Firing = false
	check(t, both(e, nil), want{decide.Serving, decide.Wait, decide.ReasonWaitsForHigherCause, "", "saturation"})

	// A release that was never clean is the release's, whatever is asked of it.
	r := released(40*second, true)
	r.Alerts = []decide.Alert{on("5", alert(decide.AlertLatency, 35*second, ""))}
	r.Load = decide.Load{Requests: 300, RequestsBefore: 100}
	check(t, both(r, nil), want{decide.BadRelease, decide.Rollback, decide.ReasonLastGood, "3", ""})

	// Drift that comes with the crowd leads to nothing meanwhile.
	d := slow(300, 100, drifted("1", 20*second)...)
	check(t, both(d, nil), held)
}

// A version that was trained for a change that labels showed is not deployed for
// what predictions alone let expect.
func TestNotDeployedOnAnEstimate(t *testing.T) {
	e := settled("3", "1")
	e.Alerts = []decide.Alert{on("3", estimated(alert(decide.AlertQuality, 30*second, "")))}
	live := candidate("3", 0.1, true, false)
	m := &decide.Match{Rows: 4000, Live: &live, Candidates: []decide.Candidate{candidate("2", 0.1, true, false)}}
	d := decide.Diagnose(e, policy(), now)
	got := decide.AfterRetrain(decide.Retrained{Version: "2", Cause: decide.ConceptDrift}, d, m, e, policy(), now)
	check(t, got, want{decide.ConceptDrift, decide.Wait, decide.ReasonExpectedError, "", "not deployed now"})
}

package decide_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

func TestEligible(t *testing.T) {
	errors := alert(decide.AlertErrors, 5*second, "5xx")
	latency := alert(decide.AlertLatency, 5*second, "")
	inputs := alert(decide.AlertInputDrift, 5*second, "temp")
	rolling := func(for_ time.Duration, requests float64) decide.Evidence {
		e := released(for_, false)
		e.RolloutRequests = requests
		return e
	}
	fresh := func(for_ time.Duration) decide.Evidence {
		e := settled("1", "3")
		e.SettledAt, e.RolloutSince = ago(for_), time.Time{}
		return e
	}
	changed := func(e decide.Evidence, f func(*decide.Evidence)) decide.Evidence { f(&e); return e }
	for _, test := range []struct {
		name  string
		alert decide.Alert
		e     decide.Evidence
		why   string // why not; empty: it counts
	}{
		{"settled for longer than the window", inputs, fresh(31 * second), ""},
		{"settled for just the window", inputs, fresh(30 * second), "settled for 30s"},
		{"a pending one counts as well", pending(inputs), fresh(31 * second), ""},
		{"other model", inputs, changed(fresh(hour), func(e *decide.Evidence) { e.Model = "other" }), "about model ml/flights"},
		{"other namespace", inputs, changed(fresh(hour), func(e *decide.Evidence) { e.Namespace = "other" }), "about model"},
		{"version that was left", on("3", inputs), fresh(hour), "version 1 is active"},
		{"no active version known", on("", inputs), changed(fresh(hour), func(e *decide.Evidence) { e.Active = "" }), "is active"},
		{"source not fresh", inputs, changed(fresh(hour), func(e *decide.Evidence) { e.Blind = decide.ReasonNoData }), "no_data"},
		{"never settled", inputs, changed(fresh(hour), func(e *decide.Evidence) { e.SettledAt = time.Time{} }), "not wholly rolled out"},
		{"no time", changedAlert(inputs, func(a *decide.Alert) { a.ActiveAt = time.Time{} }), fresh(hour), "since when"},
		{"drift while rolling out", on("5", inputs), rolling(40*second, 1e6), "rollout is under way"},
		{"quality while rolling out", on("5", alert(decide.AlertQuality, second, "")), rolling(40*second, 1e6), "rollout is under way"},
		{"errors of the new version", on("5", errors), rolling(8*second, 100), ""},
		{"errors of the old version", on("3", errors), rolling(8*second, 1000), "version 5 is active"},
		{"errors before 100 requests", on("5", errors), rolling(8*second, 99), "rollout is under way"},
		{"errors from before the rollout", on("5", alert(decide.AlertErrors, 9*second, "")), rolling(8*second, 100), "rollout is under way"},
		{"latency before 30 s", on("5", latency), rolling(29*second, 1000), "rollout is under way"},
		{"latency after 30 s", on("5", latency), rolling(30*second, 1000), ""},
		{"errors when it has just settled", on("5", errors), released(8*second, true), ""},
		{"drift when it has just settled", on("5", inputs), released(8*second, true), "settled for 5s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ok, why := decide.Eligible(test.alert, test.e, now)
			if ok != (test.why == "") || !strings.Contains(why, test.why) {
				t.Errorf("got %v, %q; want %q", ok, why, test.why)
			}
		})
	}
}

func changedAlert(a decide.Alert, f func(*decide.Alert)) decide.Alert { f(&a); return a }

func TestTrack(t *testing.T) {
	e := settled("1", "3")
	quiet, firing := decide.Track(e, now), alert(decide.AlertErrors, 5*second, "5xx")
	if len(quiet.LastAlert) != 0 || quiet.Version != "1" || !quiet.SettledAt.Equal(e.SettledAt) {
		t.Errorf("quiet round: %+v", quiet)
	}
	e.Alerts = []decide.Alert{firing, pending(alert(decide.AlertLatency, 5*second, "")), on("3", alert(decide.AlertQuality, minute, ""))}
	once := decide.Track(e, now)
	if !maps.Equal(once.LastAlert, map[decide.AlertCause]time.Time{decide.AlertErrors: now}) {
		t.Errorf("last alerts %v", once.LastAlert)
	}
	if q := once.LongestQuiet[decide.AlertErrors]; q != 10*minute-5*second {
		t.Errorf("quiet for %s", q)
	}
	if e.History[0].LastAlert != nil {
		t.Error("the evidence was changed")
	}
	// The same alert a moment later adds nothing to the quiet time.
	e.History[0] = once
	twice := decide.Track(e, now.Add(5*second))
	if twice.LongestQuiet[decide.AlertErrors] != once.LongestQuiet[decide.AlertErrors] || !twice.LastAlert[decide.AlertErrors].Equal(now.Add(5*second)) {
		t.Errorf("second round: %+v", twice)
	}
}

// An alert that comes and goes from the start is the release's doing, until
// there has been a clean window; noting it does not change that.
func TestFlappingRelease(t *testing.T) {
	for _, test := range []struct {
		gap   time.Duration
		cause decide.Cause
	}{{8 * second, decide.BadRelease}, {40 * second, decide.Serving}} {
		e := released(3*minute, true)
		e.History[0].LastAlert = map[decide.AlertCause]time.Time{decide.AlertErrors: ago(test.gap + 5*second)}
		e.History[0].LongestQuiet = map[decide.AlertCause]time.Duration{decide.AlertErrors: 2 * second}
		e.Alerts = []decide.Alert{on("5", alert(decide.AlertErrors, 5*second, "5xx"))}
		for round := range 2 {
			if got := decide.Diagnose(e, policy(), now); got.Cause != test.cause {
				t.Errorf("gap %s, round %d: got %s: %s", test.gap, round, got.Cause, got.Message)
			}
			e.History[0] = decide.Track(e, now)
		}
	}
}

// While nobody looked an alert that went on is taken to have gone on, however late the
// rules see it again; one that had cleared before is not.
func TestNobodyLooked(t *testing.T) {
	for _, test := range []struct {
		last  time.Duration // before the last look
		away  time.Duration
		cause decide.Cause
	}{
		{second, 20 * minute, decide.BadRelease}, {20 * second, 40 * second, decide.BadRelease}, {40 * second, 40 * second, decide.Serving},
	} {
		e := released(30*minute, true)
		e.Unwatched = ago(test.away)
		e.History[0].LastAlert = map[decide.AlertCause]time.Time{decide.AlertErrors: e.Unwatched.Add(-test.last)}
		e.History[0].LongestQuiet = map[decide.AlertCause]time.Duration{decide.AlertErrors: 2 * second}
		// At first no alert is there, then it is.
		for _, alerts := range [][]decide.Alert{nil, {on("5", alert(decide.AlertErrors, second, "5xx"))}} {
			e.Alerts = alerts
			e.History[0], e.Unwatched = decide.Track(e, now), time.Time{}
		}
		if got := decide.Diagnose(e, policy(), now); got.Cause != test.cause {
			t.Errorf("%+v: got %s: %s", test, got.Cause, got.Message)
		}
	}
}

// Time in which nobody looked is not quiet: a release that was bad from its start is
// not excused because both controllers were away when that showed. One that was seen
// to be clean before is.
func TestNobodySawTheRelease(t *testing.T) {
	for _, test := range []struct {
		settled, seen, away, rules time.Duration // ago; 0: all the time
		cause                      decide.Cause
	}{
		{40 * second, 39 * second, 35 * second, 10 * second, decide.BadRelease},
		{40 * second, 0, 35 * second, 10 * second, decide.BadRelease}, // the first request was seen after it
		{40 * second, 39 * second, 0, 10 * second, decide.Serving},
		{40 * second, 39 * second, 35 * second, 0, decide.Serving}, // of the one that took over
		{5 * minute, 4 * minute, 35 * second, 10 * second, decide.Serving},
	} {
		e := released(test.settled, true)
		e.SettledAt, e.RolloutSince, e.History[0].SettledAt = ago(test.settled), ago(test.settled+10*second), ago(test.settled)
		e.Alerts = nil
		if test.seen > 0 {
			e.History[0].SeenSince = map[decide.AlertCause]time.Time{decide.AlertErrors: ago(test.seen)}
		}
		if test.away > 0 {
			e.Unwatched = ago(test.away)
		}
		if test.rules > 0 {
			e.RulesSince = ago(test.rules)
		}
		back := ago(8 * second)
		for range 2 { // whoever judges again what was judged finds the same
			e.History[0] = decide.Track(e, back)
		}
		e.Unwatched = time.Time{}
		if test.seen == 0 {
			e.History[0].SeenSince = map[decide.AlertCause]time.Time{decide.AlertErrors: back}
		}
		e.Alerts = []decide.Alert{on("5", alert(decide.AlertErrors, 5*second, "5xx"))}
		if got := decide.Diagnose(e, policy(), now); got.Cause != test.cause {
			t.Errorf("%+v: got %s: %s", test, got.Cause, got.Message)
		}
	}
}

// While nothing can be seen an alert that went on is taken to go on: the time is no
// clean window, and the release is not excused when the alert comes back.
func TestBlindIsNotQuiet(t *testing.T) {
	for _, test := range []struct {
		blind decide.Reason
		cause decide.Cause
	}{{decide.ReasonNoData, decide.BadRelease}, {"", decide.Serving}} {
		e := released(3*minute, true)
		e.Alerts = nil
		e.History[0].LastAlert = map[decide.AlertCause]time.Time{decide.AlertErrors: ago(65 * second)}
		e.History[0].LongestQuiet = map[decide.AlertCause]time.Duration{decide.AlertErrors: 2 * second}
		e.Blind = test.blind
		for back := 60; back >= 10; back -= 5 {
			e.History[0] = decide.Track(e, ago(second*dur(back)))
		}
		e.Blind = ""
		e.Alerts = []decide.Alert{on("5", alert(decide.AlertErrors, 5*second, "5xx"))}
		if got := decide.Diagnose(e, policy(), now); got.Cause != test.cause {
			t.Errorf("blind for %q: got %s: %s", test.blind, got.Cause, got.Message)
		}
	}
}

// An alert that is there from the start is the release's doing, though nothing
// rests on it yet, and though a sharper one is later.
func TestAlertBeforeItCounts(t *testing.T) {
	for _, test := range []struct {
		from  time.Duration // the alert of the longer window
		cause decide.Cause
	}{{23 * second, decide.BadRelease}, {8 * second, decide.ConceptDrift}} {
		e := released(28*second, true)
		slow := on("5", alert(decide.AlertQuality, test.from, ""))
		sharp := on("5", page(alert(decide.AlertQuality, 11*second, "")))
		for back := 22; back >= 0; back -= 2 {
			e.Alerts = nil
			for _, a := range []decide.Alert{slow, sharp} {
				if a.ActiveAt.Before(ago(second * dur(back))) {
					e.Alerts = append(e.Alerts, a)
				}
			}
			e.History[0] = decide.Track(e, ago(second*dur(back)))
		}
		if got := decide.Diagnose(e, policy(), now); got.Cause != test.cause {
			t.Errorf("active for %s: got %s: %s (%+v)", test.from, got.Cause, got.Message, e.History[0])
		}
	}
}

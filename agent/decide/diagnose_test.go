package decide_test

import (
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

func TestDiagnose(t *testing.T) {
	errors := alert(decide.AlertErrors, 5*second, "5xx")
	latency := alert(decide.AlertLatency, 5*second, "")
	quality := alert(decide.AlertQuality, 5*second, "")
	predictions := alert(decide.AlertPredictionDrift, 5*second, "air_time")
	inputs := alert(decide.AlertInputDrift, 18*second, "temp")
	broken := alert(decide.AlertBrokenInput, 5*second, "temp")
	long := func(alerts ...decide.Alert) decide.Evidence {
		e := settled("1", "3")
		e.Alerts = alerts
		return e
	}
	young := func(d time.Duration, alerts ...decide.Alert) decide.Evidence {
		e := released(d, true)
		for _, a := range alerts {
			e.Alerts = append(e.Alerts, on("5", a))
		}
		return e
	}
	changed := func(e decide.Evidence, f func(*decide.Evidence)) decide.Evidence { f(&e); return e }
	const wait = decide.ReasonWaitsForHigherCause
	for _, test := range []struct {
		name string
		e    decide.Evidence
		want want
	}{
		{"serving: errors, long clean", long(errors), want{decide.Serving, decide.Hold, decide.ReasonServing, "", "9m55s"}},
		{"serving: latency, long clean", long(latency), want{decide.Serving, decide.Hold, decide.ReasonServing, "", ""}},
		{"serving is above drift", long(append(drifted("1", 9*second), errors)...), want{decide.Serving, decide.Hold, decide.ReasonServing, "", ""}},
		{"errors pending hold drift", long(inputs, pending(errors)), want{decide.InputDrift, decide.Wait, wait, "", "serving"}},
		{"broken input pending holds a bad release", young(16*second, alert(decide.AlertErrors, 9*second, ""), pending(alert(decide.AlertBrokenInput, second, "temp"))),
			want{decide.BadRelease, decide.Wait, wait, "", "broken input"}},
		{"a bad release pending holds drift", young(40*second, inputs, pending(alert(decide.AlertQuality, 15*second, ""))),
			want{decide.InputDrift, decide.Wait, wait, "", "bad release"}},
		{"quality pending, long clean, holds no drift", long(inputs, pending(quality)), want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", ""}},
		{"broken input pending alone", long(pending(broken)), want{decide.None, decide.NoAction, decide.ReasonHealthy, "", "1 alert "}},

		{"bad release by latency", young(40*second, alert(decide.AlertLatency, 8*second, "")), want{decide.BadRelease, decide.Rollback, decide.ReasonLastGood, "3", "settled 37s ago"}},
		{"bad release by quality", young(30*second, alert(decide.AlertQuality, 4*second, "")), want{decide.BadRelease, decide.Rollback, decide.ReasonLastGood, "3", ""}},
		{"bad release by predictions", young(40*second, alert(decide.AlertPredictionDrift, 4*second, "y")), want{decide.BadRelease, decide.Rollback, decide.ReasonLastGood, "3", ""}},
		{"an expected error is told, not acted on", long(estimated(quality)), want{decide.PredictionDrift, decide.Hold, decide.ReasonExpectedError, "", "an estimate"}},
		{"an expected error makes no bad release", young(30*second, estimated(alert(decide.AlertQuality, 4*second, ""))),
			want{decide.PredictionDrift, decide.Hold, decide.ReasonExpectedError, "", ""}},
		{"labels go before what is expected", long(quality, estimated(quality)), want{decide.ConceptDrift, decide.Train, decide.ReasonConceptDrift, "", ""}},
		{"an expected error holds no drift", long(inputs, estimated(quality)), want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", ""}},
		{"an expected error that is pending is nothing", long(pending(estimated(quality))), want{decide.None, decide.NoAction, decide.ReasonHealthy, "", ""}},
		{"labels that came late are no clean window",
			changed(young(5*minute, alert(decide.AlertQuality, 4*second, "")), func(e *decide.Evidence) {
				e.History[0].SeenSince = map[decide.AlertCause]time.Time{decide.AlertQuality: ago(20 * second)}
			}), want{decide.BadRelease, decide.Rollback, decide.ReasonLastGood, "3", ""}},
		{"the page clock saw that predictions were clean at first", young(60*second, alert(decide.AlertPredictionDrift, 25*second, "y"), page(alert(decide.AlertPredictionDrift, 30*second, "y"))),
			want{decide.PredictionDrift, decide.Hold, decide.ReasonPredictionDrift, "", ""}},
		{"the page clock saw that answers were as right as ever at first", young(60*second, alert(decide.AlertQuality, 40*second, ""), page(alert(decide.AlertQuality, 42*second, ""))),
			want{decide.ConceptDrift, decide.Train, decide.ReasonConceptDrift, "", ""}},
		{"bad release by quality, as the page clock saw it", young(60*second, alert(decide.AlertQuality, 40*second, ""), page(alert(decide.AlertQuality, 50*second, ""))),
			want{decide.BadRelease, decide.Rollback, decide.ReasonLastGood, "3", ""}},
		{"lost quality that only the page clock sees is told", long(page(quality)), want{decide.None, decide.NoAction, decide.ReasonHealthy, "", "1 alert "}},
		{"of two page windows the one that was first is asked", young(40*second, alert(decide.AlertPredictionDrift, 4*second, "y"),
			page(alert(decide.AlertPredictionDrift, 6*second, "y")), changedAlert(page(alert(decide.AlertPredictionDrift, 12*second, "y")), func(a *decide.Alert) { a.Window = 25 * second })),
			want{decide.BadRelease, decide.Rollback, decide.ReasonLastGood, "3", ""}},
		{"predecessor did not end clean", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.History[1].LastAlert = map[decide.AlertCause]time.Time{decide.AlertErrors: ago(9 * second)}
		}), want{decide.Serving, decide.Hold, decide.ReasonServing, "", "version 3 before it"}},
		{"nothing was ever seen of the predecessor", changed(young(8*second, errors), func(e *decide.Evidence) { e.History[1].SeenSince = nil }),
			want{decide.Serving, decide.Hold, decide.ReasonNoGoodVersion, "", "of version 3 before it no request was ever counted"}},
		{"lost quality, and the predecessor had no labels", changed(young(60*second, alert(decide.AlertQuality, 50*second, "")), func(e *decide.Evidence) {
			delete(e.History[1].SeenSince, decide.AlertQuality)
		}), want{decide.ConceptDrift, decide.Train, decide.ReasonConceptDrift, "", ""}},
		{"predecessor was too short to tell", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.History[1].SettledAt = ago(12 * second)
		}), want{decide.Serving, decide.Hold, decide.ReasonServing, "", "version 3 before it"}},
		{"back from a release that never settled: not this version's doing", changed(young(8*second, errors), func(e *decide.Evidence) {
			left := decide.Served{Version: "6", ReplacedAt: ago(8 * second), LeftFor: decide.BadRelease}
			e.History = []decide.Served{e.History[0], left, e.History[1]}
		}), want{decide.Serving, decide.Hold, decide.ReasonServing, "", "version 6 before it"}},
		{"a release that never settled and had alerts is not passed over", changed(young(8*second, errors), func(e *decide.Evidence) {
			left := decide.Served{Version: "6", ReplacedAt: ago(8 * second), LastAlert: map[decide.AlertCause]time.Time{decide.AlertErrors: ago(9 * second)}}
			e.History = []decide.Served{e.History[0], left, e.History[1]}
		}), want{decide.Serving, decide.Hold, decide.ReasonServing, "", "version 6 before it"}},
		{"a release that never got up is passed over", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.History = []decide.Served{e.History[0], {Version: "6", ReplacedAt: ago(8 * second)}, e.History[1]}
		}), want{decide.BadRelease, decide.Rollback, decide.ReasonLastGood, "3", ""}},
		{"same version, new template", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.History[0].SettledAt = ago(hour)
		}), want{decide.Serving, decide.Hold, decide.ReasonServing, "", ""}},
		{"same version before and after", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.History[1].Version = "5"
		}), want{decide.Serving, decide.Hold, decide.ReasonServing, "", "in service before"}},
		{"the first version ever", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.History, e.Versions = e.History[:1], e.Versions[3:]
		}), want{decide.Serving, decide.Hold, decide.ReasonFirstVersion, "", "is the first"}},
		{"nothing seen in service before", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.History = e.History[:1]
		}), want{decide.Serving, decide.Hold, decide.ReasonNoGoodVersion, "", ""}},
		{"bad release, no good version", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.Versions[2].Rejected = true
		}), want{decide.BadRelease, decide.Hold, decide.ReasonNoGoodVersion, "", "clean for 20s"}},
		{"bad release, not registered", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.Versions = e.Versions[:3]
		}), want{decide.BadRelease, decide.Hold, decide.ReasonUnregistered, "", "among the 3"}},
		{"bad release, empty registry", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.Versions = nil
		}), want{decide.BadRelease, decide.Hold, decide.ReasonEmptyRegistry, "", ""}},
		{"drift, not registered", changed(long(inputs), func(e *decide.Evidence) {
			e.Versions = e.Versions[1:]
		}), want{decide.InputDrift, decide.Hold, decide.ReasonUnregistered, "", ""}},
		{"drift, empty registry", changed(long(inputs), func(e *decide.Evidence) {
			e.Versions = nil
		}), want{decide.InputDrift, decide.Hold, decide.ReasonEmptyRegistry, "", ""}},

		{"rolling out", changed(released(8*second, false), func(e *decide.Evidence) {
			e.Alerts = []decide.Alert{on("5", inputs), on("5", pending(errors))}
		}), want{decide.RollingOut, decide.Wait, decide.ReasonRollingOut, "", "400 requests"}},
		{"settling", young(8*second, inputs), want{decide.None, decide.NoAction, decide.ReasonSettling, "", "1 alert "}},
		{"label and artifact disagree", changed(long(errors), func(e *decide.Evidence) {
			e.Mismatch = "s3://models/flights/7"
		}), want{decide.HumanChanged, decide.Hold, decide.ReasonVersionMismatch, "", "s3://models/flights/7"}},
		{"a person overrules what is open", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.OpenSince = ago(10 * second)
		}), want{decide.HumanChanged, decide.Hold, decide.ReasonHumanChanged, "", "2s after"}},
		{"a person changed before it was begun", changed(young(8*second, errors), func(e *decide.Evidence) {
			e.OpenSince = ago(6 * second)
		}), want{decide.BadRelease, decide.Rollback, decide.ReasonLastGood, "3", ""}},

		{"inputs drift", long(inputs), want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", ""}},
		{"inputs drift since a moment ago", long(changedAlert(inputs, func(a *decide.Alert) { a.ActiveAt = ago(10 * second) })),
			want{decide.InputDrift, decide.Hold, decide.ReasonInputsMoving, "", "temp was noticed only 10s ago: see for another 5s"}},
		{"a second column drifts since a moment ago", long(inputs, changedAlert(inputs, func(a *decide.Alert) { a.ActiveAt, a.Subject = ago(10*second), "dewp" })),
			want{decide.InputDrift, decide.Hold, decide.ReasonInputsMoving, "", "dewp was noticed only 10s ago"}},
		{"the slow clock acts too", long(changedAlert(inputs, func(a *decide.Alert) { a.Clock = decide.Slow })),
			want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", ""}},
		{"the page clock alone does nothing", long(page(inputs)), want{decide.None, decide.NoAction, decide.ReasonHealthy, "", ""}},
		{"predictions drift", long(predictions), want{decide.PredictionDrift, decide.Hold, decide.ReasonPredictionDrift, "", "11:59:55Z"}},
		{"predictions and quality", long(predictions, quality), want{decide.PredictionDrift, decide.Hold, decide.ReasonPredictionDrift, "", ""}},
		{"quality waits for predictions", long(pending(predictions), quality), want{decide.ConceptDrift, decide.Wait, wait, "", "prediction drift"}},
		{"quality waits for inputs", long(pending(page(inputs)), quality), want{decide.ConceptDrift, decide.Wait, wait, "", "input drift"}},
		{"quality falls", long(quality), want{decide.ConceptDrift, decide.Train, decide.ReasonConceptDrift, "", "did not change"}},
		{"quality is pending", long(pending(quality)), want{decide.None, decide.NoAction, decide.ReasonHealthy, "", ""}},
		{"quality after broken input", changed(long(changedAlert(quality, func(a *decide.Alert) { a.Window = day })), func(e *decide.Evidence) {
			e.SettledAt = ago(3 * day)
			e.History[0].SettledAt = e.SettledAt
			e.History[0].LastAlert = map[decide.AlertCause]time.Time{decide.AlertBrokenInput: ago(hour)}
		}), want{decide.BrokenInput, decide.Hold, decide.ReasonBrokenInput, "", "last 24h"}},
		{"quality of later rows, inputs of broken ones", changed(long(quality, inputs), func(e *decide.Evidence) {
			e.History[0].LastAlert = map[decide.AlertCause]time.Time{decide.AlertBrokenInput: ago(25 * second)}
		}), want{decide.ConceptDrift, decide.Wait, wait, "", "input drift"}},
		{"drift of later rows than the broken ones", changed(long(inputs, changedAlert(inputs, func(a *decide.Alert) {
			a.Clock, a.Window = decide.Slow, 5*minute
		})), func(e *decide.Evidence) {
			e.History[0].LastAlert = map[decide.AlertCause]time.Time{decide.AlertBrokenInput: ago(minute)}
		}), want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			check(t, both(test.e, &decide.Match{Rows: 4000}), test.want)
		})
	}
}

func TestOnset(t *testing.T) {
	inputs := func(clock decide.Clock, active time.Duration, column string) decide.Alert {
		a := alert(decide.AlertInputDrift, active, column)
		a.Clock = clock
		return a
	}
	for _, test := range []struct {
		name   string
		alerts []decide.Alert
		broken time.Duration
		want   time.Duration
	}{
		{"since the page clock noticed", []decide.Alert{inputs(decide.Page, 9*second, "a"), inputs(decide.Act, 7*second, "a")}, 0, 9 * second},
		{"the page alert came and went", []decide.Alert{inputs(decide.Page, 2*second, "a"), inputs(decide.Act, 7*second, "a")}, 0, 7 * second},
		{"no page alert", []decide.Alert{inputs(decide.Act, 7*second, "a")}, 0, 7 * second},
		{"a page alert on another column", []decide.Alert{inputs(decide.Page, 12*second, "b"), inputs(decide.Act, 7*second, "a")}, 0, 7 * second},
		{"one column was off for long", []decide.Alert{inputs(decide.Act, 5*minute, "a"), inputs(decide.Act, 7*second, "b"), inputs(decide.Act, 6*second, "c")}, 0, 7 * second},
		{"at most the window of the match", []decide.Alert{inputs(decide.Act, 5*minute, "a")}, 0, 15 * second},
		{"not before input was mended", []decide.Alert{inputs(decide.Act, 40*second, "a")}, 31 * second, 15 * second},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := settled("1", "3")
			e.Alerts = test.alerts
			if test.broken > 0 {
				e.History[0].LastAlert = map[decide.AlertCause]time.Time{decide.AlertBrokenInput: ago(test.broken)}
			}
			d := decide.Diagnose(e, policy(), now)
			if !d.NeedsMatch || !d.MatchFrom.Equal(ago(test.want)) {
				t.Errorf("match from %s before now, want %s: %s", now.Sub(d.MatchFrom), test.want, d.Message)
			}
		})
	}
	e := settled("1", "3")
	e.Alerts = []decide.Alert{inputs(decide.Act, 40*second, "a")}
	e.History[0].LastAlert = map[decide.AlertCause]time.Time{decide.AlertBrokenInput: ago(31 * second)}
	p := policy()
	p.MatchWindow = hour
	if d := decide.Diagnose(e, p, now); !d.MatchFrom.Equal(ago(31 * second)) {
		t.Errorf("rows of broken input are matched: from %s before now", now.Sub(d.MatchFrom))
	}
}

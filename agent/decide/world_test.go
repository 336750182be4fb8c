package decide_test

import (
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

// The world of the tests is the demo's: seconds where a cluster has hours.
// Version 1 is winter's, 2 autumn's (gated, never live), 3 summer's.

var now = time.Date(2013, 12, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

const (
	second = time.Second
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

func policy() decide.Policy {
	return decide.Policy{
		MatchWindow: 15 * second, MinSamples: 1000,
		GoodAfter: 20 * second, VerifyFor: 15 * second,
		Cooldown: 5 * second, ChangesPerDay: 20, RetrainsPerWeek: 5, ReturnAfter: minute, CanRetrain: true,
	}
}

// settled is a workload whose active version has served for ten minutes, after
// another one that served for an hour.
func settled(active, before string) decide.Evidence {
	e := decide.Evidence{
		Namespace: "ml", Model: "flights", Active: active,
		SettledAt: ago(10 * minute), RolloutSince: ago(10*minute + 10*second), RolloutRequests: 240000,
		Versions: []decide.Known{
			{Version: "1", Compat: "a", Schema: "s"}, {Version: "2", Compat: "a", Schema: "s", Gated: true},
			{Version: "3", Compat: "a", Schema: "s", Gated: true},
		},
		History:     []decide.Served{{Version: active, SettledAt: ago(10 * minute), SeenSince: seen(ago(10 * minute))}},
		FleetGuards: 1,
	}
	if before != "" {
		e.History = append(e.History, decide.Served{
			Version: before, SettledAt: ago(70 * minute), ReplacedAt: ago(10*minute + 10*second), SeenSince: seen(ago(70 * minute)),
		})
	}
	return e
}

// seen are the first requests and the first labels of a stay.
func seen(at time.Time) map[decide.AlertCause]time.Time {
	return map[decide.AlertCause]time.Time{decide.AlertErrors: at, decide.AlertLatency: at, decide.AlertQuality: at}
}

// released has a version 5 rolled out by a person d ago, and settled a moment
// later unless that is still to come.
func released(d time.Duration, isSettled bool) decide.Evidence {
	e := settled("5", "3")
	e.Versions = append(e.Versions, decide.Known{Version: "5", Compat: "a", Schema: "s"})
	e.RolloutSince, e.RolloutRequests = ago(d), 400
	e.RollingOut, e.SettledAt = !isSettled, time.Time{}
	if isSettled {
		e.SettledAt = ago(d - 3*second)
	}
	e.History[0].SettledAt = e.SettledAt
	e.History[1].SettledAt, e.History[1].ReplacedAt = ago(d+hour), ago(d)
	e.Human, e.HumanManager, e.HumanAt = true, "kubectl-client-side-apply", ago(d)
	return e
}

func alert(cause decide.AlertCause, active time.Duration, subject string) decide.Alert {
	a := decide.Alert{
		Name: "Leeway" + string(cause), Cause: cause, Firing: true, ActiveAt: ago(active),
		Namespace: "ml", Model: "flights", Version: "1", Subject: subject, Value: 0.2,
	}
	switch cause {
	case decide.AlertErrors, decide.AlertBrokenInput:
		a.Window = 10 * second
	case decide.AlertLatency:
		a.Window = 30 * second
	case decide.AlertQuality:
		a.Window = 20 * second
	default:
		a.Window, a.Clock = 30*second, decide.Act
	}
	return a
}

func on(version string, a decide.Alert) decide.Alert { a.Version = version; return a }

func pending(a decide.Alert) decide.Alert { a.Firing = false; return a }

func estimated(a decide.Alert) decide.Alert { a.Estimated = true; return a }

func page(a decide.Alert) decide.Alert {
	a.Clock, a.Window = decide.Page, 10*second
	return a
}

// drifted has inputs drift in three columns for d, as both clocks see it.
func drifted(version string, d time.Duration) []decide.Alert {
	var alerts []decide.Alert
	for _, column := range []string{"temp", "dewp", "pressure"} {
		alerts = append(alerts, on(version, page(alert(decide.AlertInputDrift, d, column))),
			on(version, alert(decide.AlertInputDrift, d-second, column)))
	}
	return alerts
}

func candidate(version string, distance float64, fits, better bool) decide.Candidate {
	return decide.Candidate{Version: version, Distance: distance, Tolerance: 0.2, Fits: fits, Better: better}
}

// december is the registry's answer to December's rows while summer is live.
func december() *decide.Match {
	live := candidate("3", 0.245, false, false)
	return &decide.Match{Rows: 4000, Live: &live, Candidates: []decide.Candidate{
		candidate("1", 0.144, true, true), candidate("2", 0.223, false, false),
	}}
}

func both(e decide.Evidence, m *decide.Match) decide.Decision {
	return decide.Decide(decide.Diagnose(e, policy(), now), m, e, policy(), now)
}

type want struct {
	cause  decide.Cause
	action decide.Action
	reason decide.Reason
	target string
	says   string // part of the message
}

func check(t *testing.T, got decide.Decision, w want) {
	t.Helper()
	if got.Cause != w.cause || got.Action != w.action || got.Reason != w.reason {
		t.Errorf("got %s/%s/%s, want %s/%s/%s: %s", got.Cause, got.Action, got.Reason, w.cause, w.action, w.reason, got.Message)
	}
	if got.Action.Acts() && got.Target != w.target {
		t.Errorf("target %q, want %q: %s", got.Target, w.target, got.Message)
	}
	if !strings.Contains(got.Message, w.says) || got.Message == "" || strings.Contains(got.Message, "%!") {
		t.Errorf("message %q does not say %q", got.Message, w.says)
	}
}

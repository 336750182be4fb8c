package decide_test

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

type dur = time.Duration

func TestGate(t *testing.T) {
	bound := func(x float64) *float64 { return &x }
	relative := decide.GateRule{Metric: "mae", Max: bound(1.05), RelativeToLive: true}
	most := decide.GateRule{Metric: "mae", Max: bound(10)}
	least := decide.GateRule{Metric: "r2", Min: bound(0.5)}
	type metrics = map[string]float64
	for _, test := range []struct {
		name            string
		rules           []decide.GateRule
		candidate, live metrics
		reason          decide.Reason
		says            string
	}{
		{"within the factor", []decide.GateRule{relative}, metrics{"mae": 10.5}, metrics{"mae": 10}, decide.ReasonGatePassed, "mae 10.5 (live: 10)"},
		{"above the factor", []decide.GateRule{relative}, metrics{"mae": 10.51}, metrics{"mae": 10}, decide.ReasonGateFailed, "above 10.5"},
		{"live was not measured", []decide.GateRule{relative}, metrics{"mae": 6}, nil, decide.ReasonNoComparison, "live version was not measured"},
		{"live is not a number", []decide.GateRule{relative}, metrics{"mae": 6}, metrics{"mae": math.NaN()}, decide.ReasonNoComparison, ""},
		{"live is negative", []decide.GateRule{relative}, metrics{"mae": 6}, metrics{"mae": -1}, decide.ReasonNoComparison, "negative"},
		{"live is perfect, so must it be", []decide.GateRule{relative}, metrics{"mae": 0.1}, metrics{"mae": 0}, decide.ReasonGateFailed, ""},
		{"the new one was not measured", []decide.GateRule{most}, nil, metrics{"mae": 6}, decide.ReasonGateFailed, "new version was not measured"},
		{"the new one is infinite", []decide.GateRule{least}, metrics{"r2": math.Inf(1)}, nil, decide.ReasonGateFailed, ""},
		{"absolute, met", []decide.GateRule{most, least}, metrics{"mae": 10, "r2": 0.5}, nil, decide.ReasonGatePassed, "; r2 0.5"},
		{"absolute, too much", []decide.GateRule{most}, metrics{"mae": 10.1}, nil, decide.ReasonGateFailed, ""},
		{"absolute, too little", []decide.GateRule{least}, metrics{"r2": 0.4}, nil, decide.ReasonGateFailed, "below 0.5"},
		{"a failure says more than no comparison", []decide.GateRule{relative, least}, metrics{"mae": 6, "r2": 0.1}, nil, decide.ReasonGateFailed, "r2"},
		{"one of two can't be compared", []decide.GateRule{relative, least}, metrics{"mae": 6, "r2": 0.9}, nil, decide.ReasonNoComparison, "mae"},
		{"a rule without bounds", []decide.GateRule{{Metric: "mae"}}, metrics{"mae": 6}, nil, decide.ReasonNoComparison, "neither"},
		{"no rules", nil, metrics{"mae": 6}, metrics{"mae": 7}, decide.ReasonNoComparison, "no metric"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ok, reason, message := decide.Gate(test.rules, test.candidate, test.live)
			if ok != (test.reason == decide.ReasonGatePassed) || reason != test.reason || message == "" || !strings.Contains(message, test.says) {
				t.Errorf("got %v, %s, %q; want %s saying %q", ok, reason, message, test.reason, test.says)
			}
		})
	}
}

func TestName(t *testing.T) {
	settled := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
	const want = "churn-65309d6666"
	if got := decide.Name("churn", decide.InputDrift, "3", settled, 1); got != want {
		t.Errorf("the name changed, and with it the lock: got %s, want %s", got, want)
	}
	same := settled.Truncate(time.Microsecond).In(time.FixedZone("", 3600))
	if got := decide.Name("churn", decide.InputDrift, "3", same, 1); got != want {
		t.Errorf("the same time as an object's status keeps it gives %s", got)
	}
	seen := map[string]bool{}
	for _, name := range []string{
		decide.Name("churn", decide.InputDrift, "3", settled, 1), decide.Name("churn", decide.InputDrift, "3", settled, 2),
		decide.Name("churn", decide.BadRelease, "3", settled, 1), decide.Name("churn", decide.InputDrift, "31", settled, 1),
		decide.Name("churn", decide.InputDrift, "3", settled.Add(time.Microsecond), 1), decide.Name("churn", decide.InputDrift, "3", time.Time{}, 1),
		decide.Name("churn2", decide.InputDrift, "3", settled, 1), decide.Name("Churn", decide.InputDrift, "3", settled, 1),
		decide.Name("", "", "", time.Time{}, 0), decide.Name(strings.Repeat("a.", 120), "", "", settled, -1),
		decide.Name(strings.Repeat("a.", 120)+"b", "", "", settled, -1), decide.Name("-é.", "", "", settled, 1),
	} {
		if seen[name] {
			t.Errorf("%s twice", name)
		}
		seen[name] = true
		if len(name) > 63 || !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`).MatchString(name) {
			t.Errorf("%q is not a DNS label", name)
		}
	}
}

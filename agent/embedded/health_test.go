package embedded_test

import (
	"slices"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/embedded"
)

const ticking = `groups:
- name: test
  rules:
  - record: leeway:tick
    expr: vector(1)
  - record: leeway:load:double
    expr: load * 2
  - alert: Loaded
    expr: leeway:load:double > 100
    labels: {leeway_cause: latency, leeway_window: 1m, severity: info}
`

// TestSameInstantTwice stores a result for an instant that a rule is evaluated
// for a moment later. The rule then can't store its own, which says nothing
// against the rules.
func TestSameInstantTwice(t *testing.T) {
	const interval = 200 * time.Millisecond
	e := start(t, embedded.Config{DataDir: t.TempDir(), EvaluationInterval: interval,
		RulesDir: rulesDir(t, map[string]string{"a.yaml": ticking})})
	eventually(t, "healthy", func() bool { return e.Health(time.Now()).OK() })
	tick, err := e.Query(t.Context(), "timestamp(leeway:tick)", time.Now())
	if err != nil || len(tick) != 1 {
		t.Fatal(tick, err)
	}
	at := time.UnixMilli(int64(tick[0].F * 1000)).Add(10 * interval)
	e.append(t, at, 99, "__name__", "leeway:load:double")
	time.Sleep(time.Until(at.Add(-interval / 2)))
	e.append(t, at.Add(-interval/2), 7, "__name__", "load")
	for time.Since(at) < 2*interval {
		if h := e.Health(time.Now()); !h.OK() {
			t.Fatalf("not healthy: %+v", h)
		}
		time.Sleep(5 * time.Millisecond)
	}
	eventually(t, "recorded again", func() bool {
		v, err := e.Query(t.Context(), "leeway:load:double", time.Now())
		return err == nil && len(v) == 1 && v[0].F == 14
	})
}

// TestHealthIsOfVerdicts has rules with a cause, what they rest on in a group of
// its own, and rules for people that are evaluated every few minutes: nobody is
// blind until these have had their turn.
func TestHealthIsOfVerdicts(t *testing.T) {
	const rules = `groups:
- name: judges
  rules:
  - alert: Loaded
    expr: leeway:load:double > 100
    labels: {leeway_cause: latency, leeway_window: 1m, severity: info}
- name: base
  rules:
  - record: leeway:load:double
    expr: load * 2
- name: people
  interval: 4m
  rules:
  - record: leeway:load:half
    expr: leeway:load:double / 4
  - alert: Idle
    expr: leeway:load:half < 1
`
	e := start(t, embedded.Config{DataDir: t.TempDir(), EvaluationInterval: 200 * time.Millisecond,
		RulesDir: rulesDir(t, map[string]string{"a.yaml": rules})})
	eventually(t, "healthy", func() bool { return e.Health(time.Now()).OK() })
	h := e.Health(time.Now().Add(time.Hour))
	if want := []string{"base", "judges"}; !slices.Equal(slices.Sorted(slices.Values(h.Stalled)), want) || h.Groups != 3 {
		t.Errorf("an hour later %q of %d groups count as stalled, want %q of 3", h.Stalled, h.Groups, want)
	}
}

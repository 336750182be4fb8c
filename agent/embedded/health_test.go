package embedded_test

import (
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

package rules_test

import (
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules"
)

// With windows of seconds and the assumed clustering, at 400 rows a second:
// errors are seen within seconds, drift is first paged, then acted on.
func TestDemoValuesDetectInSeconds(t *testing.T) {
	v, err := rules.ParseValues(demo(t))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, v)
	const change = 60
	first := map[string]int{}
	drifted, good, bad := 0.0, 0.0, 0.0
	for s := range 120 {
		at := midnight.Add(time.Duration(s) * time.Second)
		if s >= change {
			drifted, bad = drifted+4, bad+80
			good += 320
		} else {
			good += 400
		}
		counters := asTrained.samples("temp", "leeway_feature_observations_total", 4*float64(min(s, change)))
		for i, c := range moved.samples("temp", "", drifted) {
			counters[i].value += c.value
		}
		r.append(at, counters...)
		r.append(at, trained("temp")...)
		r.append(at,
			sample{model("leeway_request_duration_seconds_count", "churn", "code", "2xx"), good},
			sample{model("leeway_request_duration_seconds_count", "churn", "code", "5xx"), bad})
		r.eval(at, "leeway-feature-reference", "leeway-feature-drift-10s", "leeway-feature-drift-30s", "leeway-errors")
		for name, alert := range map[string]string{
			"page":   `{alertname="LeewayInputDrift", leeway_clock="page", alertstate="firing"}`,
			"act":    `{alertname="LeewayInputDrift", leeway_clock="act", alertstate="firing"}`,
			"errors": `{alertname="LeewayErrors", alertstate="firing"}`,
		} {
			if _, seen := first[name]; !seen && len(r.query(at, "ALERTS"+alert, "alertname")) > 0 {
				first[name] = s - change
			}
		}
	}
	for name, most := range map[string]int{"errors": 3, "page": 10, "act": 25} {
		after, fired := first[name]
		if !fired || after < 0 || after > most {
			t.Errorf("%s fired: %v, %d s after the change; want within %d s and not before", name, fired, after, most)
		}
	}
	if first["page"] > first["act"] {
		t.Errorf("act fired after %d s, before page after %d s", first["act"], first["page"])
	}
	t.Logf("seconds until firing: %v", first)
}

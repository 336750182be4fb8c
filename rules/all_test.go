package rules_test

import (
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules"
)

// When all is wrong, samples that come between two rules make it a little more than
// all. The alerts stay: a version of which every answer is an error, and input of
// which every row is broken, are not noise.
func TestAllOfItIsWrong(t *testing.T) {
	v, err := rules.ParseValues(demo(t))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, v)
	const from, to = 20, 40
	for s := range to {
		at, rows := midnight.Add(time.Duration(s)*time.Second), 400*float64(s)
		r.append(at,
			sample{model("leeway_request_duration_seconds_count", "churn", "code", "5xx"), rows},
			sample{model("leeway_captures_total", "churn", "result", "unparsable"), rows},
			sample{model("leeway_feature_observations_total", "churn", "feature", "temp", "bin", "missing"), rows},
			sample{model("leeway_feature_reference_ratio", "churn", "feature", "temp", "bin", "missing"), 0})
		if s >= from {
			// What the first rule of each group counted before they came: what it counts
			// after that, for the same time, is refused.
			before := 3999.5
			r.append(at,
				sample{model("leeway:model:requests10s", "churn"), before},
				sample{model("leeway:model:read_requests10s", "churn"), before},
				sample{model("leeway:feature_bad:rows10s", "churn", "feature", "temp"), before})
		}
		for _, name := range []string{"leeway-errors", "leeway-broken-reference", "leeway-broken-input", "leeway-unparsable"} {
			r.groups[name].Eval(t.Context(), at)
		}
		if s < from {
			continue
		}
		for name, alert := range map[string]string{
			"errors":     `{alertname="LeewayErrors"}`,
			"missing":    `{alertname="LeewayBrokenInput", kind="missing"}`,
			"unparsable": `{alertname="LeewayBrokenInput", kind="unparsable"}`,
		} {
			if got := r.query(at, "ALERTS"+alert, "alertstate"); got["firing"] != 1 {
				t.Fatalf("%s after %d s: %v; want it to fire", name, s, got)
			}
		}
	}
}

//lint:file-ignore SA1019 Grafana's file provisioning takes only the classic form, which the SDK calls deprecated.

// Package dashboards writes Leeway's Grafana dashboards. They are Go, so that a
// panel and its expression are made in one place and tested: every expression
// is parsed, and a metric that nothing exports fails the test.
package dashboards

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

type prometheusQuery = variants.Dataquery

// selected picks the models that the reader chose.
const selected = `namespace=~"$namespace", model_name=~"$model"`

// decided is 1 where a decision was made just now.
const decided = `sum by (guard, cause, action, reason) (increase(leeway_decisions_total{namespace=~"$namespace"}[1m])) > 0`

// Files returns the dashboards as Grafana's JSON, by file name. The panels on
// drift read the recording rules of window, such as "1h".
func Files(window string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, make := range map[string]func(string) (dashboard.Dashboard, error){
		"leeway-fleet.json": fleet, "leeway-model.json": model,
	} {
		d, err := make(window)
		if err != nil {
			return nil, fmt.Errorf("dashboards: %s: %w", name, err)
		}
		b, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("dashboards: %s: %w", name, err)
		}
		files[name] = append(b, '\n')
	}
	return files, nil
}

func fleet(window string) (dashboard.Dashboard, error) {
	return board("leeway-fleet", "Leeway / Fleet", "Every guarded model: what it serves, whether anything drifts, and what Leeway decided.",
		[]cog.Builder[dashboard.VariableModel]{
			variable("namespace", "label_values(leeway_guard_info, namespace)"),
			variable("model", `label_values(leeway_model_info{namespace=~"$namespace"}, model_name)`),
		}, []row{
			{"Now", []panel{
				{number, "Guards", "Workloads that a ModelGuard watches.", plain, 4,
					[]query{{`count(count by (namespace, guard) (leeway_guard_info{namespace=~"$namespace"}))`, "guards"}}, 0},
				{number, "Alerts firing", "Alerts that Leeway may act on.", plain, 4,
					[]query{{`count(ALERTS{alertstate="firing", leeway_cause!="", ` + selected + `}) or vector(0)`, "firing"}}, 0},
				{number, "Held", "Guards that hold, for the reasons below.", plain, 4,
					[]query{{`count(max by (namespace, guard) (leeway_guard_phase{phase="Held", namespace=~"$namespace"}) == 1) or vector(0)`, "held"}}, 0},
				{number, "Decisions today", "Decisions made in the last 24 hours.", plain, 4,
					[]query{{`sum(increase(leeway_decisions_total{namespace=~"$namespace"}[24h])) or vector(0)`, "decisions"}}, 0},
				{states, "Phases", "What each guard does, and the reason where it holds.", plain, 24,
					[]query{{`max by (guard, phase, reason) (leeway_guard_phase{namespace=~"$namespace"}) == 1`, "{{guard}}: {{phase}} {{reason}}"}}, 0},
			}},
			{"Traffic", []panel{
				{lines, "Requests", "Requests a second, by model and version.", perSecond, 8,
					[]query{{`sum by (model_name, model_version) (rate(leeway_request_duration_seconds_count{` + selected + `}[$__rate_interval]))`, "{{model_name}} {{model_version}}"}}, 0},
				{lines, "Errors", "Share of answers of class 5xx.", share, 8,
					[]query{{errorShare("model_name, model_version"), "{{model_name}} {{model_version}}"}}, 0},
				{lines, "Latency, p99", "99 of 100 requests were faster.", seconds, 8,
					[]query{{quantile(0.99), "{{model_name}} {{model_version}}"}}, 0},
			}},
			{"Quality", []panel{
				{lines, "Drift of the worst column", "Distance to the training data, the square root of Jensen-Shannon in base 2: 0 equal, 1 disjoint. Alerts need 0.08.", plain, 12,
					[]query{{`max by (model_name, model_version) (leeway:feature_drift:js_distance` + window + `{` + selected + `})`, "{{model_name}} {{model_version}}"}}, 1},
				{lines, "Mean absolute error", "From labels as they come in, for regressions.", plain, 12,
					[]query{{`sum by (model_name, model_version) (rate(leeway_feedback_absolute_error_total{` + selected + `}[$__rate_interval])) / (sum by (model_name, model_version) (rate(leeway_feedback_rows_total{` + selected + `}[$__rate_interval])) > 0)`, "{{model_name}} {{model_version}}"}}, 0},
			}},
		})
}

func errorShare(by string) string {
	return `sum by (` + by + `) (rate(leeway_request_duration_seconds_count{code="5xx", ` + selected + `}[$__rate_interval])) / (sum by (` + by + `) (rate(leeway_request_duration_seconds_count{` + selected + `}[$__rate_interval])) > 0)`
}

func quantile(q float64) string {
	return fmt.Sprintf(`histogram_quantile(%v, sum by (le, model_name, model_version) (rate(leeway_request_duration_seconds_bucket{%s}[$__rate_interval])))`, q, selected)
}

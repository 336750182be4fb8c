//lint:file-ignore SA1019 Grafana's file provisioning takes only the classic form, which the SDK calls deprecated.

package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func model(window string) (dashboard.Dashboard, error) {
	rule := func(name string) string { return name + window + `{` + selected + `}` }
	return board("leeway-model", "Leeway / Model", "One model: its versions side by side, every column against its training data, and the labels.",
		[]cog.Builder[dashboard.VariableModel]{
			variable("namespace", "label_values(leeway_model_info, namespace)"),
			variable("model", `label_values(leeway_model_info{namespace=~"$namespace"}, model_name)`),
			variable("feature", `label_values(leeway_feature_observations_total{`+selected+`}, feature)`),
		}, []row{
			{"Versions side by side", []panel{
				{states, "Pods by version", "Pods whose sidecar reports, by version and by the reference that they compare with.", plain, 24,
					[]query{{`count by (model_version, reference) (leeway_model_info{` + selected + `})`, "{{model_version}} ({{reference}})"}}, 0},
				{lines, "Requests", "Requests a second.", perSecond, 8,
					[]query{{`sum by (model_version, code) (rate(leeway_request_duration_seconds_count{` + selected + `}[$__rate_interval]))`, "{{model_version}} {{code}}"}}, 0},
				{lines, "Errors", "Share of answers of class 5xx.", share, 8, []query{{errorShare("model_version"), "{{model_version}}"}}, 0},
				{lines, "Latency", "Median and p99.", seconds, 8,
					[]query{{quantile(0.5), "p50 {{model_version}}"}, {quantile(0.99), "p99 {{model_version}}"}}, 0},
			}},
			{"Inputs against the training data", []panel{
				{lines, "How surely it drifts", "z of the two-sample G test, of numbers the greater of it and that of their mean rank, against its critical value: noise stays below the line.", plain, 12,
					[]query{{rule("leeway:feature_drift:z"), "{{feature}}"}, {rule("leeway:feature_model_drift:z_critical"), "critical"}}, 0},
				{lines, "How far it drifts", "Distance to the training data, √JS in base 2. Alerts need more than 0.08 as well.", plain, 12,
					[]query{{rule("leeway:feature_drift:js_distance"), "{{feature}}"}}, 1},
				{bars, "Most drifted now", "The ten columns furthest from their training data.", plain, 8,
					[]query{{`topk(10, ` + rule("leeway:feature_drift:js_distance") + `)`, "{{feature}}"}}, 0},
				{bars, "Today's bins", "Share of rows in each bin of the chosen columns.", share, 8,
					[]query{{`leeway:feature_bin:share` + window + `{` + selected + `, feature=~"$feature"}`, "{{feature}} {{bin}}"}}, 0},
				{bars, "The training data's bins", "The same, of the rows that the version was trained on.", share, 8,
					[]query{{`max by (feature, bin, model_version) (leeway_feature_reference_ratio{` + selected + `, feature=~"$feature"})`, "{{feature}} {{bin}}"}}, 0},
				{lines, "Missing values", "Rows a second whose value is missing.", plain, 12,
					[]query{{`sum by (feature) (rate(leeway_feature_observations_total{bin="missing", ` + selected + `}[$__rate_interval]))`, "{{feature}}"}}, 0},
				{lines, "Observation", "What became of captured requests: anything but observed was not counted.", plain, 12,
					[]query{{`sum by (result) (rate(leeway_captures_total{` + selected + `}[$__rate_interval]))`, "{{result}}"}}, 0},
			}},
			{"Promises", []panel{
				{lines, "Drift alarms against the budget", "Times with a drift alert over the last 14 days, of the inputs, the outputs and the answers, and the false ones that are promised. Far above the promise, and no change confirmed: the rules don't fit this model.", plain, 12,
					[]query{
						{`max by (model_name, budget) (leeway:model_alerts:spent14d{` + selected + `})`, "{{model_name}} {{budget}}"},
						{`max by (model_name, budget) (leeway:model_alerts:promised14d{` + selected + `})`, "{{model_name}} {{budget}}, promised"},
					}, 0},
				{lines, "Burn rate of the error budget", "At 1 it lasts exactly as long as it is for. Pages at 14.4 over an hour and at 6 over six hours.", plain, 12,
					[]query{
						{`max by (model_name, slo) (leeway:model_slo:burn_rate1h{` + selected + `})`, "{{model_name}} {{slo}}, 1h"},
						{`max by (model_name, slo) (leeway:model_slo:burn_rate6h{` + selected + `})`, "{{model_name}} {{slo}}, 6h"},
					}, 0},
			}},
			{"Predictions and labels", []panel{
				{lines, "Predictions by bin", "Predictions a second in each bin of the version's own reference.", plain, 8,
					[]query{{`sum by (model_version, output, bin) (rate(leeway_prediction_observations_total{` + selected + `}[$__rate_interval]))`, "{{model_version}} {{output}} {{bin}}"}}, 0},
				{lines, "Mean absolute error", "From labels as they come in.", plain, 8,
					[]query{{`sum by (model_version) (rate(leeway_feedback_absolute_error_total{` + selected + `}[$__rate_interval])) / (sum by (model_version) (rate(leeway_feedback_rows_total{` + selected + `}[$__rate_interval])) > 0)`, "{{model_version}}"}}, 0},
				{lines, "Labels", "Labelled rows a second.", plain, 8,
					[]query{{`sum by (model_version) (rate(leeway_feedback_rows_total{` + selected + `}[$__rate_interval]))`, "{{model_version}}"}}, 0},
				{lines, "Wrong answers of a classification", "Of the labelled rows of the last day; and without labels, as the predictions let expect, beside the same on the version's reference. The expectation sees rows that are hard to tell, not a change of what is true.", share, 24,
					[]query{
						{`leeway:model_wrong_answer:mean24h{` + selected + `}`, "{{model_version}}"},
						{`leeway:prediction:expected_error24h{` + selected + `}`, "{{model_version}} {{output}}, expected"},
						{`leeway:prediction:reference_expected_error{` + selected + `}`, "{{model_version}} {{output}}, reference"},
					}, 0},
			}},
		})
}

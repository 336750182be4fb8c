package rules_test

import (
	"context"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/leeway-dev/leeway/rules"
)

// exports are the metrics that Leeway's programs export, with the labels that
// they have beside those of every series. Names and labels are API.
var exports = map[string]string{
	"leeway_request_duration_seconds_count":            "protocol code",
	"leeway_request_duration_seconds_bucket":           "protocol code le",
	"leeway_feature_observations_total":                "feature bin",
	"leeway_prediction_observations_total":             "output bin",
	"leeway_captures_total":                            "result",
	"leeway_model_info":                                "reference",
	"leeway_feature_reference_ratio":                   "feature bin",
	"leeway_prediction_reference_ratio":                "output bin",
	"leeway_feature_reference_samples":                 "feature",
	"leeway_prediction_reference_samples":              "output",
	"leeway_feature_reference_rank":                    "feature bin",
	"leeway_feature_bin_info":                          "feature bin lower upper category",
	"leeway_prediction_bin_expected_error":             "output bin metric",
	"leeway_prediction_bin_excess_error":               "output bin",
	"leeway_model_reference_error":                     "metric",
	"leeway_model_training_data_end_timestamp_seconds": "",
	"leeway_feedback_outcomes_total":                   "actual predicted",
	"leeway_answer_observations_total":                 "bin",
	"leeway_answer_reference_ratio":                    "bin",
	"leeway_answer_reference_samples":                  "",
	"leeway_feedback_rows_total":                       "",
	"leeway_feedback_absolute_error_total":             "",
	"leeway_feedback_squared_error_total":              "",
	"leeway_feedback_quartic_error_total":              "",
	"leeway_feedback_lag_seconds_bucket":               "le",
	"leeway_feedback_lag_seconds_count":                "",
	"leeway_feedback_refused_rows_total":               "reason",
	"leeway_decisions_total":                           "guard cause action reason",
	"leeway_decisions_ended_total":                     "guard action state reason",
	"leeway_guard_phase":                               "guard phase reason",
	"leeway_guard_info":                                "guard",
	"leeway_controller_leader":                         "",
	"leeway_controller_series":                         "",
	"leeway_node_forward_lag_seconds":                  "replica",
	"prometheus_rule_group_last_duration_seconds":      "rule_group",
}

const everySeries = "__name__ job namespace model_name model_version pod node workload"

// Every query of docs/queries.md reads what there is, and returns something on
// models that have everything: traffic, drift, broken input, labels, a guard.
func TestQueries(t *testing.T) {
	page, err := os.ReadFile("../docs/queries.md")
	if err != nil {
		t.Fatal(err)
	}
	queries := regexp.MustCompile("(?s)```promql\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(queries) < 30 {
		t.Fatalf("%d queries found on the page", len(queries))
	}
	r := newRig(t, rules.Defaults())
	end := r.live(t)
	for _, q := range queries {
		expr := strings.TrimSpace(q[1])
		parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		if err != nil {
			t.Errorf("%s\n%v", expr, err)
			continue
		}
		r.checkNames(t, expr, parsed, end)
		got := r.all(t, expr, end)
		if len(got) == 0 {
			t.Errorf("returns nothing:\n%s", expr)
		}
		for series, value := range got {
			if math.IsNaN(value) || math.IsInf(value, 0) {
				t.Errorf("%s is %v:\n%s", series, value, expr)
			}
		}
	}
}

// checkNames looks whether every metric is exported or recorded, and has the
// labels that the query asks for.
func (r *rig) checkNames(t *testing.T, expr string, parsed parser.Expr, at time.Time) {
	used, there := map[string]bool{}, map[string]bool{}
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			series := r.all(t, n.Name+"[26h]", at)
			if len(series) == 0 {
				t.Errorf("nothing exports or records %s:\n%s", n.Name, expr)
			}
			for s := range series {
				names, err := parser.NewParser(parser.Options{}).ParseMetric(s)
				if err != nil {
					t.Fatal(err)
				}
				names.Range(func(l labels.Label) { there[l.Name] = true })
			}
			for _, m := range n.LabelMatchers {
				used[m.Name] = true
			}
		case *parser.AggregateExpr:
			for _, name := range n.Grouping {
				used[name] = true
			}
		case *parser.BinaryExpr:
			if m := n.VectorMatching; m != nil {
				for _, name := range slices.Concat(m.MatchingLabels, m.Include) {
					used[name] = true
				}
			}
		case *parser.Call:
			if n.Func.Name == "label_replace" {
				there[n.Args[1].(*parser.StringLiteral).Val] = true
			}
		}
		return nil
	})
	for name := range used {
		if !there[name] {
			t.Errorf("no series has the label %s:\n%s", name, expr)
		}
	}
}

// all evaluates a query, and gives the last value of every series.
func (r *rig) all(t *testing.T, expr string, at time.Time) map[string]float64 {
	t.Helper()
	q, err := r.engine.NewInstantQuery(context.Background(), r.db, nil, expr, at)
	if err != nil {
		t.Fatal(expr, err)
	}
	defer q.Close()
	result := q.Exec(context.Background())
	if result.Err != nil {
		t.Fatal(expr, result.Err)
	}
	out := map[string]float64{}
	if m, err := result.Matrix(); err == nil {
		for _, s := range m {
			out[s.Metric.String()] = 0
		}
		return out
	}
	v, err := result.Vector()
	if err != nil {
		t.Fatal(expr, err)
	}
	for _, s := range v {
		out[s.Metric.String()] = s.F
	}
	return out
}

// live plays 26 hours of models that have everything, through all rules.
func (r *rig) live(t *testing.T) time.Time {
	begin := midnight
	const hours, scrape = 26, time.Minute
	for at := range time.Duration(hours*60 + 1) {
		now := begin.Add(at * scrape)
		samples := everything(begin, float64(at))
		for _, s := range samples {
			known, ok := exports[s.series.Get("__name__")]
			s.series.Range(func(l labels.Label) {
				if !ok || !slices.Contains(strings.Fields(everySeries+" "+known), l.Name) {
					t.Fatalf("nothing exports %v", s.series)
				}
			})
		}
		r.append(now, samples...)
		if at%60 == 0 || at >= hours*60-5 {
			r.eval(now, slices.Sorted(maps.Keys(r.groups))...)
		}
	}
	return begin.Add(hours * time.Hour)
}

// everything are the samples of one scrape, so many minutes after the beginning.
func everything(begin time.Time, m float64) []sample {
	var out []sample
	add := func(value float64, metric, name, version string, more ...string) {
		out = append(out, sample{labels.FromStrings(append([]string{
			"__name__", metric, "namespace", "ml", "model_name", name, "model_version", version,
		}, more...)...), value})
	}
	own := func(value float64, metric string, more ...string) {
		out = append(out, sample{labels.FromStrings(append([]string{"__name__", metric, "pod", "leeway-0"}, more...)...), value})
	}
	for _, version := range []string{"2", "3"} {
		add(990*m, "leeway_request_duration_seconds_count", "churn", version, "code", "2xx")
		add(10*m, "leeway_request_duration_seconds_count", "churn", version, "code", "5xx")
		for le, n := range map[string]float64{"0.1": 500, "0.25": 960, "1": 980, "+Inf": 990} {
			add(n*m, "leeway_request_duration_seconds_bucket", "churn", version, "code", "2xx", "le", le)
		}
	}
	for bin, n := range map[string][3]float64{"00": {40, .5, .05}, "01": {40, .3, .1}, "missing": {10, .1, .2}, "far_over": {10, .1, .5}} {
		add(100*n[0]*m, "leeway_feature_observations_total", "churn", "3", "feature", "age", "bin", bin)
		add(n[1], "leeway_feature_reference_ratio", "churn", "3", "feature", "age", "bin", bin)
		add(1, "leeway_feature_bin_info", "churn", "3", "feature", "age", "bin", bin, "lower", "1", "upper", "2")
		add(100*n[0]*m, "leeway_prediction_observations_total", "churn", "3", "output", "y", "bin", bin)
		add(n[1], "leeway_prediction_reference_ratio", "churn", "3", "output", "y", "bin", bin)
		add(n[2], "leeway_prediction_bin_expected_error", "churn", "3", "output", "y", "bin", bin, "metric", "error_rate")
	}
	for bin, rank := range map[string]float64{"00": 0.28, "01": 0.72, "far_over": 0.94} {
		add(rank, "leeway_feature_reference_rank", "churn", "3", "feature", "age", "bin", bin)
	}
	add(1, "leeway_feature_bin_info", "churn", "3", "feature", "plan", "bin", "00", "category", "gold")
	add(100_000, "leeway_feature_reference_samples", "churn", "3", "feature", "age")
	add(100_000, "leeway_prediction_reference_samples", "churn", "3", "output", "y")
	for result, n := range map[string]float64{"observed": 900, "unparsable": 100} {
		add(n*m, "leeway_captures_total", "churn", "3", "result", result)
	}
	add(1, "leeway_model_info", "churn", "3", "reference", "sha256:0123456789ab", "pod", "a")
	add(1, "leeway_model_info", "churn", "3", "reference", "none", "pod", "b")
	add(float64(begin.Unix())-864_000, "leeway_model_training_data_end_timestamp_seconds", "churn", "3")
	for metric, x := range map[string]float64{"error_rate": .1, "recall_yes": .9, "mae": 5, "rmse": 6} {
		add(x, "leeway_model_reference_error", "churn", "3", "metric", metric)
		add(x, "leeway_model_reference_error", "eta", "1", "metric", metric)
	}
	for outcome, n := range map[[2]string]float64{{"yes", "yes"}: 5, {"yes", "no"}: 2, {"no", "no"}: 6, {"no", "yes"}: 1} {
		add(10*n*m, "leeway_feedback_outcomes_total", "churn", "3", "actual", outcome[0], "predicted", outcome[1])
	}
	for bin, n := range map[string][2]float64{"right": {110, .9}, "wrong": {30, .1}} {
		add(n[0]*m, "leeway_answer_observations_total", "churn", "3", "bin", bin)
		add(n[1], "leeway_answer_reference_ratio", "churn", "3", "bin", bin)
	}
	add(5000, "leeway_answer_reference_samples", "churn", "3")
	for metric, n := range map[string]float64{"rows": 10, "absolute_error": 60, "squared_error": 490, "quartic_error": 30_000} {
		add(n*m, "leeway_feedback_"+metric+"_total", "eta", "1")
	}
	for le, n := range map[string]float64{"60": 5, "3600": 10, "+Inf": 10} {
		add(n*m, "leeway_feedback_lag_seconds_bucket", "eta", "1", "le", le)
	}
	add(10*m, "leeway_feedback_lag_seconds_count", "eta", "1")
	own(m, "leeway_feedback_refused_rows_total", "reason", "bad_row")
	for name, guard := range map[string]string{"churn": "g", "silent": "s"} {
		own(1, "leeway_guard_info", "namespace", "ml", "model_name", name, "guard", guard, "workload", name)
	}
	own(1, "leeway_guard_phase", "namespace", "ml", "model_name", "churn", "guard", "g", "phase", "Held", "reason", "broken_input")
	own(m, "leeway_decisions_total", "namespace", "ml", "model_name", "churn", "guard", "g", "cause", "broken_input", "action", "hold", "reason", "broken_input")
	own(m, "leeway_decisions_ended_total", "namespace", "ml", "model_name", "churn", "guard", "g", "action", "retrain", "state", "Held", "reason", "gate_failed")
	own(1, "leeway_controller_leader")
	own(900, "leeway_controller_series")
	own(1, "leeway_node_forward_lag_seconds", "replica", "leeway-controller-0")
	own(.1, "prometheus_rule_group_last_duration_seconds", "rule_group", "g")
	return out
}

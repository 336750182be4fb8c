package lint_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/lint"
)

func shipped(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := rules.Load(rules.Files)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestShippedRulesAreClean(t *testing.T) {
	r := lint.Check(shipped(t), lint.Options{})
	for _, f := range r.Findings {
		t.Error(f)
	}
	if len(r.Groups) < 10 {
		t.Errorf("%d groups", len(r.Groups))
	}
}

const head = "groups:\n  - name: mine\n    rules:\n"

// alert is a rule file with one alert; its expression begins on line 5.
func alert(expr, more string) string {
	return head + "      - alert: Mine\n        expr: " + expr + "\n" + more
}

const caused = "        labels: {leeway_cause: errors, leeway_window: 5m, severity: page}\n"

func TestFindings(t *testing.T) {
	const byVersion = "sum by (namespace, model_name, model_version) "
	tests := []struct{ name, yaml, want string }{
		{"a metric that nobody has", alert("leeway_requests_total > 1", ""), "mine.yaml:5: error: Mine: nothing exports or records leeway_requests_total: record it"},
		{"a slip", alert("rate(leeway_feature_observation_total[15m]) > 1", ""), "is it leeway_feature_observations_total?"},
		{"a slip in the prefix", alert("leway_model_info > 0", ""), "is it leeway_model_info?"},
		{"the line within the expression", alert("|-\n          up > 0\n          and on (pod)\n          leeway_model_infos > 0", ""), "mine.yaml:8: error: Mine: nothing exports"},
		{"somebody else's metric", alert("rate(http_requests_total[5m]) > 1", ""), ""},
		{"a label that it lacks", alert(`leeway_model_info{feature="age"} > 0`, ""), `mine.yaml:5: error: Mine: leeway_model_info has no label feature: feature="age" matches nothing`},
		{"a label attached by the scrape", alert(`leeway_model_info{node="a"} > 0`, ""), ""},
		{"without that label", alert(`leeway_model_info{feature=""} > 0`, ""), ""},
		{"a label that aggregation took", head + "      - {record: leeway:m:x, expr: sum by (model_name) (leeway_model_info)}\n      - alert: Mine\n        expr: leeway:m:x{pod=\"a\"} > 0\n",
			"mine.yaml:6: error: Mine: leeway:m:x has no label pod"},
		{"a code that is no class", alert(`rate(leeway_request_duration_seconds_count{code="500"}[5m]) > 1`, ""), `code="500" matches no value of code: its values are 2xx`},
		{"grouped by what is not there", alert("sum by (feature) (leeway_model_info) > 1", ""), "warning: Mine: by (feature): no series here has that label"},
		{"matched on what is not there", alert("leeway_model_info * on (featur) leeway_model_info > 1", ""), "on (featur): no series here"},
		{"a text about a label that is gone", alert("sum(leeway_model_info) > 1", "        annotations: {summary: 'on {{ $labels.pod }}'}\n"), "mine.yaml:6: warning: Mine: summary names the label pod"},

		{"an unknown cause", alert("up > 0", "        labels: {leeway_cause: weather}\n"), `mine.yaml:4: error: group "mine", alert Mine: leeway_cause "weather" is none of`},
		{"an unknown clock", alert("up > 0", "        labels: {leeway_cause: errors, leeway_window: 5m, leeway_clock: soon}\n"), `leeway_clock "soon" is none of page, act, slow`},
		{"a broken file", head + "      - alert: Mine\n        expr: sum(\n", "mine.yaml:5: error: group"},
		{"a clock without a cause", alert("up > 0", "        labels: {leeway_clock: act}\n"), "has the label leeway_clock but no leeway_cause"},
		{"no severity", alert(byVersion+"(rate(leeway_request_duration_seconds_count[5m])) > 1", "        labels: {leeway_cause: errors, leeway_window: 5m}\n"), "mine.yaml:4: warning: Mine: has no severity"},
		{"about no version", alert("sum by (namespace, model_name) (rate(leeway_request_duration_seconds_count[5m])) > 1", caused), "does not have the label model_version"},
		{"one of ours", alert(byVersion+"(rate(leeway_request_duration_seconds_count[5m])) > 1", caused), ""},

		{"not two scrapes", alert("increase(leeway_upstream_errors_total[20s]) > 1", ""), "mine.yaml:5: error: Mine: a window of 20s holds less than two scrapes"},
		{"two scrapes", alert("increase(leeway_upstream_errors_total[30s]) > 1", ""), "warning: Mine: a window of 30s holds 2 scrapes"},
		{"drift over 12 scrapes", alert(byVersion+"(increase(leeway_feature_observations_total[3m])) > 1", "        labels: {leeway_cause: input_drift, leeway_clock: act, leeway_window: 3m, severity: page}\n"),
			"warning: Mine: drift over 3m rests on 12 scrapes"},
		{"beyond the retention", alert("increase(leeway_upstream_errors_total[10d] offset 7d) > 1", ""), "mine.yaml:5: error: Mine: reads leeway_upstream_errors_total of the last 17d, but samples are kept for 15d"},
		{"beyond it in a subquery", alert("max_over_time(rate(leeway_upstream_errors_total[1h])[14d:1h] offset 1d) > 1", ""), "of the last 361h"},
		{"for beyond it", alert("leeway_requests_in_flight > 9", "        for: 20d\n"), "for: 20d is longer than the 15d"},

		{"matchers that contradict", alert(`leeway_model_info{pod="a",pod!="a"} > 0`, ""), "contradict each other"},
		{"more than a share can be", alert("leeway_feature_reference_ratio > 1", ""), "can never fire: leeway_feature_reference_ratio > 1 has no result"},
		{"less than nothing", alert("rate(leeway_upstream_errors_total[5m]) < 0", ""), "can never fire"},
		{"two numbers", alert("vector(1) > 2", ""), "can never fire"},
		{"half of an and", alert("leeway_requests_in_flight > 5 and sum(leeway_requests_in_flight) < 0", ""), "can never fire: sum(leeway_requests_in_flight) < 0"},
		{"half of an or", alert("leeway_requests_in_flight > 5 or leeway_requests_in_flight < 0", ""), ""},
		{"a recorded share", head + "      - {record: leeway:m:x, expr: 'clamp_max(leeway_requests_in_flight, 1)'}\n      - alert: Mine\n        expr: leeway:m:x >= 2\n", "mine.yaml:6: error: Mine: can never fire"},
		{"a comparison that can hold", alert("leeway_feature_reference_ratio >= 1", ""), ""},
		{"recorded too rarely", "groups:\n  - name: slow\n    interval: 1h\n    rules:\n      - {record: leeway:m:x, expr: sum(leeway_model_info)}\n  - name: mine\n    rules:\n      - alert: Mine\n        expr: leeway:m:x > 1\n",
			"mine.yaml:9: error: Mine: leeway:m:x is recorded every 1h, and is seen for 5m only: in between there is nothing: read last_over_time(leeway:m:x[2h])"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var all []string
			for _, f := range lint.Check(map[string][]byte{"mine.yaml": []byte(tt.yaml)}, lint.Options{}).Findings {
				all = append(all, f.String())
			}
			got := strings.Join(all, "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("findings:\n%s\nwant one with %q", got, tt.want)
			}
		})
	}
}

// What one file records, another may use; what the server adds is a label too.
func TestOptions(t *testing.T) {
	files := map[string][]byte{
		"a.yaml": []byte(head + "      - {record: leeway:m:x, expr: sum(leeway_model_info)}\n"),
		"b.yaml": []byte(alert(`leeway:m:x{cluster="eu"} > 1 and leeway_requests_in_flight{cluster="eu"} > 1`, "")),
	}
	if r := lint.Check(files, lint.Options{Labels: []string{"cluster"}}); len(r.Findings) > 0 {
		t.Error(r.Findings)
	}
	if r := lint.Check(files, lint.Options{}); !r.Failed() {
		t.Error("nobody has the label cluster, and nothing is found")
	}
	short := map[string][]byte{"a.yaml": []byte(alert("rate(leeway_upstream_errors_total[30s]) > 1", ""))}
	if r := lint.Check(short, lint.Options{ScrapeInterval: 5 * time.Second}); len(r.Findings) > 0 {
		t.Error(r.Findings)
	}
}

func TestCost(t *testing.T) {
	file := "groups:\n  - name: mine\n    interval: 1m\n    rules:\n      - {record: leeway:m:x, expr: 'sum by (model_name, feature) (increase(leeway_feature_observations_total[1h]))'}\n"
	r := lint.Check(map[string][]byte{"a.yaml": []byte(file)}, lint.Options{Size: lint.Size{Models: 3, Pods: 4, Columns: 5, Bins: 6}})
	want := "[{a.yaml mine 1m 360 86400 15 1440}]" // 3·4·5·6 series, 240 scrapes each; 3·5 recorded
	if got := fmt.Sprint(r.Groups); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	twice := lint.Check(shipped(t), lint.Options{Size: lint.Size{Columns: 40}})
	once := lint.Check(shipped(t), lint.Options{Size: lint.Size{Columns: 20}})
	var a, b int64
	for i := range twice.Groups {
		a += once.Groups[i].SamplesIn
		b += twice.Groups[i].SamplesIn
	}
	if ratio := float64(b) / float64(a); ratio < 1.3 || ratio > 2 {
		t.Errorf("twice the columns cost %.2f times as much", ratio)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(alert(`sum by (a) (leeway_model_info{a="b"}) > on (c) group_left (d) leeway:x:y offset 1h`, caused))
	f.Add(alert("label_replace(rate(leeway_upstream_errors_total[5m:1m]), 'a', '$1', 'b', '(.*)') % 2 ^ -1 > bool 0", ""))
	f.Fuzz(func(t *testing.T, text string) {
		for _, x := range lint.Check(map[string][]byte{"f.yaml": []byte(text)}, lint.Options{}).Findings {
			if x.Line < 0 || x.Message == "" {
				t.Errorf("a finding without a place or a message: %+v", x)
			}
		}
	})
}

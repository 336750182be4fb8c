package rules_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/rules"
)

func TestDefaultsAreValid(t *testing.T) {
	parsed, err := rules.ParseValues(rules.DefaultValues)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rules.Defaults(), parsed); diff != "" {
		t.Error(diff)
	}
	if empty, err := rules.ParseValues(nil); err != nil || cmp.Diff(parsed, empty) != "" {
		t.Errorf("an empty file is not the defaults: %v", err)
	}
}

func TestParseValuesRefuses(t *testing.T) {
	tests := []struct{ name, yaml, want string }{
		{"unknown field", "clocks:\n  page:\n    windw: 1h\n", "line 3: field windw not found"},
		{"no duration", "errors:\n  window: soon\n", `line 2: "soon" is not a duration`},
		{"two documents", "fast: true\n---\nfast: false\n", "more than one YAML document"},
		{"not YAML", "a: [", "line 1"},
		{"window over 1h, not whole hours", "clocks: {act: {windows: [90m]}}", "clocks.act.windows: 90m is over 1h and not whole hours"},
		{"two clocks, one window", "clocks: {act: {windows: [1h]}}", "clocks.act.windows: 1h is a window of page too"},
		{"for longer than the window", "latency: {for: 2h}", "latency.for: 2h is not between 0 and the window of 5m"},
		{"no windows", "clocks: {page: {windows: []}}", "clocks.page.windows: 0 windows; write 1 to 16"},
		{"a window of a scrape", "clocks: {page: {windows: [20s]}}", "clocks.page.windows.window: 20s holds fewer than two scrapes"},
		{"fewer than two scrapes", "errors: {window: 20s, for: 5s}", "errors.window: 20s holds fewer than two scrapes of 15s"},
		{"a week against itself", "clocks: {slow: {history: true}}", "clocks.slow.history: a window of 7d overlaps itself"},
		{"absurd budget", "budgets: {inputs: {falseAlarms: 100000, per: 1h}}", "so large that the rule would fire on anything"},
		{"no budget of answers", "budgets: {answers: {per: 0s}}", "budgets.answers.per: must be more than 0"},
		{"no budget", "budgets: {outputs: {falseAlarms: 0}}", "budgets.outputs.falseAlarms: must be more than 0"},
		{"floor", "floors: {inputs: 1.5}", "floors.inputs: 1.5 is not between 0 and 1"},
		{"not a number", "floors: {inputs: .nan}", "floors.inputs: NaN is not between 0 and 1"},
		{"clustering below 1", "clustering: {assumed: 0.5}", "clustering.assumed: 0.5"},
		{"label of ours", "labels: {leeway_cause: mine}", `labels: "leeway_cause" can't be set`},
		{"no severity", "quality: {severity: ''}", `quality.severity: "" is not a word`},
		{"a threshold between bounds", "slo: {latency: {threshold: 300ms}}", "slo.latency.threshold: 300ms is no bound of the duration histogram; use one of [1ms 5ms"},
		{"everything promised", "slo: {availability: 1}", "slo.availability: 1 is not between 0.5 and"},
		{"expected error, not whole hours", "expectedError: {window: 90m, for: 5m}", "expectedError.window: 90m is over 1h and not whole hours"},
		{"expected error, unseen", "expectedError: {interval: 10m}", "expectedError.interval: 10m is more than the 5m"},
		{"yesterday within the window", "freshness: {window: 24h}", "freshness.window: 24h overlaps itself a day before"},
		{"recall", "quality: {recallPoints: 2}", "quality.recallPoints: 2 is not between 0 and 1"},
		{"stuck at once", "health: {stuckAfter: 0s}", "health.stuckAfter: must be more than 0"},
		{"our label", "labels: {leeway_basis: mine}", `labels: "leeway_basis" can't be set`},
		{"template as URL", "runbookURL: 'http://x/{{ .X }}'", "runbookURL: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := rules.ParseValues([]byte(tt.yaml))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestFastPreset(t *testing.T) {
	v, err := rules.ParseValues([]byte("fast: true\nlatency: {window: 20s}\n"))
	if err != nil {
		t.Fatal(err)
	}
	second := rules.Duration(time.Second)
	if v.Errors.Window != 10*second || v.Errors.For != second || v.Latency.For != 10*second || v.ScrapeInterval != second {
		t.Errorf("not the preset: %+v %+v", v.Errors, v.Latency)
	}
	if v.Latency.Window != 20*second {
		t.Errorf("the file says a window of 20s, got %s", v.Latency.Window)
	}
}

// A change of one value changes what it is about.
func TestRender(t *testing.T) {
	tests := []struct {
		name, yaml, file string
		want, not        []string
	}{
		{"budget and one clock", "budgets: {inputs: {falseAlarms: 2, per: 30d}}\nclocks: {page: {windows: [1h]}, act: {enabled: false}, slow: {enabled: false}}",
			"feature-drift.yaml", []string{"ln(360 * count"}, []string{"24h"}},
		{"hours without a page clock", "clocks: {page: {enabled: false}}",
			"feature-drift.yaml", []string{"leeway-feature-hours", "increase(leeway_feature_observations_total[1h])"}, []string{"drift:z1h"}},
		{"no history", "clocks: {page: {history: false, lastWeek: false}, act: {history: false}}",
			"prediction-drift.yaml", []string{"js_distance1h"}, []string{"clustering1h", "week_z1h"}},
		{"labels and severity", "labels: {team: risk}\nerrors: {severity: page}",
			"errors.yaml", []string{`team: "risk"`, `severity: "page"`}, []string{"critical"}},
		{"no links", "runbookURL: ''\ndashboardURL: ''", "latency.yaml", []string{"summary"}, []string{"runbook_url", "dashboard_url"}},
		{"a second is a bound with two names", "slo: {availability: 0.9995}", "slo.yaml",
			[]string{`le=~"1|1\\.0"`, "vector(0.0005)", "99.95 %"}, nil},
		{"what is promised", "slo: {latency: {threshold: 250ms, target: 0.95}}", "slo.yaml", []string{`le="0.25"`, "vector(0.05)", "95 % of the good"}, []string{"1s"}},
		{"expected error within an hour", "expectedError: {window: 30m, for: 5m}", "expected-error.yaml",
			[]string{"leeway:prediction:expected_error30m", "[30m]"}, []string{"1h]", "24h]"}},
		{"training data of any age", "freshness: {maxTrainingAge: 0s}", "freshness.yaml", []string{"LeewayNoRows"}, []string{"LeewayOldTrainingData"}},
		{"demo", "", "feature-drift.yaml", []string{"z30s", "z10s", "spans 10 scrapes", `leeway_window: "10s"`}, []string{"7d", "offset"}},
		{"demo", "", "quality.yaml", []string{"[20s]", "leeway:answer:effective_rows30s >= 1000"}, []string{"24h"}},
		{"budget, of one side", "budgets: {answers: {falseAlarms: 2, per: 30d}}\nquality: {factor: 1.5}\nclocks: {page: {windows: [1h]}, act: {enabled: false}, slow: {enabled: false}}",
			"answer-drift.yaml", []string{"ln(180 * count", "> 1.5 * leeway:answer:reference_wrong_share"}, []string{"js_distance", "reference_clustering"}},
		{"no clock that acts", "clocks: {act: {enabled: false}, slow: {enabled: false}}", "quality.yaml", []string{"leeway:model_wrong_answer"}, []string{"leeway:answer"}},
		{"no labels", "quality: {enabled: false}", "alert-budget.yaml", []string{`budget: "outputs"`}, []string{`budget: "answers"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.file, func(t *testing.T) {
			data := []byte(tt.yaml)
			if tt.name == "demo" {
				data = demo(t)
			}
			v, err := rules.ParseValues(data)
			if err != nil {
				t.Fatal(err)
			}
			files, err := rules.Render(v)
			if err != nil {
				t.Fatal(err)
			}
			text := string(files[tt.file])
			for _, s := range tt.want {
				if !strings.Contains(text, s) {
					t.Errorf("%s lacks %q", tt.file, s)
				}
			}
			for _, s := range tt.not {
				if strings.Contains(text, s) {
					t.Errorf("%s has %q", tt.file, s)
				}
			}
		})
	}
}

func TestSwitchedOff(t *testing.T) {
	v, err := rules.ParseValues([]byte("clocks: {page: {enabled: false}, act: {enabled: false}, slow: {enabled: false}}\nerrors: {enabled: false}\nquality: {enabled: false}\n"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := rules.Render(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"feature-drift.yaml", "prediction-drift.yaml", "answer-drift.yaml", "alert-budget.yaml", "errors.yaml", "quality.yaml", "feedback.yaml"} {
		if _, ok := files[name]; ok {
			t.Errorf("%s is rendered though switched off", name)
		}
	}
	left := []string{"broken-input.yaml", "expected-error.yaml", "freshness.yaml", "health.yaml", "latency.yaml", "no-data.yaml", "slo.yaml"}
	if diff := cmp.Diff(left, slices.Sorted(maps.Keys(files))); diff != "" {
		t.Errorf("files that are left (-want +got):\n%s", diff)
	}
}

func demo(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/demo-values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func FuzzParseValues(f *testing.F) {
	f.Add(rules.DefaultValues)
	f.Add([]byte("fast: true\nclocks: {page: {windows: [10s], history: false}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := rules.ParseValues(data)
		if err != nil {
			return
		}
		if _, err := rules.Render(v); err != nil && len(v.Labels) == 0 { // a label's value may be a bad template
			t.Errorf("valid values don't render: %v", err)
		}
	})
}

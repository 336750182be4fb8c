package reference_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/leeway-dev/leeway/agent/reference"
	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

const csv = `dist,carrier,eta
100,AA,20
200,AA,30
300,BB,40
400,BB,50
`

// train is a profile as it is registered: through bytes.
func train(t *testing.T) *profile.Profile {
	t.Helper()
	p, _, err := dataset.FromCSV("train.csv", strings.NewReader(csv), dataset.Options{Predictions: []string{"eta"}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if p, err = profile.Parse(raw); err != nil {
		t.Fatal(err)
	}
	p.Features[0].Clustering = map[string]float64{"1h": 2.5}
	return p
}

// gather sums what is exported, by name, and the reference ratios by column.
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() == "feature" || l.GetName() == "output" || l.GetName() == "metric" || l.GetName() == "model_version" {
					key += " " + l.GetValue()
				}
			}
			got[key] += m.GetGauge().GetValue()
		}
	}
	return got
}

func TestExport(t *testing.T) {
	e := reference.New()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(e)
	p := train(t)
	v3 := reference.Version{Namespace: "ml", Model: "eta", Version: "3"}
	e.Set(v3, p, reference.Facts{
		Metrics:   map[string]float64{"mae": 6.1, "broken": math.NaN()},
		DataUntil: time.UnixMilli(1_700_000_000_500),
	})
	want := map[string]float64{
		"leeway_feature_reference_ratio dist 3":              1,
		"leeway_feature_reference_ratio carrier 3":           1,
		"leeway_prediction_reference_ratio 3 eta":            1,
		"leeway_feature_reference_samples dist 3":            4,
		"leeway_feature_reference_samples carrier 3":         4,
		"leeway_prediction_reference_samples 3 eta":          4,
		"leeway_feature_reference_clustering dist 3":         2.5,
		"leeway_feature_reference_rank dist 3":               1.0/8 + 3.0/8 + 5.0/8 + 7.0/8 + 0 + 0 + 1 + 1, // four bins, under and over
		"leeway_prediction_reference_rank 3 eta":             4,
		"leeway_model_reference_error mae 3":                 6.1,
		"leeway_model_training_data_end_timestamp_seconds 3": 1_700_000_000.5,
		"leeway_feature_bin_info dist 3":                     float64(len(p.Features[0].Bins)),
		"leeway_feature_bin_info carrier 3":                  float64(len(p.Features[1].Bins)),
		"leeway_prediction_bin_info 3 eta":                   float64(len(p.Predictions[0].Bins)),
	}
	if diff := cmp.Diff(want, gather(t, reg), cmp.Transformer("round", func(f float64) float64 { return math.Round(f*1e9) / 1e9 })); diff != "" {
		t.Error(diff)
	}
	if lint, err := testutil.GatherAndLint(reg); err != nil || len(lint) > 0 {
		t.Errorf("%v %v", lint, err)
	}

	// A version without a profile has its metrics only.
	v4 := reference.Version{Namespace: "ml", Model: "eta", Version: "4"}
	e.Set(v4, nil, reference.Facts{Metrics: map[string]float64{"mae": 5}})
	e.Remove(v3)
	if diff := cmp.Diff(map[string]float64{"leeway_model_reference_error mae 4": 5}, gather(t, reg)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]reference.Version{v4}, e.Versions()); diff != "" {
		t.Error(diff)
	}
}

// Right and wrong answers have a reference where the version was registered with
// an error, and with the rows that it is of.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		metrics map[string]float64
		wrong   float64 // below 0: there is none
	}{
		{"error rate", map[string]float64{"error_rate": 0.125, "accuracy": 0.5, "holdout_rows": 4000}, 0.125},
		{"accuracy", map[string]float64{"accuracy": 0.75, "holdout_rows": 4000}, 0.25},
		{"never wrong", map[string]float64{"error_rate": 0, "holdout_rows": 4000}, 0},
		{"no rows", map[string]float64{"error_rate": 0.125}, -1},
		{"no error", map[string]float64{"mae": 0.1, "holdout_rows": 4000}, -1},
		{"per cent", map[string]float64{"accuracy": 75, "holdout_rows": 4000}, -1},
		{"less than a row", map[string]float64{"error_rate": 0.125, "holdout_rows": 0.5}, -1},
		{"not a number", map[string]float64{"error_rate": math.NaN(), "holdout_rows": 4000}, -1},
		{"endless rows", map[string]float64{"error_rate": 0.125, "holdout_rows": math.Inf(1)}, -1},
	} {
		e := reference.New()
		reg := prometheus.NewPedanticRegistry()
		reg.MustRegister(e)
		e.Set(reference.Version{Namespace: "ml", Model: "churn", Version: "3"}, nil, reference.Facts{Metrics: tt.metrics})
		want := ""
		if tt.wrong >= 0 {
			want = fmt.Sprintf(`# HELP leeway_answer_reference_ratio Share of the answers on the version's hold-out rows that were right, or wrong, as registered.
# TYPE leeway_answer_reference_ratio gauge
leeway_answer_reference_ratio{bin="right",model_name="churn",model_version="3",namespace="ml"} %g
leeway_answer_reference_ratio{bin="wrong",model_name="churn",model_version="3",namespace="ml"} %g
# HELP leeway_answer_reference_samples Hold-out rows that this share is of, as registered.
# TYPE leeway_answer_reference_samples gauge
leeway_answer_reference_samples{model_name="churn",model_version="3",namespace="ml"} 4000
`, 1-tt.wrong, tt.wrong)
		}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "leeway_answer_reference_ratio", "leeway_answer_reference_samples"); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// The errors of the bins are those of the profile: of a regression the mean
// absolute error, of a classification the share of wrong answers. A bin without
// labelled rows has none.
func TestExpectedErrors(t *testing.T) {
	for _, tt := range []struct {
		name, csv string
		want      string
	}{
		{"regression", "x,y,truth\n1,10,15\n2,10,13\n3,20,20\n4,30,\n", `
			leeway_prediction_bin_expected_error{bin="00",metric="mae",model_name="eta",model_version="3",namespace="ml",output="y"} 4
			leeway_prediction_bin_expected_error{bin="01",metric="mae",model_name="eta",model_version="3",namespace="ml",output="y"} 0
`},
		{"classification", "x,y,truth\n" + strings.Repeat("1,a,a\n2,a,b\n3,b,b\n4,b,b\n5,b,a\n6,b,b\n", 50), `
			leeway_prediction_bin_expected_error{bin="00",metric="error_rate",model_name="eta",model_version="3",namespace="ml",output="y"} 0.25
			leeway_prediction_bin_expected_error{bin="01",metric="error_rate",model_name="eta",model_version="3",namespace="ml",output="y"} 0.5
`},
		{"no labels", "x,y\n1,10\n2,20\n", ""},
	} {
		o := dataset.Options{Predictions: []string{"y"}}
		if strings.Contains(tt.csv, "truth") {
			o.Label = "truth"
		}
		p, _, err := dataset.FromCSV("train.csv", strings.NewReader(tt.csv), o)
		if err != nil {
			t.Fatal(tt.name, err)
		}
		e := reference.New()
		e.Set(reference.Version{Namespace: "ml", Model: "eta", Version: "3"}, p, reference.Facts{})
		want := ""
		if tt.want != "" {
			want = "# HELP leeway_prediction_bin_expected_error Error of the labelled rows of the version's profile whose prediction lay in a bin: the share of wrong answers, or the mean absolute error.\n" +
				"# TYPE leeway_prediction_bin_expected_error gauge" + tt.want
		}
		if err := testutil.CollectAndCompare(e, strings.NewReader(want), "leeway_prediction_bin_expected_error"); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// What the bins of classes add is exported with their output, also those of the
// answer itself; of one probability alone there is nothing to add.
func TestExcessErrors(t *testing.T) {
	rows := strings.Repeat("1,0.9,0.1,a,a\n2,0.8,0.2,a,a\n3,0.9,0.1,a,a\n4,0.1,0.9,b,a\n5,0.2,0.8,b,b\n6,0.1,0.9,b,a\n", 50)
	for _, tt := range []struct {
		predictions, ignore []string
		want                int
	}{
		{[]string{"p_a", "p_b"}, []string{"answer"}, 8},
		{[]string{"p_a", "p_b", "answer"}, nil, 10},
		{[]string{"p_a"}, []string{"p_b", "answer"}, 0},
		{[]string{"answer"}, []string{"p_a", "p_b"}, 0},
	} {
		o := dataset.Options{Label: "truth", Predictions: tt.predictions, Ignore: tt.ignore}
		p, _, err := dataset.FromCSV("train.csv", strings.NewReader("x,p_a,p_b,answer,truth\n"+rows), o)
		if err != nil {
			t.Fatal(err)
		}
		e := reference.New()
		e.Set(reference.Version{Namespace: "ml", Model: "eta", Version: "3"}, p, reference.Facts{})
		if n := testutil.CollectAndCount(e, "leeway_prediction_bin_excess_error"); n != tt.want {
			t.Errorf("%v: %d series of an excess, want %d", tt.predictions, n, tt.want)
		}
		if tt.want == 0 {
			continue
		}
		for k := range tt.predictions {
			// More are wrong where b is answered, and less where a is.
			c := p.Predictions[k]
			last := slices.IndexFunc(c.Bins, func(b profile.Bin) bool { return b.Excess == nil }) - 1
			low, high := *c.Bins[0].Excess, *c.Bins[last].Excess
			if wrongHigh := c.Name != "p_a"; (high > 0.02) != wrongHigh || (low < -0.02) != wrongHigh {
				t.Errorf("%s: excess %v in the lowest bin, %v in the highest", c.Name, low, high)
			}
		}
	}
}

// The bins that a reader sees are those that the sidecar counts into.
func TestBinsAreNamedAsTheSidecarNamesThem(t *testing.T) {
	e := reference.New()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(e)
	p := train(t)
	e.Set(reference.Version{Namespace: "ml", Model: "eta", Version: "3"}, p, reference.Facts{})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	exported := map[string]bool{}
	for _, f := range families {
		if f.GetName() != "leeway_prediction_reference_ratio" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "bin" {
					exported[l.GetValue()] = true
				}
			}
		}
	}
	b, err := profile.NewBinner(p.Predictions[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range b.Names() {
		if !exported[name] {
			t.Errorf("bin %s has no reference", name)
		}
	}
	if len(exported) != len(b.Names()) {
		t.Errorf("%d bins exported; the binner has %d", len(exported), len(b.Names()))
	}
}

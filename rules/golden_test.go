package rules_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules"
)

// golden is what testdata/golden.py writes.
type golden struct {
	InverseAlpha float64
	ZCritical    float64
	Columns      []goldenColumn
}

type goldenColumn struct {
	Name       string
	Live       []float64
	Ratio      []float64
	Rank       []float64 // of numbers
	Rows       float64
	Clustering float64
	Want       map[string]float64
}

func readGolden(t *testing.T) (want golden) {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// The statistics that the shipped PromQL computes, counters and increase()
// included, are scipy's on the same counts.
func TestStatisticsAgreeWithSciPy(t *testing.T) {
	want := readGolden(t)
	for _, kind := range []struct{ name, label string }{{"feature", "feature"}, {"prediction", "output"}} {
		t.Run(kind.name, func(t *testing.T) {
			v := rules.Defaults()
			v.Clocks.Page.Windows = []rules.Duration{rules.Duration(time.Hour)} // the golden budget is one window's
			v.Clocks.Act.Enabled, v.Clocks.Slow.Enabled = false, false
			r := newRig(t, v)
			start := time.Unix(1_700_000_000, 0)
			end := start.Add(time.Hour)
			for at := start; !at.After(end); at = at.Add(15 * time.Second) {
				r.append(at, goldenSamples(want, kind.name, kind.label, at.Sub(start))...)
			}
			r.eval(end, "leeway-"+kind.name+"-reference", "leeway-"+kind.name+"-drift-1h")

			agree(t, "z_critical", r.query(end, "leeway:"+kind.name+"_model_drift:z_critical1h", "model_name")["churn"], want.ZCritical)
			for _, statistic := range []string{"df", "noise_ratio", "tests", "g_z", "mean_rank", "rank_level", "rank_z", "z", "js_distance"} {
				series := "leeway:" + kind.name + "_drift:" + statistic + "1h"
				if statistic == "mean_rank" {
					series = "leeway:" + kind.name + ":mean_rank1h"
				}
				got := r.query(end, series, kind.label)
				for _, c := range want.Columns {
					value, ok := got[c.Name]
					expected, wanted := c.Want[statistic]
					if ok != wanted {
						t.Errorf("%s of %s: there is %v, want %v", statistic, c.Name, ok, wanted)
						continue
					}
					agree(t, statistic+" of "+c.Name, value, expected)
				}
			}
		})
	}
}

// goldenSamples are counters on two pods that grow by the live counts in an
// hour, and the reference, after so much of it.
func goldenSamples(want golden, kind, label string, after time.Duration) []sample {
	var out []sample
	done := after.Hours()
	for _, c := range want.Columns {
		for i, n := range c.Live {
			bin := fmt.Sprintf("%02d", i)
			out = append(out,
				sample{model("leeway_"+kind+"_observations_total", "churn", label, c.Name, "bin", bin, "pod", "a"), 7 + 0.25*n*done},
				sample{model("leeway_"+kind+"_observations_total", "churn", label, c.Name, "bin", bin, "pod", "b"), 0.75 * n * done},
				sample{model("leeway_"+kind+"_reference_ratio", "churn", label, c.Name, "bin", bin), c.Ratio[i]})
			if c.Rank != nil {
				out = append(out, sample{model("leeway_"+kind+"_reference_rank", "churn", label, c.Name, "bin", bin), c.Rank[i]})
			}
		}
		out = append(out,
			sample{model("leeway_"+kind+"_reference_samples", "churn", label, c.Name), c.Rows},
			sample{model("leeway_"+kind+"_reference_clustering", "churn", label, c.Name, "window", "1h"), c.Clustering * (1 - 15.0/3600)},
			sample{model("leeway_"+kind+"_reference_clustering", "churn", label, c.Name, "window", "24h"), 99})
	}
	return out
}

func agree(t *testing.T, what string, got, want float64) {
	t.Helper()
	agreeWith(t, "scipy", what, got, want)
}

// agreeWith compares to 1e-9, relative where the number is large.
func agreeWith(t *testing.T, whom, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
		t.Errorf("%s is %.15g, %s says %.15g", what, got, whom, want)
	}
}

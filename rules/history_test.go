package rules_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/rules"
)

// midnight is a whole hour, where recorded hours are read.
var midnight = time.Unix(1_699_920_000, 0)

// shares are the rows per minute of three bins, whose reference is half, three
// and two tenths.
type shares [3]float64

var (
	asTrained = shares{50, 30, 20}
	moved     = shares{20, 30, 50}
)

func (s shares) samples(feature string, metric string, factor float64) []sample {
	var out []sample
	for i, n := range s {
		out = append(out, sample{model(metric, "churn", "feature", feature, "bin", fmt.Sprintf("%02d", i)), n * factor})
	}
	return out
}

// recorded is what the rules have written down of rows in an hour.
func (s shares) recorded(feature string) []sample {
	rows, log := s[0]+s[1]+s[2], 0.0
	for _, n := range s {
		log += n / rows * math.Log(n/rows)
	}
	return append(s.samples(feature, "leeway:feature_bin:share1h", 1/rows),
		sample{model("leeway:feature:rows1h", "churn", "feature", feature), rows},
		sample{model("leeway:feature:log_share1h", "churn", "feature", feature), log})
}

// trained is the reference of a column.
func trained(feature string, more ...sample) []sample {
	return append(append(shares{0.5, 0.3, 0.2}.samples(feature, "leeway_feature_reference_ratio", 1),
		sample{model("leeway_feature_reference_samples", "churn", "feature", feature), 100000}), more...)
}

// A cycle that was there last week is no drift; a change since is.
func TestLastWeekIsNoDrift(t *testing.T) {
	r := newRig(t, rules.Defaults())
	weeks := []map[string]shares{
		{"cycle": moved, "changed": asTrained, "still": asTrained, "quiet": {2, 3, 5}, "rainy": {5, 8, 12}},
		{"cycle": moved, "changed": moved, "still": asTrained, "quiet": moved, "rainy": moved, "new": moved},
	}
	for week, columns := range weeks {
		start := midnight.Add(time.Duration(week) * 7 * 24 * time.Hour)
		for m := range 68 {
			at := start.Add(time.Duration(m) * time.Minute)
			for feature, s := range columns {
				r.append(at, s.samples(feature, "leeway_feature_observations_total", float64(m))...)
				r.append(at, trained(feature)...)
			}
			if m > 60 {
				r.eval(at, "leeway-feature-reference", "leeway-feature-drift-1h")
			}
		}
	}
	end := midnight.Add(7*24*time.Hour + 67*time.Minute)
	got := r.query(end, `ALERTS{alertname="LeewayInputDrift", alertstate="firing"}`, "feature")
	// rainy had a quarter of the rows last week, which is enough; quiet a tenth: too
	// little to compare with.
	if diff := cmp.Diff(map[string]float64{"changed": 1, "quiet": 1, "new": 1}, got); diff != "" {
		t.Errorf("firing (-want +got):\n%s", diff)
	}
}

// The act clock is built from recorded hours, and only from all but complete
// ones.
func TestActFromRecordedHours(t *testing.T) {
	r := newRig(t, rules.Defaults())
	for h := range 25 {
		at := midnight.Add(time.Duration(h) * time.Hour)
		r.append(at, moved.samples("whole", "leeway:feature_bin:rows1h", 60)...)
		if h%6 != 0 { // 20 of 24
			r.append(at, moved.samples("gaps", "leeway:feature_bin:rows1h", 60)...)
		}
		r.append(at, append(trained("whole"), trained("gaps")...)...)
	}
	last := midnight.Add(24 * time.Hour)
	for m := time.Duration(0); m <= 125*time.Minute; m += 5 * time.Minute {
		r.append(last.Add(m), append(trained("whole"), trained("gaps")...)...)
		if m > 0 && m%time.Hour == 0 {
			r.append(last.Add(m), moved.samples("whole", "leeway:feature_bin:rows1h", 60)...)
		}
		r.eval(last.Add(m), "leeway-feature-reference", "leeway-feature-drift-24h")
	}
	end := last.Add(125 * time.Minute)
	rows := r.query(end, "leeway:feature:rows24h", "feature")
	if diff := cmp.Diff(map[string]float64{"whole": 24 * 6000}, rows); diff != "" {
		t.Errorf("rows of 24 hours (-want +got):\n%s", diff)
	}
	firing := r.query(end, `ALERTS{alertstate="firing", leeway_clock="act", leeway_cause="input_drift"}`, "feature")
	if diff := cmp.Diff(map[string]float64{"whole": 1}, firing); diff != "" {
		t.Errorf("firing (-want +got):\n%s", diff)
	}
}

// Clustering: measured goes before the profile's, and that before what is
// assumed; and it is believed only after a day.
func TestClusteringOrder(t *testing.T) {
	r := newRig(t, rules.Defaults())
	ratio := func(feature string) sample {
		return sample{model("leeway:feature:day_noise_ratio1h", "churn", "feature", feature), 6}
	}
	for i := range 140 {
		at := midnight.Add(time.Duration(i) * 10 * time.Minute)
		r.append(at, ratio("measured"))
		if i >= 100 {
			r.append(at, ratio("young"))
		}
	}
	end := midnight.Add(1400 * time.Minute)
	for m := range 62 {
		at := end.Add(time.Duration(m-61) * time.Minute)
		for _, feature := range []string{"measured", "young", "profile", "assumed"} {
			r.append(at, asTrained.samples(feature, "leeway_feature_observations_total", float64(m))...)
			var more []sample
			if feature != "assumed" {
				more = append(more, sample{model("leeway_feature_reference_clustering", "churn", "feature", feature, "window", "1h"), 3})
			}
			r.append(at, trained(feature, more...)...)
		}
	}
	groups := []string{"leeway-feature-reference", "leeway-feature-drift-1h", "leeway-feature-clustering-1h", "leeway-feature-drift-1h"}
	r.eval(end, groups[:3]...)
	next := end.Add(time.Second)
	r.eval(next, groups[3])

	got := r.query(next, "leeway:feature:rows1h * (1 - 15 / 3600) / leeway:feature:effective_rows1h", "feature")
	want := map[string]float64{
		"measured": 6 / math.Pow(1-2/(9*2.0), 3), "young": 3, "profile": 3, "assumed": 10,
	}
	if diff := cmp.Diff(want, got, approximately); diff != "" {
		t.Errorf("clustering (-want +got):\n%s", diff)
	}
}

// What clustering is measured by: G of a window and the same window a day before.
func TestClusteringIsMeasuredAgainstYesterday(t *testing.T) {
	r := newRig(t, rules.Defaults())
	for d, s := range []shares{{500, 300, 200}, {520, 290, 190}} {
		r.append(midnight.Add(time.Duration(d)*24*time.Hour), s.recorded("f")...)
	}
	at := midnight.Add(24 * time.Hour)
	r.eval(at, "leeway-feature-clustering-1h")
	got := r.query(at, "leeway:feature:day_noise_ratio1h", "feature")
	// scipy.stats.chi2_contingency([[500,300,200],[520,290,190]], correction=False, lambda_="log-likelihood").statistic / 2
	if diff := cmp.Diff(map[string]float64{"f": 0.4090599985586776 * (1 - 15.0/3600)}, got, approximately); diff != "" {
		t.Errorf("G of today and yesterday (-want +got):\n%s", diff)
	}
}

var approximately = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(a)) })

package rules_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// What is simulated is what is shipped: on the same counts the formulas in Go
// and the PromQL in Prometheus' engine agree, against the training data and
// against last week, on 40 columns of all kinds.
func TestSimulationIsTheRule(t *testing.T) {
	v := rules.Defaults()
	v.Clocks.Page.Windows = []rules.Duration{rules.Duration(time.Hour)}
	v.Clocks.Act.Enabled, v.Clocks.Slow.Enabled = false, false
	rung := v.Ladder()[0]
	r := newRig(t, v)
	random := simulate.NewRandom(7, 2013)
	type column struct {
		name                 string
		live, last, training []float64
		ranks                []float64 // of numbers
		clustering           float64
	}
	var columns []column
	for i := range 40 {
		kind := simulate.Kinds()[i%4]
		c := column{name: fmt.Sprintf("f%02d", i), clustering: 1 + float64(i%3)}
		for _, counts := range []struct {
			to   *[]float64
			rows int
		}{{&c.live, 50 << (i % 9)}, {&c.last, 40 << (i % 7)}, {&c.training, 500 << (i % 6)}} {
			*counts.to = make([]float64, len(kind.Shares))
			random.Multinomial(counts.rows, kind.Shares, *counts.to)
		}
		if i%2 == 0 {
			c.live[i%len(c.live)] *= 3 // or nothing is beyond noise
		}
		if kind.Ordered {
			c.ranks = simulate.MeanRanks(c.training)
			if i%3 == 0 { // move the mean, too
				for b := range c.live {
					c.live[b] = math.Round(c.live[b] * (1 + 0.8*(c.ranks[b]-0.5)))
				}
			}
		}
		columns = append(columns, c)
	}
	end := midnight.Add(7 * 24 * time.Hour)
	for _, week := range []struct {
		end    time.Time
		counts func(column) []float64
	}{{midnight, func(c column) []float64 { return c.last }}, {end, func(c column) []float64 { return c.live }}} {
		for at := week.end.Add(-time.Hour); !at.After(week.end); at = at.Add(15 * time.Second) {
			done := 1 - week.end.Sub(at).Hours()
			for _, c := range columns {
				training := total(c.training)
				samples := []sample{
					{model("leeway_feature_reference_samples", "churn", "feature", c.name), training},
					{model("leeway_feature_reference_clustering", "churn", "feature", c.name, "window", "1h"), c.clustering * (1 - 15.0/3600)},
				}
				for b, n := range week.counts(c) {
					bin := fmt.Sprintf("%02d", b)
					if c.ranks != nil {
						samples = append(samples, sample{model("leeway_feature_reference_rank", "churn", "feature", c.name, "bin", bin), c.ranks[b]})
					}
					samples = append(samples,
						sample{model("leeway_feature_observations_total", "churn", "feature", c.name, "bin", bin), 1000 + done*n},
						sample{model("leeway_feature_reference_ratio", "churn", "feature", c.name, "bin", bin), c.training[b] / training})
				}
				r.append(at, samples...)
			}
		}
		r.eval(week.end, "leeway-feature-reference", "leeway-feature-drift-1h")
	}
	of := func(name string) map[string]float64 { return r.query(end, name, "feature") }
	y, df, z, j, last := of("leeway:feature_drift:noise_ratio1h"), of("leeway:feature_drift:df1h"), of("leeway:feature_drift:z1h"),
		of("leeway:feature_drift:js_distance1h"), of("leeway:feature:week_noise_ratio1h")
	ranks, lastRanks := of("leeway:feature_drift:rank_level1h"), of("leeway:feature_drift:week_rank_level1h")
	critical := r.query(end, "leeway:feature_model_drift:z_critical1h", "model_name")["churn"]
	agree(t, "the critical z", critical, simulate.Quantile(rung.Promised(v.Budgets.Inputs, 1)/40))
	beyond, byRank := 0, 0
	hold := rung.For.Seconds() / rung.Window.Seconds()
	for _, c := range columns {
		s, parts := simulate.NewOrdered(c.training, c.ranks), 1.0
		if c.ranks != nil {
			parts = 2
		}
		g, d := s.G(c.live, c.clustering)
		rows := total(c.live) / c.clustering
		discount := simulate.Discount(rows / total(c.training))
		want := simulate.Z(g/discount, d, hold, parts)
		rank, there := ranks[c.name]
		if there != (c.ranks != nil && rows >= rung.MinEffectiveRows) {
			t.Errorf("the ranks of %s are tested: %v, of %.0f effective rows", c.name, there, rows)
		}
		if there {
			agree(t, "the rank of "+c.name, rank, s.Rank(c.live, c.clustering)/discount)
			if other := simulate.Z(s.Rank(c.live, c.clustering)/discount, 1, hold, 2); other > want {
				want = other
				byRank++
			}
		}
		agree(t, "df of "+c.name, df[c.name], d)
		agree(t, "G of "+c.name, y[c.name], g/d)
		agree(t, "z of "+c.name, z[c.name], want)
		agree(t, "the distance of "+c.name, j[c.name], s.Distance(c.live))
		week, there := last[c.name]
		if there != (z[c.name] > critical) {
			t.Errorf("%s is compared with last week: %v, with z %.2f where %.2f is allowed", c.name, there, z[c.name], critical)
		}
		if there {
			beyond++
			g, _ := simulate.Between(c.live, c.last)
			agree(t, "last week of "+c.name, week, g/d/c.clustering)
			if _, tested := ranks[c.name]; tested {
				agree(t, "last week's rank of "+c.name, lastRanks[c.name], s.RankBetween(c.live, c.last)/c.clustering)
			}
		}
	}
	if byRank < 3 {
		t.Errorf("ranks say more than G of %d columns: too few to tell", byRank)
	}
	if beyond < 5 || beyond == len(columns) {
		t.Errorf("%d of %d columns are beyond noise: the comparison with last week is not tried", beyond, len(columns))
	}
}

func total(counts []float64) float64 {
	sum := 0.0
	for _, n := range counts {
		sum += n
	}
	return sum
}

// The same of right and wrong answers, in both directions, with and without a
// wrong one among the hold-out rows; and what fires is what is simulated to fire.
func TestSimulationIsTheRuleOfAnswers(t *testing.T) {
	v := rules.Defaults()
	v.Clocks.Page.Windows = []rules.Duration{rules.Duration(time.Hour)}
	v.Clocks.Act.Enabled, v.Clocks.Slow.Enabled = false, false
	v.Clustering.Assumed = 2
	clustering := v.Clustering.Assumed / (1 - 15.0/3600)
	rung := v.Ladder()[0]
	r := newRig(t, v)
	random := simulate.NewRandom(11, 2013)
	type version struct {
		name          string
		live, holdout []float64 // right, wrong
	}
	var versions []version
	for i := range 40 {
		p := []float64{0, 0.02, 0.1, 0.3, 0.5}[i%5]
		x := version{name: fmt.Sprintf("m%02d", i), live: make([]float64, 2), holdout: make([]float64, 2)}
		random.Multinomial(300<<(i%6), []float64{1 - p, p}, x.holdout)
		p = max(p, 0.01) * []float64{1, 1.2, 1.6, 0.4}[i%4]
		random.Multinomial(100<<(i%8), []float64{1 - p, p}, x.live)
		versions = append(versions, x)
	}
	for at := midnight.Add(-time.Hour); !at.After(midnight); at = at.Add(15 * time.Second) {
		done := 1 - midnight.Sub(at).Hours()
		for _, x := range versions {
			samples := []sample{{model("leeway_answer_reference_samples", x.name), total(x.holdout)}}
			for b, bin := range []string{"right", "wrong"} {
				samples = append(samples,
					sample{model("leeway_answer_observations_total", x.name, "bin", bin), 1000 + done*x.live[b]},
					sample{model("leeway_answer_reference_ratio", x.name, "bin", bin), x.holdout[b] / total(x.holdout)})
			}
			r.append(at, samples...)
		}
	}
	r.eval(midnight, "leeway-answer-reference", "leeway-answer-drift-1h")
	of := func(name string) map[string]float64 { return r.query(midnight, name, "model_name") }
	y, df, z, wrong := of("leeway:answer_drift:noise_ratio1h"), of("leeway:answer_drift:df1h"), of("leeway:answer_drift:z1h"), of("leeway:answer:wrong_share1h")
	critical, alerts := of("leeway:answer_model_drift:z_critical1h"), of(`ALERTS{alertname="LeewayQuality", leeway_clock="page"}`)
	fires, falls := 0, 0
	for _, x := range versions {
		s := simulate.NewColumn(x.holdout)
		g, d := s.G(x.live, clustering)
		rows := total(x.live) / clustering
		expected := simulate.Z(g/simulate.Discount(rows/total(x.holdout)), d, rung.For.Seconds()/rung.Window.Seconds(), 1)
		agree(t, "the critical z of "+x.name, critical[x.name], simulate.Quantile(2*rung.Promised(v.Budgets.Answers, 1)))
		agree(t, "df of "+x.name, df[x.name], d)
		agree(t, "G of "+x.name, y[x.name], g/d)
		agree(t, "z of "+x.name, z[x.name], expected)
		agree(t, "the wrong answers of "+x.name, wrong[x.name], x.live[1]/total(x.live))
		simulated := simulate.Clocked{
			Rung:   simulate.Rung{Steps: 1, PerWindow: rung.Promised(v.Budgets.Answers, 1), For: rung.For.Seconds() / rung.Window.Seconds(), MinRows: rung.MinEffectiveRows, Factor: v.Quality.Factor},
			Window: time.Hour, Step: time.Hour, Profile: clustering,
		}
		one := simulate.Rows{}
		for bin, n := range x.live {
			for range int(n) {
				one.At, one.Bin = append(one.At, 0), append(one.Bin, uint8(bin))
			}
		}
		want := len(simulate.Replay(simulated, s, 1, one, time.Hour).Alarms) > 0
		if _, fired := alerts[x.name]; fired != want {
			t.Errorf("%s fires: %v, simulated: %v, with z %.2f where %.2f is allowed, %.3f wrong of %.0f rows where %.3f were", x.name, fired, want,
				expected, critical[x.name], x.live[1]/total(x.live), rows, x.holdout[1]/total(x.holdout))
		}
		if want {
			fires++
		}
		if expected > critical[x.name] && x.live[1]*total(x.holdout) < x.holdout[1]*total(x.live) {
			falls++
		}
	}
	if fires < 4 || falls < 3 {
		t.Errorf("%d of the versions fire, and %d are beyond noise for the better: too few to tell", fires, falls)
	}
}

package rules_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	prules "github.com/prometheus/prometheus/rules"

	"github.com/leeway-dev/leeway/rules"
)

const (
	simModels    = 20
	simFeatures  = 2
	simReference = 100_000
	simWindow    = 24 * time.Minute
	simScrape    = simWindow / 20
	simGroup     = "leeway-feature-drift-24m"
)

// The promise: so many false alarms, no more and not many fewer. 20 models that
// do not drift, for a day, through the shipped PromQL, with a budget of one in
// six hours. First the statistical part alone (no floor, any number of rows),
// then, on the same data, the whole rule.
func TestFalseAlarmsKeepTheBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("simulates a day, which takes a minute or two")
	}
	bare, whole := simValues()
	r := newRig(t, bare)
	statistic := &counter{rule: driftAlert(t, r.groups[simGroup])}
	files, err := rules.Render(whole)
	if err != nil {
		t.Fatal(err)
	}
	complete := &counter{rule: driftAlert(t, r.load("feature-drift.yaml", files["feature-drift.yaml"])[simGroup])}

	random := rand.New(rand.NewPCG(4, 2013))
	columns := undrifted(random)
	start := time.Unix(1_700_000_000, 0)
	query := prules.EngineQueryFunc(r.engine, r.db)
	for at := start; at.Before(start.Add(24*time.Hour + simWindow)); at = at.Add(simScrape) {
		r.append(at, scrape(random, columns)...)
		if at.Before(start.Add(simWindow)) {
			continue // the first window is not whole
		}
		r.eval(at, "leeway-feature-reference", simGroup)
		if _, err := complete.rule.Eval(t.Context(), 0, at, query, nil, 0); err != nil {
			t.Fatal(err)
		}
		if at.Sub(start)%simWindow == 0 {
			r.forget(at.Add(-2 * simWindow))
		}
		statistic.count()
		complete.count()
	}
	promised := simModels * 4
	t.Logf("promised %d false alarms; the statistic alone gave %d, the whole rule %d", promised, statistic.fired, complete.fired)
	if 2*statistic.fired < promised || statistic.fired > 2*promised {
		t.Errorf("the statistic alone gave %d false alarms, not within 0.5 to 2 times the %d promised", statistic.fired, promised)
	}
	if complete.fired > promised {
		t.Errorf("the whole rule gave %d false alarms, more than the %d promised", complete.fired, promised)
	}
}

// simValues are the values of the simulation, without floors and with them.
func simValues() (bare, whole rules.Values) {
	v := rules.Defaults()
	v.ScrapeInterval = rules.Duration(simScrape)
	v.Budgets.Inputs = rules.Budget{FalseAlarms: 1, Per: rules.Duration(6 * time.Hour)}
	v.Clocks.Act.Enabled, v.Clocks.Slow.Enabled, v.Unknown.Enabled = false, false, false
	v.Errors.Enabled, v.Latency.Enabled, v.NoData.Enabled, v.BrokenInput.Enabled = false, false, false, false // of windows too short for it
	page := &v.Clocks.Page
	page.Windows = []rules.Duration{rules.Duration(simWindow)}
	page.History, page.LastWeek = false, false
	whole = v
	v.Floors, page.MinEffectiveRows = rules.Floors{}, 1
	return v, whole
}

// counter counts how often an alerting rule began to fire, over its columns.
type counter struct {
	rule   *prules.AlertingRule
	firing map[string]bool
	fired  int
}

func (c *counter) count() {
	now := map[string]bool{}
	for _, a := range c.rule.ActiveAlerts() {
		if a.State == prules.StateFiring {
			key := a.Labels.String()
			now[key] = true
			if !c.firing[key] {
				c.fired++
			}
		}
	}
	c.firing = now
}

// driftAlert finds the one alerting rule of a group.
func driftAlert(t *testing.T, g *prules.Group) *prules.AlertingRule {
	t.Helper()
	if g == nil || len(g.AlertingRules()) != 1 {
		t.Fatal("not one alerting rule in the drift group")
	}
	return g.AlertingRules()[0]
}

// simulated is a column whose live rows are drawn from the very distribution
// that its reference was drawn from: it does not drift.
type simulated struct {
	shares    []float64
	perScrape float64  // rows, on average
	counters  []sample // one a bin
	reference []sample
}

// undrifted draws the columns: 4 to 7 bins, of 165 to 5,280 rows a window, and
// a reference of 100,000 rows each, drawn once.
func undrifted(random *rand.Rand) []simulated {
	var out []simulated
	for m := range simModels {
		name, rows := fmt.Sprintf("m%02d", m), 165*float64(int(1)<<(m%6))
		for f := range simFeatures {
			feature := fmt.Sprintf("f%d", f)
			c := simulated{perScrape: rows / 20, shares: make([]float64, 4+(3*m+5*f)%4)}
			counts, sum, total := make([]float64, len(c.shares)), 0.0, 0.0
			for i := range c.shares {
				c.shares[i] = 0.2 + random.Float64()
				sum += c.shares[i]
			}
			for i := range c.shares {
				c.shares[i] /= sum
				counts[i] = poisson(random, simReference*c.shares[i])
				total += counts[i]
			}
			for i, n := range counts {
				bin := fmt.Sprintf("%02d", i)
				c.counters = append(c.counters, sample{model("leeway_feature_observations_total", name, "feature", feature, "bin", bin), 0})
				c.reference = append(c.reference, sample{model("leeway_feature_reference_ratio", name, "feature", feature, "bin", bin), n / total})
			}
			c.reference = append(c.reference,
				sample{model("leeway_feature_reference_samples", name, "feature", feature), total},
				sample{model("leeway_feature_reference_clustering", name, "feature", feature, "window", "24m"), 1})
			out = append(out, c)
		}
	}
	return out
}

// scrape lets rows arrive, and gives what a sidecar and a controller show.
func scrape(random *rand.Rand, columns []simulated) []sample {
	var out []sample
	for _, c := range columns {
		for b, share := range c.shares {
			c.counters[b].value += poisson(random, c.perScrape*share)
		}
		out = append(append(out, c.counters...), c.reference...)
	}
	return out
}

// poisson counts how many events come in the time in which mean are expected.
func poisson(random *rand.Rand, mean float64) float64 {
	n := 0.0
	for at := random.ExpFloat64(); at < mean; at += random.ExpFloat64() {
		n++
	}
	return n
}

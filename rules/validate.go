package rules

import (
	"errors"
	"fmt"
	"math"
	"regexp"
)

// labelName is what Prometheus takes without quoting.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// word is what severities and URLs are made of: they go into YAML and into
// alert templates as they are.
var word = regexp.MustCompile(`^[^\s\pC{}]*$`)

// Validate says everything that makes no sense in the values, each with the
// field's name.
func (v Values) Validate() error {
	var c checks
	c.positive("scrapeInterval", v.ScrapeInterval.Seconds())
	for _, b := range []struct {
		name string
		Budget
	}{{"budgets.inputs", v.Budgets.Inputs}, {"budgets.outputs", v.Budgets.Outputs}, {"budgets.answers", v.Budgets.Answers}} {
		c.positive(b.name+".falseAlarms", b.FalseAlarms)
		c.positive(b.name+".per", b.Per.Seconds())
	}
	c.positive("budgets.window", v.Budgets.Window.Seconds())
	c.within("floors.inputs", v.Floors.Inputs, 0, 1)
	c.within("floors.outputs", v.Floors.Outputs, 0, 1)
	c.within("floors.binary", v.Floors.Binary, 0, 1)
	c.within("clustering.assumed", v.Clustering.Assumed, 1, math.Inf(1))
	c.clocks(v)
	c.topics(v)
	for field, url := range map[string]string{"runbookURL": v.RunbookURL, "dashboardURL": v.DashboardURL} {
		if !word.MatchString(url) {
			c.add("%s: %q holds spaces, braces or control characters; escape them", field, url)
		}
	}
	for name := range v.Labels {
		if !labelName.MatchString(name) || reservedLabel(name) {
			c.add("labels: %q can't be set: it is no label name, or one that Leeway reads", name)
		}
	}
	return errors.Join(c.errs...)
}

// reservedLabel says whether the agent or a rule gives this label its meaning.
func reservedLabel(name string) bool {
	switch name {
	case "alertname", "namespace", "model_name", "model_version", "workload", "feature", "output", "severity",
		"leeway_cause", "leeway_clock", "leeway_window", "leeway_basis", "metric", "columns", "kind", "slo", "problem", "budget", "actual":
		return true
	}
	return false
}

type checks struct{ errs []error }

func (c *checks) add(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

func (c *checks) positive(field string, x float64) {
	if !(x > 0) || math.IsInf(x, 0) {
		c.add("%s: must be more than 0", field)
	}
}

func (c *checks) within(field string, x, low, high float64) {
	if !(x >= low && x <= high) || math.IsInf(x, 0) {
		c.add("%s: %v is not between %v and %v", field, x, low, high)
	}
}

func (c *checks) severity(field, severity string) {
	if severity == "" || !word.MatchString(severity) {
		c.add("%s.severity: %q is not a word", field, severity)
	}
}

// window checks what every windowed rule has.
func (c *checks) window(field string, v Values, window, hold, interval Duration, severity string) {
	c.positive(field+".window", window.Seconds())
	c.positive(field+".interval", interval.Seconds())
	if hold < 0 || hold >= window {
		c.add("%s.for: %s is not between 0 and the window of %s", field, hold, window)
	}
	if window < 2*v.ScrapeInterval {
		c.add("%s.window: %s holds fewer than two scrapes of %s: increase() has nothing to go by", field, window, v.ScrapeInterval)
	}
	if interval > window {
		c.add("%s.interval: %s is longer than the window of %s", field, interval, window)
	}
	c.severity(field, severity)
}

func (c *checks) clocks(v Values) {
	if v.ScrapeInterval <= 0 {
		return // nothing follows from it
	}
	names := map[Duration]string{}
	for name, k := range map[string]Clock{"page": v.Clocks.Page, "act": v.Clocks.Act, "slow": v.Clocks.Slow} {
		if !k.Enabled {
			continue
		}
		c.positive("clocks."+name+".minEffectiveRows", k.MinEffectiveRows)
		c.severity("clocks."+name, k.Severity)
		if len(k.Windows) == 0 || len(k.Windows) > 16 {
			c.add("clocks.%s.windows: %d windows; write 1 to 16, or set enabled to false", name, len(k.Windows))
		}
	}
	ladder := v.Ladder()
	for _, r := range ladder {
		field := "clocks." + r.Name + ".windows"
		c.window(field, v, r.Window, r.For, r.Interval, r.Severity)
		if other, taken := names[r.Window]; taken {
			c.add("%s: %s is a window of %s too; recorded series are named by their window", field, r.Window, other)
		}
		names[r.Window] = r.Name
		if r.Window > hour && r.Window%hour != 0 {
			c.add("%s: %s is over 1h and not whole hours; it is built from recorded hours", field, r.Window)
		}
		if r.History && r.Window > day {
			c.add("clocks.%s.history: a window of %s overlaps itself a day before; set history to false", r.Name, r.Window)
		}
		if r.LastWeek && r.Window > day {
			c.add("clocks.%s.lastWeek: a window of %s is evaluated once an hour, too seldom to be found a week later; set lastWeek to false", r.Name, r.Window)
		}
		for _, b := range []Budget{v.Budgets.Inputs, v.Budgets.Outputs, v.Budgets.Answers} {
			if b.FalseAlarms > 0 && r.Promised(b, len(ladder)) > 0.25 {
				c.add("%s: a budget of %v false alarms per %s is so large that the rule would fire on anything within %s; allow fewer", field, b.FalseAlarms, b.Per, r.Window)
			}
		}
	}
}

func (c *checks) topics(v Values) {
	if b := v.BrokenInput; b.Enabled {
		c.window("brokenInput", v, b.Window, b.For, b.Interval, b.Severity)
		c.within("brokenInput.points", b.Points, 0, 1)
		c.within("brokenInput.sigmas", b.Sigmas, 0, 100)
		c.within("brokenInput.minRows", b.MinRows, 1, math.MaxFloat64)
		c.positive("brokenInput.baseline", b.Baseline.Seconds())
		c.within("brokenInput.baselineOffset", b.BaselineOffset.Seconds(), b.Window.Seconds(), math.MaxFloat64)
		c.within("brokenInput.maxBaseline", b.MaxBaseline, 0, 1)
	}
	if e := v.Errors; e.Enabled {
		c.window("errors", v, e.Window, e.For, e.Interval, e.Severity)
		c.within("errors.points", e.Points, 0, 1)
		c.within("errors.sigmas", e.Sigmas, 0, 100)
		c.within("errors.maxBaseline", e.MaxBaseline, 0, 1)
		c.within("errors.minRequests", e.MinRequests, 1, math.MaxFloat64)
		c.positive("errors.baseline", e.Baseline.Seconds())
		c.within("errors.baselineOffset", e.BaselineOffset.Seconds(), e.Window.Seconds(), math.MaxFloat64)
	}
	if l := v.Latency; l.Enabled {
		c.window("latency", v, l.Window, l.For, l.Interval, l.Severity)
		c.within("latency.quantile", l.Quantile, 0.5, 0.9999)
		c.within("latency.factor", l.Factor, 1, 1000)
		c.within("latency.margin", l.Margin.Seconds(), 0, math.MaxFloat64)
		c.within("latency.minRequests", l.MinRequests, 1, math.MaxFloat64)
		c.positive("latency.baseline", l.Baseline.Seconds())
		c.within("latency.baselineOffset", l.BaselineOffset.Seconds(), l.Window.Seconds(), math.MaxFloat64)
	}
	if q := v.Quality; q.Enabled {
		c.window("quality", v, q.Window, q.For, q.Interval, q.Severity)
		c.within("quality.factor", q.Factor, 1, 1000)
		c.within("quality.sigmas", q.Sigmas, 0, 100)
		c.within("quality.minLabels", q.MinLabels, 2, math.MaxFloat64)
		c.within("quality.minClassLabels", q.MinClassLabels, 2, math.MaxFloat64)
		c.within("quality.recallPoints", q.RecallPoints, 0, 1)
		c.positive("quality.baseline", q.Baseline.Seconds())
	}
	if n := v.NoData; n.Enabled {
		c.window("noData", v, n.Window, n.For, n.Interval, n.Severity)
	}
	if v.Unknown.Enabled {
		c.severity("unknown", v.Unknown.Severity)
	}
	c.people(v)
}

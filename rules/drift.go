package rules

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// clusteringInterval is how often the clustering is measured, and minMeasured
// how many of the past week's measurements there must be (nine tenths of a
// day) before they are believed.
const (
	clusteringInterval = Duration(10 * 60 * 1e9)
	minMeasured        = 129
)

// drift is the rule file of one kind of column.
func drift(v Values, c column) file {
	clocks := v.Clocks.enabled()
	f := file{name: c.kind + "-drift.yaml", comment: driftComment(v, c, len(clocks))}
	if len(clocks) == 0 {
		return f
	}
	f.groups = append(f.groups, reference(v, c))
	hours, page := false, false
	for _, k := range clocks {
		hours = hours || k.Window > hour
		page = page || k.Window == hour
	}
	if hours && !page {
		f.groups = append(f.groups, recordedHours(c))
	}
	for _, k := range clocks {
		f.groups = append(f.groups, driftGroup(v, c, k, len(clocks)))
		if k.History {
			f.groups = append(f.groups, clusteringGroup(v, c, k))
		}
	}
	return f
}

func driftComment(v Values, c column, clocks int) string {
	text := fmt.Sprintf(`Does a %s look like the data that the version was trained on?

The two-sample G statistic of the bin counts (live rows divided by their
clustering), turned into a normal z, against the critical z that spends %s
false alarms per model in %s over all columns and %d clocks. And a distance of
at least the floor; and, where there is a last week, different from that too.`,
		c.noun, number(c.budget.FalseAlarms), c.budget.Per, clocks)
	for _, k := range v.Clocks.enabled() {
		if scrapes := k.Window / v.ScrapeInterval; scrapes < 60 {
			text += fmt.Sprintf(`

Note: %s (%s) spans %d scrapes of %s, fewer than 60: counts read up to %.0f%%
too high, and z with them.`, k.name, k.Window, scrapes, v.ScrapeInterval, 100/float64(scrapes-1))
		}
	}
	return text
}

// reference is what the training data says, independent of any window.
func reference(v Values, c column) group {
	t := newText(c, 0, v.Clustering.Assumed)
	interval := Duration(60e9)
	for _, k := range v.Clocks.enabled() {
		interval = min(interval, k.Interval)
	}
	return group{
		name: "leeway-" + c.kind + "-reference", interval: interval,
		rules: []rule{
			{record: t.names["q"], expr: t.sprint("max by ($B) ($ratio)")},
			{
				comment: "Bins that hold values, not bins for what has no place. At most two: a binary column.",
				record:  t.names["plain"],
				expr: t.sprint(`count by ($F) (
  $q{bin!~"under|over|far_under|far_over|unseen|missing"} > 0
)`),
			},
		},
	}
}

// recordedHours is needed for windows over 1 h when no clock records hours.
func recordedHours(c column) group {
	t := newText(c, hour, 0)
	return group{
		name: "leeway-" + c.kind + "-hours", interval: Duration(60e9),
		rules: []rule{{record: t.names["n"], expr: t.sprint("sum by ($B) (increase($raw[1h]))")}},
	}
}

// driftGroup is one clock: counts, statistic, critical value, distance, alert.
func driftGroup(v Values, c column, k clock, clocks int) group {
	t := newText(c, k.Window, v.Clustering.Assumed)
	t.with("shorterClustering", "leeway:"+c.kind+":clustering"+k.shorter.String())
	t.with("inverseAlpha", number(inverseAlpha(k.Clock, c.budget, clocks)))
	rules := append(counts(t, k), statistic(t)...)
	rules = append(rules, critical(t, k, c, clocks)...)
	rules = append(rules, distance(t)...)
	if k.LastWeek {
		rules = append(rules, lastWeek(t, k)...)
	}
	rules = append(rules, driftAlert(v, t, k))
	if v.Unknown.Enabled {
		rules = append(rules, unknownAlert(v, t, k))
	}
	return group{
		name: fmt.Sprintf("leeway-%s-drift-%s", c.kind, k.Window), interval: k.Interval,
		comment: fmt.Sprintf("Clock %s: %s.", k.name, k.Window),
		rules:   rules,
	}
}

func counts(t text, k clock) []rule {
	rows := rule{comment: "n: rows in a bin.", record: t.names["n"], expr: t.sprint("sum by ($B) (increase($raw[$w]))")}
	if k.Window > hour {
		hours := float64(k.Window / hour)
		t.with("complete", number(math.Ceil(hours*22/24)))
		rows.comment = "n: rows in a bin, from recorded hours, when they are all but complete."
		rows.expr = t.sprint(`sum_over_time($hourRows[$w:1h])
and
count_over_time($hourRows[$w:1h]) >= $complete`)
	}
	return []rule{
		rows,
		{comment: "N: rows of a column.", record: t.names["N"], expr: t.sprint("sum by ($F) ($n)")},
		{
			comment: "e: effective rows, n over the clustering.",
			record:  t.names["e"],
			expr:    t.sprint("$n\n/ on ($F) group_left ()\n") + clusteringOf(t, k),
		},
		{record: t.names["E"], expr: t.sprint("sum by ($F) ($e)")},
		{
			comment: "R: rows of the reference; 0.5 where it has none and the window has some.",
			record:  t.names["R"],
			expr: t.sprint(`max by ($B) ($ratio)
  * on ($F) group_left ()
  max by ($F) ($samples)
  > 0
or
($e > bool 0) * 0.5
  and on ($F) $samples`),
		},
	}
}

// clusteringOf is the clustering of a column: measured, else the profile's,
// else that of a shorter window that is measured, else assumed.
func clusteringOf(t text, k clock) string {
	parts := []string{`max by ($F) ($profileClustering{window="$w"})`, "$N * 0 + $assumed"}
	switch {
	case k.History:
		parts = slices.Insert(parts, 0, "last_over_time($clustering[2h])")
	case k.shorter > 0:
		parts = slices.Insert(parts, 1, "last_over_time($shorterClustering[2h])")
	}
	return t.sprint("(\n  " + strings.Join(parts, "\n  or\n  ") + "\n)")
}

func statistic(t text) []rule {
	return []rule{
		{record: t.names["df"], expr: t.sprint("clamp_min(count by ($F) ($e + $R > 0) - 1, 1)")},
		{
			comment: "G over its degrees of freedom: about 1 when nothing but noise differs.",
			record:  t.names["y"],
			expr:    gStatistic(t, t.names["e"], t.names["R"]) + t.sprint("\n/ $df"),
		},
		{
			comment: "G as a normal z (Lugannani-Rice r*): one scale for every column.",
			record:  t.names["root"],
			expr:    rootOf(t, "$y"),
		},
		{record: t.names["z"], expr: zOf(t, "$y", "$root")},
	}
}

// gStatistic is 2·[Σ x(a) + x(b) − x(a+b) − x(A) − x(B) + x(A+B)], x(u) = u·ln u.
func gStatistic(t text, a, b string) string {
	total := func(s string) string { return t.sprint("sum by ($F) (") + s + ")" }
	return t.sprint("2 * (\n  sum by ($F) (\n") +
		"    " + xlogx(a) + "\n" +
		"    + " + xlogx(b) + "\n" +
		"    - " + xlogx(a+" + "+b) + "\n  )\n" +
		"  - " + xlogx(total(a)) + "\n" +
		"  - " + xlogx(total(b)) + "\n" +
		"  + " + xlogx(total(a+" + "+b)) + "\n)"
}

func rootOf(t text, y string) string {
	return t.sprint(fmt.Sprintf("sqrt($df * (clamp_min(%[1]s, 1.1) - 1 - ln(clamp_min(%[1]s, 1.1))))", y))
}

func zOf(t text, y, root string) string {
	return t.sprint(fmt.Sprintf("%[2]s\n+ ln((clamp_min(%[1]s, 1.1) - 1) * sqrt($df / 2) / %[2]s) / %[2]s", y, root))
}

func critical(t text, k clock, c column, clocks int) []rule {
	tests := effectiveTests(k.For.seconds() / k.Window.seconds())
	return []rule{
		{
			comment: fmt.Sprintf(`1/alpha = %s = %s tests a window (for = %s) * %d clocks * %s / (%s * %s), times the columns.`,
				t.names["inverseAlpha"], number(tests), k.For, clocks, c.budget.Per, number(c.budget.FalseAlarms), k.Window),
			record: t.names["t"],
			expr:   t.sprint("sqrt(2 * ln($inverseAlpha * count by ($K) ($N)))"),
		},
		{
			comment: "The normal quantile of 1 - alpha (Abramowitz and Stegun 26.2.23).",
			record:  t.names["c"],
			expr: t.sprint(`$t
- (2.515517 + 0.802853 * $t + 0.010328 * $t ^ 2)
/ (1 + 1.432788 * $t + 0.189269 * $t ^ 2 + 0.001308 * $t ^ 3)`),
		},
	}
}

func distance(t text) []rule {
	return []rule{
		{record: t.names["p"], expr: t.sprint("$n / on ($F) group_left () ($N > 0)")},
		{
			comment: "Jensen-Shannon distance, base 2: the square root of the divergence, 0 to 1.",
			record:  t.names["j"],
			expr: t.sprint(`sqrt(clamp_min(
  sum by ($F) (
    $p * ln(clamp_min($p, 1e-12))
    + $q * ln(clamp_min($q, 1e-12))
    - ($p + $q) * ln(clamp_min(($p + $q) / 2, 1e-12))
  ) / 1.3862943611198906,
  0
))`),
		},
	}
}

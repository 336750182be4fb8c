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
	ladder := v.Ladder()
	f := file{name: c.kind + "-drift.yaml", comment: driftComment(v, c, ladder)}
	if len(ladder) == 0 {
		return f
	}
	f.groups = append(f.groups, reference(v, c))
	over, itself := false, false
	for _, r := range ladder {
		over = over || r.Window > hour
		itself = itself || r.Window == hour
	}
	if over && !itself {
		f.groups = append(f.groups, recordedHours(c))
	}
	for _, r := range ladder {
		f.groups = append(f.groups, driftGroup(v, c, r, len(ladder)))
		if r.History {
			f.groups = append(f.groups, clusteringGroup(v, c, r))
		}
	}
	return f
}

func driftComment(v Values, c column, ladder []Rung) string {
	text := fmt.Sprintf(`Does a %s look like the data that the version was trained on?

The two-sample G statistic of the bin counts (live rows divided by their
clustering), turned into a normal z that allows for a window that slides,
against the critical z that spends %s false alarms per model in %s over all
columns and %d windows. And a distance of at least the floor; and, where there
is a last week, different from that too.`,
		c.noun, number(c.budget.FalseAlarms), c.budget.Per, len(ladder))
	for _, r := range ladder {
		if scrapes := r.Window / v.ScrapeInterval; scrapes < 20 {
			text += fmt.Sprintf(`

Note: the window of %s spans %d scrapes of %s. With fewer than 20 a window that
begins late or has a gap tells less than is reckoned with.`, r.Window, scrapes, v.ScrapeInterval)
		}
	}
	return text
}

// reference is what the training data says, independent of any window.
func reference(v Values, c column) group {
	t := newText(c, 0, v.Clustering.Assumed)
	interval := Duration(60e9)
	for _, r := range v.Ladder() {
		interval = min(interval, r.Interval)
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

// driftGroup is one window: counts, statistic, critical value, distance, alert.
func driftGroup(v Values, c column, r Rung, rungs int) group {
	t := newText(c, r.Window, v.Clustering.Assumed)
	t.with("shorterClustering", "leeway:"+c.kind+":clustering"+r.shorter.String())
	t.with("covered", number(covered(r.Window, v.ScrapeInterval)))
	rules := append(counts(t, r), statistic(t, r)...)
	rules = append(rules, critical(t, r, c, rungs)...)
	rules = append(rules, distance(t)...)
	if r.LastWeek {
		rules = append(rules, lastWeek(t, r)...)
	}
	rules = append(rules, driftAlert(v, t, r))
	if v.Unknown.Enabled && r.last {
		rules = append(rules, unknownAlert(v, t, r))
	}
	return group{
		name: fmt.Sprintf("leeway-%s-drift-%s", c.kind, r.Window), interval: r.Interval,
		comment: fmt.Sprintf("Clock %s: %s.", r.Name, r.Window),
		rules:   rules,
	}
}

func counts(t text, r Rung) []rule {
	rows := rule{comment: "n: rows in a bin.", record: t.names["n"], expr: t.sprint("sum by ($B) (increase($raw[$w]))")}
	switch {
	case r.Window > slidingHours:
		hours := float64(r.Window / hour)
		t.with("complete", number(math.Ceil(hours*22/24)))
		rows.comment = "n: rows in a bin, from recorded hours, when they are all but complete."
		rows.expr = t.sprint(`sum_over_time($hourRows[$w:1h])
and
count_over_time($hourRows[$w:1h]) >= $complete`)
	case r.Window > hour:
		rows.comment = "n: rows in a bin, from recorded hours back from now."
		rows.expr = t.sprint("$hourRows")
		for back := hour; back < r.Window; back += hour {
			rows.expr += t.sprint("\n+ $hourRows offset ") + back.String()
		}
	}
	return []rule{
		rows,
		{comment: "N: rows of a column.", record: t.names["N"], expr: t.sprint("sum by ($F) ($n)")},
		{
			comment: "e: effective rows, n over the clustering; less what increase() makes up between\nthe last scrape and the first of a window.",
			record:  t.names["e"],
			expr:    t.sprint("$n * $covered\n/ on ($F) group_left ()\n") + clusteringOf(t, r),
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
func clusteringOf(t text, r Rung) string {
	parts := []string{`max by ($F) ($profileClustering{window="$w"})`, "$N * 0 + $assumed"}
	switch {
	case r.History:
		parts = slices.Insert(parts, 0, "last_over_time($clustering[2h])")
	case r.shorter > 0:
		parts = slices.Insert(parts, 1, "last_over_time($shorterClustering[2h])")
	}
	return t.sprint("(\n  " + strings.Join(parts, "\n  or\n  ") + "\n)")
}

func statistic(t text, r Rung) []rule {
	out := []rule{
		{record: t.names["df"], expr: t.sprint("clamp_min(count by ($F) ($e + $R > 0) - 1, 1)")},
		{
			comment: "G over its degrees of freedom: about 1 when nothing but noise differs.",
			record:  t.names["y"],
			expr:    gStatistic(t, t.names["e"], t.names["R"]) + t.sprint("\n/ $df"),
		},
	}
	out = append(out, tests(t, r)...)
	return append(out,
		rule{
			comment: "G as a normal z (Lugannani-Rice r*), its tail times the tests: one scale for\nevery column and window.",
			record:  t.names["root"],
			expr:    rootOf(t, "$y"),
		},
		rule{record: t.names["z"], expr: zOf(t, "$y", "$root", "$root * $tests")},
	)
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

func zOf(t text, y, root, over string) string {
	if containsSpace(over) {
		over = "(" + over + ")"
	}
	return t.sprint(fmt.Sprintf("%[2]s\n+ ln((clamp_min(%[1]s, 1.1) - 1) * sqrt($df / 2) / %[3]s) / %[2]s", y, root, over))
}

func critical(t text, r Rung, c column, rungs int) []rule {
	t.with("inverseAlpha", number(1/r.Promised(c.budget, rungs)))
	return []rule{
		{
			comment: fmt.Sprintf(`1/alpha = %s = %d windows * %s / (%s * %s), times the columns.`,
				t.names["inverseAlpha"], rungs, c.budget.Per, number(c.budget.FalseAlarms), r.Window),
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

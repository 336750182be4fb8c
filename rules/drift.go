package rules

import (
	"fmt"
	"math"
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

// answerDrift is the rule file about right and wrong answers.
func answerDrift(v Values) file {
	if !v.Quality.Enabled {
		return file{}
	}
	return drift(v, answers(v))
}

func driftComment(v Values, c column, ladder []Rung) string {
	text := fmt.Sprintf(`Does a %s look like the data that the version was trained on?

The two-sample G statistic of the bin counts (live rows divided by their
clustering), turned into a normal z that allows for a window that slides,
against the critical z that spends %s false alarms per model in %s over all
columns and %d windows. And a distance of at least the floor; and, where there
is a last week, different from that too.`,
		c.noun, number(c.budget.FalseAlarms), c.budget.Per, len(ladder))
	if c.factor > 0 {
		text = fmt.Sprintf(`Is a classification wrong more often than on the hold-out rows that it was
registered with?

From the labels that come back, right and wrong, against the registered error:
two bins, judged as those of a column are (see feature-drift.yaml). What is called
training data below are the hold-out rows: the error is known no better than they
are many. Only more wrong answers count, beyond quality's factor times the error.
The critical z spends %s false alarms per model in %s over %d windows. A version
that was registered without an error, or without holdout_rows, has nothing here:
see quality.yaml.`, number(c.budget.FalseAlarms), c.budget.Per, len(ladder))
	}
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
	g := group{
		name: "leeway-" + c.kind + "-reference", interval: interval,
		rules: []rule{
			{comment: "q: share of a bin.", record: t.names["q"], expr: t.sprint("max by ($B) ($ratio)")},
			{comment: "M: rows of the training data.", record: t.names["M"], expr: t.sprint("max by ($F) ($samples) > 0")},
			{
				comment: "The same with half a row in bins that have none.",
				record:  t.names["q0"],
				expr:    t.sprint("$q > 0\nor\n(0 * $q + 0.5) / on ($F) group_left () $M"),
			},
			{record: t.names["used"], expr: t.sprint("count by ($F) ($q > 0)")},
			{
				comment: "Sums of q ln q.",
				record:  t.names["logQ"],
				expr:    t.sprint("sum by ($F) (") + xlogx(t.names["q"]) + ")",
			},
			{record: t.names["logQ0"], expr: t.sprint("sum by ($F) (") + xlogx(t.names["q0"]) + ")"},
		},
	}
	if c.factor > 0 {
		g.rules = append(g.rules, rule{record: t.names["registered"], expr: t.sprint(`sum by ($F) ($q{bin="wrong"})`)})
		return g
	}
	g.rules = append(g.rules, rule{
		comment: "Bins that hold values, not bins for what has no place. At most two: a binary column.",
		record:  t.names["plain"],
		expr: t.sprint(`count by ($F) (
  $q{bin!~"under|over|far_under|far_over|unseen|missing"} > 0
)`),
	})
	for _, r := range v.Ladder() {
		if ranked(c, r) {
			g.rules = append(g.rules, referenceRanks(t)...)
			break
		}
	}
	return g
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
	over := "$root * $tests"
	if ranked(c, r) {
		over += " * $parts"
		t.with("gZ", "leeway:"+c.kind+"_drift:g_z"+t.window.String()).with("weekGZ", "leeway:"+c.kind+"_drift:week_g_z"+t.window.String())
	}
	rules := append(counts(t, r), statistic(t, r, over)...)
	if ranked(c, r) {
		rules = append(rules, rankTest(t, r)...)
	}
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
			comment: "E: effective rows, N over the clustering; less what increase() makes up between\nthe last scrape and the first of a window.",
			record:  t.names["E"],
			expr:    t.sprint("$N * $covered\n/ on ($F)\n") + clusteringOf(t, r),
		},
		{comment: "p: share of a bin.", record: t.names["p"], expr: t.sprint("$n / on ($F) group_left () ($N > 0)")},
		{comment: "The sum of p ln p.", record: t.names["logP"], expr: t.sprint("sum by ($F) (") + xlogx(t.names["p"]) + ")"},
	}
}

// clusteringOf is the clustering of a column: measured, else the profile's,
// else that of a shorter window that is measured, else assumed. No profile has that
// of answers.
func clusteringOf(t text, r Rung) string {
	var parts []string
	if r.History {
		parts = append(parts, "last_over_time($clustering[2h])")
	}
	if t.label != "" {
		parts = append(parts, `max by ($F) ($profileClustering{window="$w"})`)
	}
	if !r.History && r.shorter > 0 {
		parts = append(parts, "last_over_time($shorterClustering[2h])")
	}
	parts = append(parts, "$N * 0 + $assumed")
	return t.sprint("(\n  " + strings.Join(parts, "\n  or\n  ") + "\n)")
}

// statistic is G with as little as possible done bin by bin. With e = E·p and
// R = M·q the rows in a bin, x(u) = u·ln u and k = E/M,
//
//	G = 2·[Σ x(e) + Σ x(R) − Σ x(e+R) − x(ΣE) − x(ΣR) + x(ΣE+ΣR)]
//	  = 2·M·[k·Σ x(p) + Σ x(q) − Σ x(k·p+q) − x(ρ) + x(k+ρ)]
//
// where ρ = ΣR/M: 1, and half a row for each bin with rows where the training
// data has none. Half a row in the other empty bins cancels out of the sums.
func statistic(t text, r Rung, over string) []rule {
	out := []rule{
		{comment: "Effective rows for a row of the training data.", record: t.names["kappa"], expr: t.sprint("$E / on ($F) $M")},
		{comment: "Both together, bin by bin.", record: t.names["pooled"], expr: t.sprint("$p * on ($F) group_left () $kappa\n+ on ($B)\n$q0")},
		{
			comment: "Degrees of freedom: bins with rows in either, less one.",
			record:  t.names["df"],
			expr: t.sprint(`clamp_min(
  $used - 1
  + (
    count by ($F) ($q == 0 and on ($B) $p > 0)
    or
    $used * 0
  ),
  1
)`),
		},
		{
			comment: "The training data, and half a row for each bin of which it has none.",
			record:  t.names["rho"],
			expr: t.sprint(`1
+ 0.5 * clamp_min($df + 1 - $used, 0)
/ on ($F)
$M`),
		},
		{
			comment: "G over its degrees of freedom: about 1 when nothing but noise differs.",
			record:  t.names["y"],
			expr: t.sprint("2 * $M * (\n  $kappa * $logP\n  + $logQ0\n  - sum by ($F) (") + xlogx(t.names["pooled"]) + t.sprint(")\n") +
				"  - " + xlogx(t.names["rho"]) + "\n  + " + xlogx(t.sprint("$kappa + $rho")) + t.sprint("\n)\n/ $df"),
		},
	}
	out = append(out, rule{
		comment: "Rows of the training data are drawn once: what is peculiar about them stays. From a\ntenth of them on live rows prove less, or a few models had most of the alarms.",
		record:  t.names["level"],
		expr:    t.sprint("$y / (1 + clamp_max(clamp_min($kappa - 0.1, 0), 1))"),
	})
	out = append(out, tests(t, r)...)
	return append(out,
		rule{
			comment: "G as a normal z (Lugannani-Rice r*), its tail times the tests: one scale for\nevery column and window.",
			record:  t.names["root"],
			expr:    rootOf(t, "$level"),
		},
		rule{record: t.names["gZ"], expr: zOf(t, "$level", "$root", over)},
	)
}

func rootOf(t text, y string) string {
	return t.sprint(fmt.Sprintf("sqrt($df * (clamp_min(%[1]s, 1.1) - 1 - ln(clamp_min(%[1]s, 1.1))))", y))
}

func zOf(t text, y, root, over string) string {
	if containsSpace(over) {
		over = "(" + over + ")"
	}
	return t.sprint(fmt.Sprintf("%[2]s\n+ ln((clamp_min(%[1]s, 1.1) - 1) * ($df / 2) ^ 0.5 / %[3]s) / %[2]s", y, root, over))
}

func critical(t text, r Rung, c column, rungs int) []rule {
	sides, why := 1.0, ", times the columns."
	if c.factor > 0 {
		sides, why = 2, ", halved:\nG is as great where fewer answers are wrong, which is no alarm."
	}
	t.with("inverseAlpha", number(1/r.Promised(c.budget, rungs)/sides))
	return []rule{
		{
			comment: fmt.Sprintf(`1/alpha = %s = %d windows * %s / (%s * %s)`,
				t.names["inverseAlpha"], rungs, c.budget.Per, number(c.budget.FalseAlarms), r.Window) + why,
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

// distance says how much it is that changed.
func distance(t text) []rule {
	if t.factor > 0 {
		return []rule{{record: t.names["wrong"], expr: t.sprint(`sum by ($F) ($p{bin="wrong"})`)}}
	}
	return []rule{{
		comment: "Jensen-Shannon distance, base 2: the square root of the divergence, 0 to 1.",
		record:  t.names["j"],
		expr: t.sprint("sqrt(clamp_min(\n  1\n  + (\n    $logP + $logQ\n    - sum by ($F) (") +
			xlogx(t.sprint("$p + $q")) + t.sprint(")\n  ) / 1.3862943611198906,\n  0\n))"),
	}}
}

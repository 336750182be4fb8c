package rules

import "fmt"

// between is G of a window and an earlier one, as statistic has it, for a
// sum of x(p + k·p') that is already there; k are the rows of the earlier
// window for one of this, p' its shares.
func between(t text, k, earlier, pooled string) string {
	return t.sprint("2 * $N * (\n  $logP\n  + "+k+" * $logP "+earlier+"\n  - ") + pooled +
		"\n  + " + xlogx("1 + "+k) + "\n)"
}

// enough is the share of a window's rows that last week must have had to be
// compared with. A fifth tells a third of what as many rows would. Of two windows
// on a rainy and a dry day one may well have a third of the rows.
const enough = 0.2

// lastWeek compares the window with the same window a week before: daily and
// weekly cycles are no drift. Only where there would be an alert.
func lastWeek(t text, r Rung) []rule {
	over := "$weekRoot"
	if ranked(t.column, r) {
		over += " * $parts"
	}
	out := []rule{
		{
			comment: "Last week's rows for one of this window, where it is beyond noise.",
			record:  t.names["weekRows"],
			expr:    t.sprint("$N offset 7d / $N\nand\n$z > on ($K) group_left () $c"),
		},
		{
			comment: "Both together, bin by bin.",
			record:  t.names["weekPooled"],
			expr:    t.sprint("$p\n+\n$p offset 7d * on ($F) group_left () $weekRows"),
		},
		{
			comment: "The same statistic against the same window last week.",
			record:  t.names["weekRatio"],
			expr: between(t, t.names["weekRows"], "offset 7d", t.sprint("sum by ($F) (")+xlogx(t.names["weekPooled"])+")") +
				t.sprint("\n* $covered / $df\n/ ") + clusteringOf(t, r),
		},
		{record: t.names["weekRoot"], expr: rootOf(t, "$weekRatio")},
		{record: t.names["weekGZ"], expr: zOf(t, "$weekRatio", "$weekRoot", over)},
	}
	if ranked(t.column, r) {
		out = append(out, weekRanks(t)...)
	}
	return out
}

// clusteringGroup measures how far rows come in clusters, from the same window
// a day before: what differs between two such windows is noise and clustering.
func clusteringGroup(v Values, c column, r Rung) group {
	t := newText(c, r.Window, v.Clustering.Assumed).with("minMeasured", fmt.Sprint(minMeasured))
	t.with("covered", number(covered(r.Window, v.ScrapeInterval)))
	rows := t.sprint("($N offset 1d / $N)")
	pooled := t.sprint("$p + $p offset 1d * on ($F) group_left () " + rows)
	g := group{
		name: fmt.Sprintf("leeway-%s-clustering-%s", c.kind, r.Window), interval: clusteringInterval,
		comment: "Clustering: the week's median of G between a window and the same window a day\nbefore, over what independent rows would show. Believed after a day.",
		rules: []rule{
			{
				record: t.names["dayRatio"],
				expr: between(t, rows, "offset 1d", t.sprint("sum by ($F) (\n    ")+xlogx(pooled)+"\n  )") +
					t.sprint("\n* $covered / (count by ($F) ($p + $p offset 1d > 0) - 1 > 0)"),
			},
			{
				record: t.names["clustering"],
				expr: t.sprint(`clamp_min(
  quantile_over_time(0.5, $dayRatio[7d]) / (1 - 2 / (9 * $df)) ^ 3,
  1
)
and
count_over_time($dayRatio[7d]) >= $minMeasured`),
			},
		},
	}
	if ranked(c, r) {
		g.rules = append(g.rules, rankClustering(t, rows)...)
	}
	return g
}

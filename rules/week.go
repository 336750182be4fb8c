package rules

import "fmt"

// enough is the share of a window's rows that last week must have had to be
// compared with. A fifth tells a third of what as many rows would. Of two windows
// on a rainy and a dry day one may well have a third of the rows.
const enough = 0.2

// lastWeek compares the window with the same window a week before: daily and
// weekly cycles are no drift. Only where there would be an alert.
func lastWeek(t text, r Rung) []rule {
	return []rule{
		{
			comment: "Last week's rows for one of this window, where it is beyond noise.",
			record:  t.names["weekRows"],
			expr:    t.sprint("$N offset 7d / $N\nand\n$z > on ($K) group_left () $c"),
		},
		{
			comment: "Both together, bin by bin.",
			record:  t.names["weekPooled"],
			expr:    t.sprint("$p\n+\n$n offset 7d * on ($F) group_left () ($weekRows / $N offset 7d)"),
		},
		{
			comment: "The same statistic against the same window last week.",
			record:  t.names["weekRatio"],
			expr: t.sprint("2 * $N * (\n  $logP\n  + $weekRows * $logP offset 7d\n  - sum by ($F) (") + xlogx(t.names["weekPooled"]) +
				")\n  + " + xlogx(t.sprint("1 + $weekRows")) + t.sprint("\n)\n* $covered / $df\n/ ") + clusteringOf(t, r),
		},
		{record: t.names["weekRoot"], expr: rootOf(t, "$weekRatio")},
		{record: t.names["weekZ"], expr: zOf(t, "$weekRatio", "$weekRoot", "$weekRoot")},
	}
}

// clusteringGroup measures how far rows come in clusters, from the same window
// a day before: what differs between two such windows is noise and clustering.
func clusteringGroup(v Values, c column, r Rung) group {
	t := newText(c, r.Window, v.Clustering.Assumed).with("minMeasured", fmt.Sprint(minMeasured))
	t.with("covered", number(r.covered(v.ScrapeInterval)))
	return group{
		name: fmt.Sprintf("leeway-%s-clustering-%s", c.kind, r.Window), interval: clusteringInterval,
		comment: "Clustering: the week's median of G between a window and the same window a day\nbefore, over what independent rows would show. Believed after a day.",
		rules: []rule{
			{comment: "Rows of both, bin by bin.", record: t.names["dayPaired"], expr: t.sprint("$n + $n offset 1d > 0")},
			{
				record: t.names["dayRatio"],
				expr: t.sprint("2 * (\n  $N * $logP\n  + $N offset 1d * $logP offset 1d\n  - sum by ($F) (") + xlogx(t.names["dayPaired"]) +
					")\n  + " + xlogx(t.sprint("$N + $N offset 1d")) + t.sprint("\n)\n* $covered / (count by ($F) ($dayPaired) - 1 > 0)"),
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
}

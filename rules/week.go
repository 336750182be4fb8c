package rules

import "fmt"

// lastWeek compares the window with the same window a week before: daily and
// weekly cycles are no drift.
func lastWeek(t text, r Rung) []rule {
	now, then := t.names["n"], t.names["n"]+" offset 7d"
	return []rule{
		{
			comment: "The same statistic against the same window last week.",
			record:  t.names["weekRatio"],
			expr:    gStatistic(t, now, then) + t.sprint("\n* $covered / $df\n/ ") + clusteringOf(t, r),
		},
		{record: t.names["weekRoot"], expr: rootOf(t, "$weekRatio")},
		{record: t.names["weekZ"], expr: zOf(t, "$weekRatio", "$weekRoot", "$weekRoot")},
	}
}

// clusteringGroup measures how far rows come in clusters, from the same window
// a day before: what differs between two such windows is noise and clustering.
func clusteringGroup(v Values, c column, r Rung) group {
	t := newText(c, r.Window, v.Clustering.Assumed).with("minMeasured", fmt.Sprint(minMeasured))
	t.with("covered", number(covered(r.Window, v.ScrapeInterval)))
	now, then := t.names["n"], t.names["n"]+" offset 1d"
	return group{
		name: fmt.Sprintf("leeway-%s-clustering-%s", c.kind, r.Window), interval: clusteringInterval,
		comment: "Clustering: the week's median of G between a window and the same window a day\nbefore, over what independent rows would show. Believed after a day.",
		rules: []rule{
			{
				record: t.names["dayRatio"],
				expr:   gStatistic(t, now, then) + t.sprint("\n* $covered / (count by ($F) ($n + $n offset 1d > 0) - 1 > 0)"),
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

package rules

import "maps"

// A mean that moves is one degree of freedom among the ten of a column of numbers,
// and G asks for what all of them do by chance. So numbers have a second test, with
// half of the window's false alarms: the two-sample Wilcoxon statistic of their bins.
// With d the mean rank of a bin in the training data (0 to 1) less a half, and V
// its variance,
//
//	(Σ p·d)² / V · E / (1 + E/M)
//
// is a χ² of one degree of freedom.

// rankable is the least variance of ranks: nine tenths of that of values which are all
// different. The mean of few distinct ranks is no normal deviate in a small window.
const rankable = 0.9 / 12

// medianOfSquare is that of the square of a normal deviate.
const medianOfSquare = 0.454936423119572

// hasRanks says that the columns may be numbers: answers are not.
func (c column) hasRanks() bool { return c.label != "" }

// ranked says that the rung tests ranks, too.
func ranked(c column, r Rung) bool { return r.Ranks && c.hasRanks() }

// referenceRanks is what the training data says of ranks.
func referenceRanks(t text) []rule {
	return []rule{
		{
			comment: "d: mean rank of a bin's rows among those with a value, less a half. Of numbers.",
			record:  t.names["d"],
			expr:    t.sprint("max by ($B) ($rank) - 0.5"),
		},
		{
			comment: "V: its variance; where it is that of values nearly all of which differ.",
			record:  t.names["V"],
			expr:    t.sprint("sum by ($F) ($q * $d ^ 2) >= ") + number(rankable),
		},
		{
			comment: "The tests of a window that share its false alarms: G, and of numbers ranks.",
			record:  t.names["parts"],
			expr:    t.sprint("$V * 0 + 2\nor\n$used * 0 + 1"),
		},
	}
}

// rankTest is the test of one window.
func rankTest(t text, r Rung) []rule {
	t.with("minRows", number(r.MinEffectiveRows))
	effective := "$E"
	if r.History {
		effective = "(\n  $N * $covered / on ($F) last_over_time($rankClustering[2h])\n  or\n  $E\n)"
	}
	one := t.oneDegree()
	one.with("level", t.names["rankLevel"]).with("looks", t.names["rankLooks"]).with("tests", t.names["rankTests"])
	out := []rule{
		{comment: "Mean rank of the rows, less that of the training data: -0.5 to 0.5.", record: t.names["T"], expr: t.sprint("sum by ($F) ($p * $d)")},
		{
			comment: "Effective rows as ranks cluster, where they are enough.",
			record:  t.names["rankE"],
			expr:    t.sprint(effective + " >= $minRows"),
		},
		{
			comment: "The mean rank's deviate, squared: about 1 when nothing but noise differs. Less by as\nmuch as G proves less.",
			record:  t.names["rankLevel"],
			expr:    t.sprint("$T ^ 2 / $V * $rankE\n/ (1 + $rankE / $M)\n/ (1 + clamp_max(clamp_min($rankE / $M - 0.1, 0), 1))"),
		},
	}
	out = append(out, tests(one, r)...)
	return append(out,
		rule{record: t.names["rankRoot"], expr: rootOf(one, "$rankLevel")},
		rule{record: t.names["rankZ"], expr: zOf(one, "$rankLevel", "$rankRoot", "2 * $rankRoot * $rankTests")},
		rule{comment: "The greater of both.", record: t.names["z"], expr: greater(t, "$gZ", "$rankZ")},
	)
}

// greater is the greater of G's value and that of ranks, where both are there.
func greater(t text, g, rank string) string {
	return t.sprint(g + " >= " + rank + "\nor\n" + rank + "\nor\n" + g)
}

// moved is the square of the deviate of the mean rank between a window and an earlier
// one, in so many rows of this and k of the earlier for one of this.
func moved(t text, earlier, rows, k string) string {
	return t.sprint("($T - $T " + earlier + ") ^ 2 / $V\n* " + rows + " * " + k + " / (1 + " + k + ")")
}

// weekRanks compares ranks with last week's, and takes the greater z of both tests.
func weekRanks(t text) []rule {
	one := t.oneDegree()
	return []rule{
		{comment: "The same of ranks.", record: t.names["weekRankLevel"], expr: moved(t, "offset 7d", "$rankE", "$weekRows")},
		{record: t.names["weekRankRoot"], expr: rootOf(one, "$weekRankLevel")},
		{record: t.names["weekRankZ"], expr: zOf(one, "$weekRankLevel", "$weekRankRoot", "2 * $weekRankRoot")},
		{record: t.names["weekZ"], expr: greater(t, "$weekGZ", "$weekRankZ")},
	}
}

// rankClustering measures how far ranks cluster.
func rankClustering(t text, rows string) []rule {
	return []rule{
		{
			comment: "The same of the mean rank, which clusters more where means wander.",
			record:  t.names["dayRank"],
			expr:    moved(t, "offset 1d", "$N * $covered", rows),
		},
		{
			record: t.names["rankClustering"],
			expr: t.sprint(`clamp_min(quantile_over_time(0.5, $dayRank[7d]) / ` + number(medianOfSquare) + `, 1)
and
count_over_time($dayRank[7d]) >= $minMeasured`),
		},
	}
}

// oneDegree is a text of its own in which there is one degree of freedom.
func (t text) oneDegree() text {
	t.names = maps.Clone(t.names)
	return t.with("df", "1")
}

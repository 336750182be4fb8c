package rules

import (
	"fmt"
	"math"
	"slices"
)

// expectedError is the rule file about quality without labels.
func expectedError(v Values) file {
	e := v.ExpectedError
	f := file{name: "expected-error.yaml", comment: `Are there more of the rows on which a classification is often wrong?

The error that a version showed on its labelled rows in each bin of its
predictions, weighted with the shares that the bins have now: an estimate of
today's error that needs no labels. Against the same sum over the version's own
reference. Of several classes the bins are those of the highest probability, and
the bins of each class add how much more often it is wrong where they hold the
row. It sees rows that move to where the model is weak, never that the
truth about them has changed. For a regression it is wrong wherever the error
depends on more than the prediction, so there is none.`}
	if !e.Enabled {
		return f
	}
	t := expectedText(v)
	f.groups = []group{{
		name: "leeway-expected-error", interval: e.Interval,
		rules: slices.Concat(expectedReference(t), expectedCounts(t), expectedExcess(t), expectedEstimate(v, t)),
	}}
	return f
}

func expectedText(v Values) text {
	e := v.ExpectedError
	unit := min(e.Window, hour)
	u, w := unit.String(), e.Window.String()
	t := newText(outputs(v), e.Window, v.Clustering.Assumed)
	t.with("u", u).with("bins", "leeway:prediction_error_bin:rows"+u).
		with("rate", "leeway:prediction_bin:error_rate").
		with("q", "leeway:prediction_error_bin:reference_ratio").
		with("reference", "leeway:prediction:reference_expected_error").
		with("excess", "leeway:prediction_bin:excess_error").
		with("excessVariance", "leeway:prediction_error:excess_variance"+w).
		with("expected", "leeway:prediction:expected_error"+w).
		with("error", "leeway:prediction:expected_error_standard_error"+w).
		with("E", "leeway:prediction_error:effective_rows"+w).
		with("N", "leeway:prediction_error:rows"+w).
		with("factor", number(e.Factor)).with("points", number(e.Points)).with("sigmas", number(e.Sigmas)).
		with("minRows", number(e.MinEffectiveRows)).
		with("complete", number(math.Ceil(float64(e.Window/hour)*22/24)))
	for name, series := range map[string]string{
		"rows": "rows", "wrong": "expected_wrong", "square": "expected_square", "vague": "rate_variance",
		"more": "excess_wrong", "moreSquare": "excess_square", "moreVague": "excess_rate_variance",
	} {
		unitSeries := "leeway:prediction_error:" + series + u
		t.with(name+"Unit", unitSeries).with(name, unitSeries)
		if e.Window > unit {
			over := map[bool]string{true: "avg_over_time", false: "sum_over_time"}[name == "vague" || name == "moreVague"]
			t.with(name, t.sprint(over+"("+unitSeries+"[$w:1h])"))
		}
	}
	return t
}

// expectedReference is what the version's own reference rows say.
func expectedReference(t text) []rule {
	return []rule{
		{
			comment: "Measured, bin by bin, on the labelled rows of the version's profile.",
			record:  t.names["rate"], expr: t.sprint(`max by ($B) (leeway_prediction_bin_expected_error{metric="error_rate"})`),
		},
		{
			comment: "And beyond it, by the bins of each class: 0 in the mean of the reference.",
			record:  t.names["excess"], expr: t.sprint("max by ($B) (leeway_prediction_bin_excess_error)"),
		},
		{record: t.names["q"], expr: t.sprint("max by ($B) ($ratio)\nand on ($B)\n($rate or $excess)")},
		{record: t.names["reference"], expr: t.sprint("sum by ($F) ($q * $rate)\n/ sum by ($F) ($q)")},
	}
}

// expectedCounts are recorded for an hour at a time: one series of an output
// for each sum, where its bins would be many more.
func expectedCounts(t text) []rule {
	return []rule{
		{
			comment: "Rows in bins of which an error is known.",
			record:  t.names["bins"], expr: t.sprint("sum by ($B) (increase($raw[$u]))\nand on ($B)\n($rate or $excess)"),
		},
		{record: t.names["rowsUnit"], expr: t.sprint("sum by ($F) ($bins)")},
		{record: t.names["wrongUnit"], expr: t.sprint("sum by ($F) ($bins * $rate)")},
		{record: t.names["squareUnit"], expr: t.sprint("sum by ($F) ($bins * $rate ^ 2)")},
		{
			comment: "How far the measured errors of bins that grew or shrank are uncertain\nthemselves: they come of as many rows as the reference has in the bin.",
			record:  t.names["vagueUnit"],
			expr: t.sprint(`sum by ($F) (
  ($bins / on ($F) group_left () ($rowsUnit > 0) - $q) ^ 2
  * $rate * (1 - $rate)
  / on ($F) group_left ()
  max by ($F) ($samples)
  / ($q > 0)
)`),
		},
	}
}

// expectedExcess are the same sums over the bins of the classes, which are about
// the answer, and so about the output that is the highest of them.
func expectedExcess(t text) []rule {
	return []rule{
		{
			comment: "What the bins of each class add to the errors of the answer.",
			record:  t.names["moreUnit"], expr: ofAnswer(t, "$bins * $excess"),
		},
		{record: t.names["moreSquareUnit"], expr: ofAnswer(t, "$bins * $excess ^ 2")},
		{
			record: t.names["moreVagueUnit"],
			expr: ofAnswer(t, `
  ($bins / on ($F) group_left () ($rowsUnit > 0) - $q) ^ 2
  / on ($F) group_left ()
  max by ($F) ($samples)
  / ($q > 0)
  and
  $excess
`) + t.sprint("\n* on ($F)\n($reference * (1 - $reference))"),
		},
	}
}

// ofAnswer sums over the bins of all classes.
func ofAnswer(t text, expr string) string {
	return t.sprint(`label_replace(sum by ($K) (` + expr + `), "output", "[highest]", "output", "")`)
}

func expectedEstimate(v Values, t text) []rule {
	e := v.ExpectedError
	rows := t.names["rows"]
	if e.Window > hour {
		rows += t.sprint("\nand\ncount_over_time($rowsUnit[$w:1h]) >= $complete")
	}
	alert := alertRule{
		name: "LeewayExpectedError", cause: "quality", severity: e.Severity, window: e.Window, hold: e.For,
		comment: "An estimate: no act rests on it.",
		extra:   []pair{{"leeway_basis", "expected"}, {"metric", "error_rate"}},
		expr: t.sprint(`$expected > $factor * $reference
and
$expected - $reference > $points
and
$expected - $reference > $sigmas * $error
and
$E >= $minRows`),
		summary: fmt.Sprintf("Output {{ $labels.output }} of %s\nis expected to be wrong on {{ $value | humanizePercentage }} of the rows of the last %s, where %s is its reference.",
			subject, e.Window, value(t.names["reference"], "output", "humanizePercentage")),
		threshold: limit(t, "($factor * $reference > $reference + clamp_min($sigmas * $error, $points)) or $reference + clamp_min($sigmas * $error, $points)",
			map[string][]string{"reference": {"output"}, "error": {"output"}}),
		description: fmt.Sprintf("Estimated without labels, from %s rows: more of them are where the version was often wrong on its labelled rows.\nLabels say whether it is so.",
			value(t.names["N"], "output", `printf "%.0f"`)),
	}
	return []rule{
		{record: t.names["N"], expr: rows},
		{record: t.names["E"], expr: t.sprint("$N\n/ on ($F) group_left ()\n") + nearestClustering(v, t)},
		{record: t.names["expected"], expr: t.sprint("clamp_min($wrong + ($more or $wrong * 0), 0) / ($N > 0)")},
		{
			comment: "Of what the classes add, as if each varied for itself.",
			record:  t.names["excessVariance"],
			expr:    t.sprint("$moreSquare / ($N > 0) / $E\n+ on ($F)\n") + ofAnswer(t, "$q * $excess ^ 2") + t.sprint("\n/ max by ($F) ($samples)\n+ on ($F)\n$moreVague"),
		},
		{
			comment: "Of the difference: the live rows, the reference's, and the errors of the bins.",
			record:  t.names["error"],
			expr: t.sprint(`sqrt(
  clamp_min($square / ($N > 0) - ($wrong / ($N > 0)) ^ 2, 0) / $E
  + on ($F) clamp_min(sum by ($F) ($q * $rate ^ 2) / sum by ($F) ($q) - on ($F) $reference ^ 2, 0)
  / max by ($F) ($samples)
  + on ($F) $vague
  + on ($F) ($excessVariance or $vague * 0)
)`),
		},
		alert.rule(v),
	}
}

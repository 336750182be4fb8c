package rules

import "fmt"

// quality is the rule file about errors on labelled rows.
func quality(v Values) file {
	q := v.Quality
	f := file{name: "quality.yaml", comment: `Is a version wrong more often, or by more, than it should be?

From the labels that come back (feedback): the mean absolute error of a
regression, the share of wrong answers of a classification. Against the error
that the version was registered with (leeway_model_reference_error); where it
was registered with none, against the lower quartile of its own past windows.`}
	if !q.Enabled {
		return f
	}
	f.groups = []group{regression(v), classification(v)}
	return f
}

func labelled(v Values, measure, metric string) text {
	q := v.Quality
	w := q.Window.String()
	return text{window: q.Window, names: map[string]string{
		"K":        modelLabels,
		"w":        w,
		"labels":   "leeway:model_" + measure + ":labels" + w,
		"value":    "leeway:model_" + measure + ":mean" + w,
		"error":    "leeway:model_" + measure + ":standard_error" + w,
		"base":     "leeway:model_" + measure + ":baseline" + w,
		"outcomes": "leeway:model_" + measure + ":outcomes" + w,
		"metric":   metric,
		"long":     q.Baseline.String(),
		"min":      number(q.MinLabels),
		"factor":   number(q.Factor),
		"sigmas":   number(q.Sigmas),
	}}
}

func regression(v Values) group {
	t := labelled(v, "absolute_error", "mae")
	return group{
		name: "leeway-quality-regression", interval: v.Quality.Interval,
		rules: []rule{
			{record: t.names["labels"], expr: t.sprint("sum by ($K) (increase(leeway_feedback_rows_total[$w]))")},
			{record: t.names["value"], expr: t.sprint(`sum by ($K) (increase(leeway_feedback_absolute_error_total[$w]))
/ ($labels >= $min)`)},
			{
				comment: "Of the mean: the spread of the absolute errors, from their squares.",
				record:  t.names["error"],
				expr: t.sprint(`sqrt(
  clamp_min(
    sum by ($K) (increase(leeway_feedback_squared_error_total[$w])) / ($labels >= $min)
    - $value ^ 2,
    0
  )
  / $labels
)`),
			},
			qualityBaseline(t),
			qualityAlert(v, t, "mean absolute error", `printf "%.3g"`),
		},
	}
}

func classification(v Values) group {
	t := labelled(v, "wrong_answer", "error_rate")
	return group{
		name: "leeway-quality-classification", interval: v.Quality.Interval,
		rules: []rule{
			{record: t.names["outcomes"], expr: t.sprint("sum by ($K, actual, predicted) (increase(leeway_feedback_outcomes_total[$w]))")},
			{record: t.names["labels"], expr: t.sprint("sum by ($K) ($outcomes)")},
			{
				comment: "Right answers are those whose predicted is their actual.",
				record:  t.names["value"],
				expr: t.sprint(`1 - (
  sum by ($K) (
    $outcomes
    and on ($K, actual, predicted)
    label_replace(count by ($K, actual) ($outcomes), "predicted", "$$1", "actual", "(.*)")
  )
  or
  $labels * 0
)
/ ($labels >= $min)`),
			},
			{record: t.names["error"], expr: t.sprint("sqrt(clamp_min($value * (1 - $value), 0) / $labels)")},
			qualityBaseline(t),
			qualityAlert(v, t, "share of wrong answers", "humanizePercentage"),
		},
	}
}

func qualityBaseline(t text) rule {
	return rule{record: t.names["base"], expr: t.sprint(`max by ($K) (leeway_model_reference_error{metric="$metric"})
or
quantile_over_time(0.25, $value[$long] offset $w)`)}
}

func qualityAlert(v Values, t text, noun, format string) rule {
	q := v.Quality
	return alertRule{
		name: "LeewayQuality", cause: "quality", severity: q.Severity, window: q.Window, hold: q.For,
		extra: []pair{{"metric", t.names["metric"]}},
		expr: t.sprint(`$value > $factor * $base
and
$value - $base > $sigmas * $error
and
$labels >= $min`),
		summary: fmt.Sprintf("The %s of %s\nis {{ $value | %s }} over the last %s, where %s is its reference.",
			noun, subject, format, q.Window, value(t.names["base"], "", format)),
		description: fmt.Sprintf("From %s labelled rows.\nInputs that did not change can't explain it: then what is predicted has changed.",
			value(t.names["labels"], "", `printf "%.0f"`)),
	}.rule(v)
}

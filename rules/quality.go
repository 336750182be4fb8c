package rules

import "fmt"

// quality is the rule file about errors on labelled rows.
func quality(v Values) file {
	q := v.Quality
	f := file{name: "quality.yaml", comment: `Is a version wrong more often, or by more, than it should be?

From the labels that come back (feedback): the mean absolute and the root mean
squared error of a regression; the share of wrong answers of a classification,
and its recall, class by class. Against what the version was registered with
(leeway_model_reference_error: mae, rmse, error_rate or accuracy, recall_CLASS).
Where it was registered with no mae, no error_rate and no accuracy, these are
against the lower quartile of its own past windows; the others have no rule then.
Where the share of wrong answers has a ladder of windows, answer-drift.yaml, it is
judged here only while there are too few labels for that.`}
	if !q.Enabled {
		return f
	}
	f.groups = []group{regression(v), classification(v)}
	return f
}

func labelled(v Values, measure, metric string) text {
	q := v.Quality
	w := q.Window.String()
	level := "leeway:model_" + measure
	return text{window: q.Window, names: map[string]string{
		"K":        modelLabels,
		"C":        modelLabels + ", actual",
		"w":        w,
		"labels":   level + ":labels" + w,
		"value":    level + ":mean" + w,
		"error":    level + ":standard_error" + w,
		"base":     level + ":baseline" + w,
		"squared":  "leeway:model_squared_error:mean" + w,
		"outcomes": "leeway:model_outcome:labels" + w,
		"right":    "leeway:model_class:right" + w,
		"metric":   metric,
		"long":     q.Baseline.String(),
		"min":      number(q.MinLabels),
		"minClass": number(q.MinClassLabels),
		"points":   number(q.RecallPoints),
		"factor":   number(q.Factor),
		"sigmas":   number(q.Sigmas),
	}}
}

func regression(v Values) group {
	t := labelled(v, "absolute_error", "mae")
	g := group{
		name: "leeway-quality-regression", interval: v.Quality.Interval,
		rules: []rule{
			{record: t.names["labels"], expr: t.sprint("sum by ($K) (increase(leeway_feedback_rows_total[$w]))")},
			{record: t.names["value"], expr: t.sprint(`sum by ($K) (increase(leeway_feedback_absolute_error_total[$w]))
/ ($labels >= $min)`)},
			{record: t.names["squared"], expr: t.sprint(`sum by ($K) (increase(leeway_feedback_squared_error_total[$w]))
/ ($labels >= $min)`)},
			{
				comment: "Of the mean: the spread of the absolute errors, from their squares.",
				record:  t.names["error"],
				expr:    t.sprint("sqrt(clamp_min($squared - $value ^ 2, 0) / $labels)"),
			},
			qualityBaseline(t, ""),
			qualityAlert(v, t, "mean absolute error", `printf "%.3g"`),
		},
	}
	r := labelled(v, "squared_error", "rmse").with("labels", t.names["labels"])
	r.with("value", "leeway:model_squared_error:root_mean"+v.Quality.Window.String())
	g.rules = append(g.rules,
		rule{record: r.names["value"], expr: r.sprint("sqrt($squared)")},
		rule{
			comment: "Of the root: that of the mean square, from the fourth powers, over twice the root.",
			record:  r.names["error"],
			expr: r.sprint(`sqrt(
  clamp_min(
    sum by ($K) (increase(leeway_feedback_quartic_error_total[$w])) / ($labels >= $min)
    - $squared ^ 2,
    0
  )
  / $labels
)
/ (2 * $value)`),
		},
		rule{record: r.names["base"], expr: r.sprint(`max by ($K) (leeway_model_reference_error{metric="rmse"})`)},
		qualityAlert(v, r, "root mean squared error", `printf "%.3g"`))
	return g
}

func classification(v Values) group {
	t := labelled(v, "wrong_answer", "error_rate")
	return group{
		name: "leeway-quality-classification", interval: v.Quality.Interval,
		rules: append([]rule{
			{record: t.names["outcomes"], expr: t.sprint("sum by ($C, predicted) (increase(leeway_feedback_outcomes_total[$w]))")},
			{record: t.names["labels"], expr: t.sprint("sum by ($K) ($outcomes)")},
			{
				comment: "Right answers are those whose predicted is their actual.",
				record:  t.names["right"],
				expr: t.sprint(`sum by ($C) (
  $outcomes
  and on ($C, predicted)
  label_replace(count by ($C) ($outcomes), "predicted", "$$1", "actual", "(.*)")
)
or
sum by ($C) ($outcomes) * 0`),
			},
			{record: t.names["value"], expr: t.sprint("1 - sum by ($K) ($right) / ($labels >= $min)")},
			{record: t.names["error"], expr: t.sprint("sqrt(clamp_min($value * (1 - $value), 0) / $labels)")},
			qualityBaseline(t, `
or
1 - max by ($K) (leeway_model_reference_error{metric="accuracy"})`),
			wrongAnswers(v, t),
		}, recall(v)...),
	}
}

// wrongAnswers is silent where a window that leads to acts has enough effective
// rows to judge.
func wrongAnswers(v Values, t text) rule {
	r := qualityAlert(v, t, "share of wrong answers", "humanizePercentage")
	for _, rung := range v.Ladder() {
		if rung.Name == "page" || !rung.last {
			continue
		}
		a := newText(answers(v), rung.Window, v.Clustering.Assumed).with("minRows", number(rung.MinEffectiveRows))
		r.expr += a.sprint("\nunless\n(\n  $E >= $minRows\n  and\n  $registered\n)")
		break
	}
	return r
}

// recall is, of the rows of a class, the share that was found to be of it. A
// class is only judged by what was registered for it: of fifty classes that are
// measured against their own past, some are always at their worst.
func recall(v Values) []rule {
	t := labelled(v, "class", "recall")
	w := v.Quality.Window.String()
	t.with("value", "leeway:model_class:recall"+w).with("base", "leeway:model_class:reference_recall"+w)
	alert := alertRule{
		name: "LeewayQuality", cause: "quality", severity: v.Quality.Severity, window: v.Quality.Window, hold: v.Quality.For,
		extra: []pair{{"metric", t.names["metric"]}},
		expr: t.sprint(`$base - $value > $points
and
$base - $value > $sigmas * $error
and
$labels >= $minClass`),
		summary: fmt.Sprintf("Of the rows that are {{ $labels.actual }}, %s\nfinds %s over the last %s, where %s is its reference.",
			subject, valueOf(t.names["value"], "humanizePercentage", "namespace", "model_name", "model_version", "actual"), w,
			valueOf(t.names["base"], "humanizePercentage", "namespace", "model_name", "model_version", "actual")),
		threshold: limit(t, "clamp_min($sigmas * $error, $points)", map[string][]string{"error": {"actual"}}),
		description: fmt.Sprintf("From %s labelled rows of that class.\nWhat they are taken for instead: leeway:model_outcome:labels%s, by predicted.",
			value(t.names["labels"], "actual", `printf "%.0f"`), w),
	}
	return []rule{
		{record: t.names["labels"], expr: t.sprint("sum by ($C) ($outcomes)")},
		{record: t.names["value"], expr: t.sprint("$right / ($labels >= $minClass)")},
		{record: t.names["error"], expr: t.sprint("sqrt(clamp_min($value * (1 - $value), 0) / $labels)")},
		{record: t.names["base"], expr: t.sprint(`max by ($C) (
  label_replace(leeway_model_reference_error{metric=~"recall_.+"}, "actual", "$$1", "metric", "recall_(.+)")
)`)},
		alert.rule(v),
	}
}

// qualityBaseline is the registered error; else that of another registered
// metric; else of the version's own past.
func qualityBaseline(t text, another string) rule {
	return rule{record: t.names["base"], expr: t.sprint(`max by ($K) (leeway_model_reference_error{metric="$metric"})` + another + `
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
		threshold: limit(t, "($factor * $base > $base + $sigmas * $error) or $base + $sigmas * $error", nil),
		description: fmt.Sprintf("From %s labelled rows.\nInputs that did not change can't explain it: then what is predicted has changed.",
			value(t.names["labels"], "", `printf "%.0f"`)),
	}.rule(v)
}

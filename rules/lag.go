package rules

import (
	"fmt"
	"math"
)

// feedbackRules is the rule file about labels that stopped, or come late.
func feedbackRules(v Values) file {
	q, b := v.Quality, v.Feedback
	f := file{name: "feedback.yaml", comment: `Did the labels stop coming, or do they come later than they did?

Without labels the quality of a model is not good but unknown. Only a model whose
labels came without a gap, for at least half of the time that is looked back on,
can be said to miss them.`}
	if !q.Enabled || !b.Enabled {
		return f
	}
	w := q.Window.String()
	t := text{names: map[string]string{
		"M": modelOnly, "w": w, "long": q.Baseline.String(),
		"absolute": "leeway:model_absolute_error:labels" + w, "wrong": "leeway:model_wrong_answer:labels" + w,
		"labels": "leeway:model_feedback:labels" + w, "lag": "leeway:model_feedback:lag_seconds" + w,
		"half":   number(math.Ceil(q.Baseline.Seconds() / q.Interval.Seconds() / 2)),
		"factor": number(b.Factor), "margin": number(b.Margin.Seconds()), "min": number(q.MinLabels),
	}}
	f.groups = []group{{
		name: "leeway-feedback", interval: q.Interval,
		rules: []rule{
			{record: t.names["labels"], expr: t.sprint(`sum by ($M) ($absolute)
or
sum by ($M) ($wrong)`)},
			alertRule{
				name: "LeewayFeedbackStopped", severity: b.Severity, window: q.Window, hold: b.For,
				expr: t.sprint(`min_over_time($labels[$long] offset $w) > 0
and
count_over_time($labels[$long] offset $w) >= $half
unless
$labels > 0`),
				summary:     fmt.Sprintf("No label of %s came in the last %s,\nwhere there always were some.", modelSubject, w),
				description: "Its quality is unknown, not good: LeewayQuality can't fire.\nLook at the job that sends labels, and at leeway_feedback_refused_rows_total.",
			}.rule(v),
			{
				comment: "The median time from a prediction to its label, of labels that say when.",
				record:  t.names["lag"],
				expr: t.sprint(`histogram_quantile(0.5, sum by ($M, le) (increase(leeway_feedback_lag_seconds_bucket[$w])))
and on ($M)
sum by ($M) (increase(leeway_feedback_lag_seconds_count[$w])) >= $min`),
			},
			alertRule{
				name: "LeewayFeedbackLate", severity: b.Severity, window: q.Window, hold: b.For,
				expr: t.sprint(`$lag > $factor * quantile_over_time(0.5, $lag[$long] offset $w)
and
$lag > quantile_over_time(0.5, $lag[$long] offset $w) + $margin
and
count_over_time($lag[$long] offset $w) >= $half`),
				summary:     fmt.Sprintf("Labels of %s come late:\nhalf of those of the last %s took longer than {{ $value | humanizeDuration }}.", modelSubject, w),
				description: "Quality is judged by when labels come: what it says is about older predictions than it was.",
			}.rule(v),
		},
	}}
	return f
}

package rules

import (
	"fmt"
	"math"
	"strings"
)

// traffic are the series that the rules about requests share in form.
func traffic(window Duration) text {
	w := window.String()
	return text{window: window, names: map[string]string{
		"K":           modelLabels,
		"w":           w,
		"count":       "leeway_request_duration_seconds_count",
		"bucket":      "leeway_request_duration_seconds_bucket",
		"requests":    "leeway:model:requests" + w,
		"errors":      "leeway:model:errors" + w,
		"ratio":       "leeway:model:error_ratio" + w,
		"own":         "leeway:model:error_ratio_past" + w,
		"dayErrors":   "leeway:model:past_errors" + w,
		"dayRequests": "leeway:model:past_requests" + w,
		"previous":    "leeway:model:error_ratio_previous" + w,
		"baseline":    "leeway:model:error_ratio_baseline" + w,
		"answers":     "leeway:model:good_answers" + w,
	}}
}

// errorRules is the rule file about answers of the 5xx class.
func errorRules(v Values) file {
	e := v.Errors
	f := file{name: "errors.yaml", comment: `Does a version answer with more errors (5xx) than it used to?

The baseline is the lower of two, each over a longer time: the version's own share
until some time ago, and the share of the model's other versions until just now,
which is that of the version before. Both are capped, so that a version that fails
all day does not become normal. A version with neither is measured against 0.`}
	if !e.Enabled {
		return f
	}
	t := traffic(e.Window).
		with("long", e.Baseline.String()).with("ago", e.BaselineOffset.String()).with("cap", number(e.MaxBaseline)).
		with("points", number(e.Points)).with("sigmas", number(e.Sigmas)).with("min", number(e.MinRequests))
	alert := alertRule{
		name: "LeewayErrors", cause: "errors", severity: e.Severity, window: e.Window, hold: e.For,
		comment: "By so many points, and by so many standard errors: two errors in a hundred\nrequests are no evidence.",
		expr: t.sprint(`$ratio - ($baseline or $ratio * 0) > $points
and
$ratio - ($baseline or $ratio * 0) > $sigmas * sqrt($ratio * (1 - $ratio) / $requests)
and
$requests >= $min`),
		summary: fmt.Sprintf("%s answers %s of its requests\nwith an error, {{ $value | humanizePercentage }} more than before.",
			subject, value(t.names["ratio"], "", "humanizePercentage")),
		threshold: limit(t, "clamp_min($sigmas * sqrt($ratio * (1 - $ratio) / $requests), $points)", nil),
		description: fmt.Sprintf("%s errors in %s requests over the last %s.",
			value(t.names["errors"], "", `printf "%.0f"`), value(t.names["requests"], "", `printf "%.0f"`), e.Window),
	}
	f.groups = []group{errorsPast(t, e), {
		name: "leeway-errors", interval: e.Interval,
		rules: []rule{
			{record: t.names["requests"], expr: t.sprint("sum by ($K) (increase($count[$w]))")},
			{record: t.names["errors"], expr: t.sprint(`sum by ($K) (increase($count{code="5xx"}[$w]))`)},
			{record: t.names["ratio"], expr: atMostAll(t.sprint("$errors / ($requests > 0)"))},
			{
				comment: "The versions that served before it: all of the model, less itself.",
				record:  t.names["previous"],
				expr:    othersRatio(t, "dayErrors", "dayRequests", "min"),
			},
			{record: t.names["baseline"], expr: t.sprint("($own < $previous)\nor\n$previous\nor\n$own")},
			alert.rule(v),
		},
	}}
	return f
}

// errorsPast sums over long times, which need not be done at every round. A
// version that is not in it yet has no past.
func errorsPast(t text, e Errors) group {
	return group{
		name: "leeway-errors-past", interval: unhurried(e.Interval, e.Window),
		rules: []rule{
			{record: t.names["own"], expr: t.sprint(`clamp_max(
  sum_over_time($errors[$long] offset $ago)
  / (sum_over_time($requests[$long] offset $ago) > $min),
  $cap
)`)},
			{record: t.names["dayErrors"], expr: t.sprint("sum_over_time($errors[$long] offset $w)")},
			{record: t.names["dayRequests"], expr: t.sprint("sum_over_time($requests[$long] offset $w)")},
		},
	}
}

// othersRatio is a share over the other versions of a version's model, of so
// many at least, and capped.
func othersRatio(t text, bad, all, min string) string {
	return "clamp_max(\n  (\n" + others(t, bad) + "\n  )\n  / ((\n" + others(t, all) + t.sprint("\n  ) > $"+min+"),\n  $cap\n)")
}

// others sums a count over the other versions of a version's model.
func others(t text, name string) string {
	return t.sprint(strings.ReplaceAll(`    $ratio * 0
    + on (namespace, model_name) group_left ()
    sum by (namespace, model_name) ($X)
    - ($X or $ratio * 0)`, "$X", "$"+name))
}

// latencyRules is the rule file about the time to a good answer.
func latencyRules(v Values) file {
	l := v.Latency
	f := file{name: "latency.yaml", comment: `Does a version answer more slowly than it used to?

A quantile of the time to a 2xx answer, from classic buckets. The baseline is
the version's own median over a longer time that ended some time ago; a version
without such a past is measured against the best median of any version of the
model, its own included, before this window.`}
	if !l.Enabled {
		return f
	}
	t := traffic(l.Window).
		with("p", fmt.Sprintf("leeway:model:latency_p%s_%s", percent(l.Quantile), l.Window)).
		with("base", fmt.Sprintf("leeway:model:latency_p%s_baseline%s", percent(l.Quantile), l.Window)).
		with("quantile", number(l.Quantile)).with("beyond", number(fourTimesBeyond(l.Quantile))).with("long", l.Baseline.String()).with("ago", l.BaselineOffset.String()).
		with("factor", number(l.Factor)).with("margin", number(l.Margin.Seconds())).with("min", number(l.MinRequests))
	alert := alertRule{
		name: "LeewayLatency", cause: "latency", severity: l.Severity, window: l.Window, hold: l.For,
		comment: "Four times as many answers as should be are beyond the baseline, too: buckets are wide,\nand a few answers more beyond an edge move a quantile that lies near it by half.",
		expr: t.sprint(`$p > $factor * $base
and
$p > $base + $margin
and
histogram_quantile($beyond, sum by ($K, le) (rate($bucket{code="2xx"}[$w]))) > $base
and
$answers >= $min`),
		summary: fmt.Sprintf("%s is slow:\nthe p%s over the last %s is {{ $value | humanizeDuration }}, against %s before.",
			subject, percent(l.Quantile), l.Window, value(t.names["base"], "", "humanizeDuration")),
		threshold: limit(t, "$base + clamp_min(($factor - 1) * $base, $margin)", nil),
		description: fmt.Sprintf("From %s good answers.\nSlower under more load, with the version unchanged, is not the model.",
			value(t.names["answers"], "", `printf "%.0f"`)),
	}
	f.groups = []group{{
		name: "leeway-latency", interval: l.Interval,
		rules: []rule{
			{record: t.names["answers"], expr: t.sprint(`sum by ($K) (increase($count{code="2xx"}[$w]))`)},
			{
				comment: "Only from enough answers: the baseline rests on these.",
				record:  t.names["p"],
				expr: t.sprint(`histogram_quantile($quantile, sum by ($K, le) (rate($bucket{code="2xx"}[$w])))
and
$answers >= $min`),
			},
			{record: t.names["base"], expr: t.sprint(`quantile_over_time(0.5, $p[$long] offset $ago)
or
$p * 0
+ on (namespace, model_name) group_left ()
min by (namespace, model_name) (quantile_over_time(0.5, $p[$long] offset $w))`)},
			alert.rule(v),
		},
	}}
	return f
}

// fourTimesBeyond is the quantile beyond which four times as many answers are as
// beyond q, or half of those within q where there aren't four times as many.
func fourTimesBeyond(q float64) float64 {
	return math.Round(1e9*max(1-4*(1-q), q/2)) / 1e9
}

// percent names a quantile: 99, 99.9 as 999.
func percent(q float64) string {
	s := number(100 * q)
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] != '.' {
			out = append(out, s[i])
		}
	}
	return string(out)
}

package rules

import (
	"fmt"
	"slices"
	"time"
)

// burnWindow is one step of the ladder of the SRE workbook (chapter 5): the
// budget burns so many times too fast over a long window, and still does over a
// short one, so that the alert ends soon after the trouble.
type burnWindow struct {
	factor      float64
	long, short Duration
	hold        Duration
	fast        bool // pages; else a ticket
}

// burnWindows spend 2 %, 5 % and 10 % of a budget of 30 days.
var burnWindows = []burnWindow{
	{14.4, hour, Duration(5 * time.Minute), Duration(2 * time.Minute), true},
	{6, 6 * hour, Duration(30 * time.Minute), Duration(15 * time.Minute), true},
	{1, 3 * day, 6 * hour, hour, false},
}

// durationEdges are the bounds of the sidecar's duration histogram, in whole
// milliseconds: how many answers were faster is known at these alone.
var durationEdges = []Duration{1e6, 5e6, 1e7, 25e6, 5e7, 1e8, 25e7, 5e8, 1e9, 25e8, 5e9, 1e10}

// sloRules is the rule file about the budget of bad answers.
func sloRules(v Values) file {
	s := v.SLO
	f := file{name: "slo.yaml", comment: fmt.Sprintf(`Does a model use up its budget of bad answers too fast?

Promised: %s of all answers are no errors (5xx), %s of the good
ones come within %s. A burn rate of 1 uses up exactly the budget; each
alert wants a long and a short window. Of the model, whichever versions answer:
callers don't care. For people: these alerts have no leeway_cause. What came
with a version is seen by the rules on errors and latency.`,
		share(s.Availability), share(s.Latency.Target), s.Latency.Threshold)}
	if !s.Enabled {
		return f
	}
	t := text{names: map[string]string{
		"M": modelOnly, "S": modelOnly + ", slo",
		"count": "leeway_request_duration_seconds_count", "bucket": "leeway_request_duration_seconds_bucket",
		"events5m": "leeway:model_slo:answers5m", "bad5m": "leeway:model_slo:bad_answers5m",
		"events1h": "leeway:model_slo:answers1h", "bad1h": "leeway:model_slo:bad_answers1h",
		"budget": "leeway:slo:budget", "le": edgeMatcher(s.Latency.Threshold),
	}}
	f.groups = []group{{
		name: "leeway-slo", interval: s.Interval,
		rules: slices.Concat(sloCounts(t, s), burnRates(t), burnAlerts(v, t)),
	}}
	return f
}

func sloCounts(t text, s SLO) []rule {
	availability, latency := []pair{{"slo", "availability"}}, []pair{{"slo", "latency"}}
	return []rule{
		{comment: "The share of answers that may be bad.", record: t.names["budget"], labels: availability, expr: "vector(" + complement(s.Availability) + ")"},
		{record: t.names["budget"], labels: latency, expr: "vector(" + complement(s.Latency.Target) + ")"},
		{record: t.names["events5m"], labels: availability, expr: t.sprint("sum by ($M) (increase($count[5m]))")},
		{record: t.names["events5m"], labels: latency, expr: t.sprint(`sum by ($M) (increase($count{code="2xx"}[5m]))`)},
		{record: t.names["bad5m"], labels: availability, expr: t.sprint(`sum by ($M) (increase($count{code="5xx"}[5m]))`)},
		{record: t.names["bad5m"], labels: latency, expr: t.sprint(`sum by ($M) (increase($count{code="2xx"}[5m]))
- sum by ($M) (increase($bucket{code="2xx", $le}[5m]))`)},
		{record: t.names["events1h"], expr: t.sprint("sum_over_time($events5m[1h:5m])")},
		{record: t.names["bad1h"], expr: t.sprint("sum_over_time($bad5m[1h:5m])")},
	}
}

// overSteps sums a recorded series over a window, in the steps that it was
// recorded for: hours for days, five minutes for less.
func overSteps(t text, name string, window Duration) string {
	if window >= day {
		return t.sprint(fmt.Sprintf("sum_over_time($%s1h[%s:1h])", name, window))
	}
	return t.sprint(fmt.Sprintf("sum_over_time($%s5m[%s:5m])", name, window))
}

func burnRates(t text) []rule {
	var rules []rule
	seen := map[Duration]bool{}
	for _, b := range burnWindows {
		for _, window := range []Duration{b.short, b.long} {
			if seen[window] {
				continue
			}
			seen[window] = true
			rules = append(rules, rule{
				record: "leeway:model_slo:burn_rate" + window.String(),
				expr:   overSteps(t, "bad", window) + "\n/ (" + overSteps(t, "events", window) + t.sprint(" > 0)\n/ on (slo) group_left ()\n$budget"),
			})
		}
	}
	return rules
}

func burnAlerts(v Values, t text) []rule {
	var rules []rule
	for _, b := range burnWindows {
		severity := v.SLO.TicketSeverity
		if b.fast {
			severity = v.SLO.PageSeverity
		}
		rate := "leeway:model_slo:burn_rate"
		rules = append(rules, alertRule{
			name: "LeewaySLOBurn", severity: severity, window: b.long, hold: b.hold,
			expr: fmt.Sprintf("%[1]s%[2]s > %[4]s\nand\n%[1]s%[3]s > %[4]s\nand\n%[5]s >= %[6]s",
				rate, b.long, b.short, number(b.factor), overSteps(t, "events", b.long), number(v.SLO.MinRequests)),
			summary: fmt.Sprintf("%s uses up its budget for {{ $labels.slo }}\n{{ $value | printf \"%%.1f\" }} times as fast as it may, over the last %s.", modelSubject, b.long),
			description: fmt.Sprintf("Over the last %s it is %s times.\nAt 1 the budget lasts exactly as long as it is for.",
				b.short, valueOf(rate+b.short.String(), `printf "%.1f"`, "namespace", "model_name", "slo")),
		}.rule(v))
	}
	return rules
}

// edgeMatcher selects a bucket, as old and new clients write whole numbers.
func edgeMatcher(d Duration) string {
	le := number(d.Seconds())
	if d%Duration(time.Second) == 0 {
		return fmt.Sprintf(`le=~"%s|%s\\.0"`, le, le)
	}
	return fmt.Sprintf(`le=%q`, le)
}

// complement is 1 - x, without what a float makes of it.
func complement(x float64) string { return fmt.Sprintf("%.6g", 1-x) }

// share writes 0.999 as 99.9 %.
func share(x float64) string { return fmt.Sprintf("%.6g %%", 100*x) }

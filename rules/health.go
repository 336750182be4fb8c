package rules

import "fmt"

// ailment is one way in which Leeway itself can be ill.
type ailment struct {
	problem, expr, summary, description string
	hold                                Duration // 0: that of the values
}

// health is the rule file about Leeway itself.
func health(v Values) file {
	h := v.Health
	f := file{name: "health.yaml", comment: `Is Leeway itself well?

A watchman who sleeps looks like a quiet night. One alert, LeewayUnhealthy, with
the label problem; none of them leads to an act.`}
	if !h.Enabled {
		return f
	}
	g := group{name: "leeway-health", interval: h.Interval}
	for _, a := range ailments(h) {
		hold := a.hold
		if hold == 0 {
			hold = h.For
		}
		g.rules = append(g.rules, alertRule{
			name: "LeewayUnhealthy", severity: h.Severity, window: h.Window, hold: hold, extra: []pair{{"problem", a.problem}},
			expr: a.expr, summary: a.summary, description: a.description, noModel: true,
		}.rule(v))
	}
	f.groups = []group{g}
	return f
}

func ailments(h Health) []ailment {
	t := text{names: map[string]string{
		"w": h.Window.String(), "K": modelLabels, "lag": number(h.MaxLag.Seconds()), "dropped": number(h.MaxDropped),
		"series": number(h.MaxSeries), "min": number(h.MinRequests),
	}}
	return append(collecting(t), deciding(t, h)...)
}

// collecting is what can go wrong on the way from a sidecar to the rules.
func collecting(t text) []ailment {
	return []ailment{
		{
			problem: "not_scraped",
			expr: t.sprint(`count by (namespace, workload) (
  max_over_time(up{job="leeway-sidecar"}[$w]) == 0
)`),
			summary:     "{{ $value }} sidecars of {{ $labels.workload }} in {{ $labels.namespace }} can't be scraped.",
			description: "Their pods are there. Look at the sidecar's log, at network policies, and whether a scrape is over the node agent's limits.",
		},
		{
			problem: "captures_dropped",
			expr: t.sprint(`sum by ($K) (increase(leeway_captures_total{result=~"dropped_budget|panicked"}[$w]))
/ (sum by ($K) (increase(leeway_captures_total[$w])) >= $min)
> $dropped`),
			summary:     fmt.Sprintf("%s of the requests to %s are not observed.", "{{ $value | humanizePercentage }}", subject),
			description: "The sidecars can't keep up: what is counted is a part, and not a random one.\nRaise --capture-budget, or set --sample-ratio.",
		},
		{
			problem: "remote_write_behind",
			expr: t.sprint(`max by (pod, node, replica) (leeway_node_forward_lag_seconds) > $lag
or
max by (pod, node, replica) (leeway_controller_forward_lag_seconds) > $lag`),
			summary:     "Samples of {{ $labels.pod }} wait for {{ $labels.replica }} for {{ $value | humanizeDuration }}.",
			description: "The replica is away, slow, or can't be reached. After two hours samples are lost to it.",
		},
		{
			problem: "samples_lost",
			expr: t.sprint(`sum by (pod, node) (increase(leeway_node_forward_dropped_samples_total[$w])) > 0
or
sum by (pod, node) (increase(leeway_controller_forward_dropped_samples_total[$w])) > 0
or
sum by (pod, node) (increase(leeway_node_forward_unbuffered_samples_total[$w])) > 0
or
sum by (pod, node) (increase(leeway_controller_forward_unbuffered_samples_total[$w])) > 0`),
			summary:     "{{ $value | printf \"%.0f\" }} samples of {{ $labels.pod }} never reached a controller.",
			description: "They left the buffer before the replica was back, were refused, or found no room on the disk of {{ $labels.node }}.",
		},
		{
			problem:     "too_many_series",
			expr:        t.sprint("max by (pod) (leeway_controller_series) > $series"),
			summary:     "{{ $labels.pod }} holds {{ $value | printf \"%.0f\" }} series, more than one machine is good for.",
			description: "Let an external Prometheus hold them (--prometheus-url), or observe fewer columns.",
		},
	}
}

// deciding is what can go wrong from the rules to the act.
func deciding(t text, h Health) []ailment {
	return []ailment{
		{
			problem: "rules_fail",
			expr: t.sprint(`sum by (pod, rule_group) (
  increase(prometheus_rule_evaluation_failures_total[$w])
) > 0`),
			summary:     "Rules of {{ $labels.rule_group }} can't be evaluated on {{ $labels.pod }}.",
			description: "What they would say is unknown. The log of the engine names the rule and the error.",
		},
		{
			problem: "rules_slow",
			expr: t.sprint(`max by (pod, rule_group) (prometheus_rule_group_last_duration_seconds)
> on (pod, rule_group)
max by (pod, rule_group) (prometheus_rule_group_interval_seconds)`),
			summary:     "{{ $labels.rule_group }} takes {{ $value | humanizeDuration }} on {{ $labels.pod }}, longer than its interval.",
			description: "Rounds are left out, and alerts come late. Give it processors, or longer intervals.",
		},
		{
			problem:     "rules_refused",
			expr:        "max by (pod) (leeway_controller_rules_current) == 0",
			summary:     "{{ $labels.pod }} refused changed rule files; the old rules stay in force.",
			description: "Its log says which file and line.",
		},
		{
			problem:     "no_leader",
			expr:        "sum(leeway_controller_leader) == 0",
			summary:     "No controller leads: nothing is decided.",
			description: "Look at the Lease leeway-controller, at the rights on it, and at the API server.",
		},
		{
			problem: "decision_stuck", hold: h.StuckAfter,
			expr: `max by (namespace, model_name, guard, phase) (
  leeway_guard_phase{phase=~"Deciding|Acting|Verifying"}
) == 1`,
			summary:     fmt.Sprintf("Guard {{ $labels.guard }} in {{ $labels.namespace }} is {{ $labels.phase }} for longer than %s.", h.StuckAfter),
			description: "A rollout that doesn't end, or a write that is refused. See leeway guards, and the decision's steps.",
		},
	}
}

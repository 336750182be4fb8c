package rules

// noData is the rule file about models that nothing is heard of.
func noData(v Values) file {
	n := v.NoData
	f := file{name: "no-data.yaml", comment: `Is there a guard whose model nothing is heard of?

No data is never good news: without its sidecars' metrics no other rule can
fire. A last_over_time() rather than a bare name, so that the answer does not
depend on how far an engine looks back.`}
	if !n.Enabled {
		return f
	}
	w := n.Window.String()
	f.groups = []group{{
		name: "leeway-no-data", interval: n.Interval,
		rules: []rule{alertRule{
			name: "LeewayNoData", severity: n.Severity, window: n.Window, hold: n.For,
			expr: `max by (namespace, model_name, guard, workload) (leeway_guard_info)
unless on (namespace, model_name)
last_over_time(leeway_model_info[` + w + `])`,
			summary: "Nothing is heard of {{ $labels.model_name }} in {{ $labels.namespace }}: no sidecar of\n{{ $labels.workload }} has been scraped for " + w + ".",
			description: "Guard {{ $labels.guard }} is blind and does nothing.\n" +
				"Look whether the pods run, have the sidecar, and whether the node agents reach them.",
		}.rule(v)},
	}}
	return f
}

package rules

// alarmBudget is the rule file about the false alarms that were promised, and
// the alarms that there were.
func alarmBudget(v Values) file {
	f := file{name: "alert-budget.yaml", comment: `How many drift alarms had a model, of those that its budget promises?

An alarm is a time with at least one such alert firing, whatever columns and
clocks. Nobody can count the false ones of them: promised are the false alarms
that the budget allows, spent are all alarms. A model that spends more, without a
change that somebody confirmed, has rules that don't fit it.`}
	ladder := v.Ladder()
	if len(ladder) == 0 {
		return f
	}
	interval := Duration(60e9)
	for _, r := range ladder {
		interval = min(interval, r.Interval)
	}
	w := v.Budgets.Window.String()
	state := group{name: "leeway-alert-state", interval: interval}
	spent := group{name: "leeway-alert-budget", interval: max(interval, lookback)}
	for _, b := range []struct {
		name string
		column
	}{{"inputs", features(v)}, {"outputs", outputs(v)}, {"answers", answers(v)}} {
		if b.factor > 0 && !v.Quality.Enabled {
			continue
		}
		labels := []pair{{"budget", b.name}}
		t := text{names: map[string]string{
			"M": modelOnly, "alert": b.alert, "w": w, "name": b.name, "firing": "leeway:model_alerts:firing",
			"promised": number(b.budget.FalseAlarms * v.Budgets.Window.Seconds() / b.budget.Per.Seconds()),
		}}
		state.rules = append(state.rules, rule{
			record: t.names["firing"], labels: labels,
			expr: t.sprint(`max by ($M) (ALERTS{alertname="$alert", alertstate="firing", leeway_clock!=""})
or
max by ($M) (leeway_model_info) * 0`),
		})
		spent.rules = append(spent.rules, rule{
			record: "leeway:model_alerts:promised" + w, labels: labels,
			expr: t.sprint(`$firing{budget="$name"} * 0 + $promised`),
		})
	}
	spent.rules = append(spent.rules, rule{
		comment: "Those that ended, and the one that has not.",
		record:  "leeway:model_alerts:spent" + w,
		expr:    "resets(leeway:model_alerts:firing[" + w + "]) + leeway:model_alerts:firing",
	})
	f.groups = []group{state, spent}
	return f
}

package rules

import "fmt"

// freshness is the rule file about rows that stopped coming, and about training
// data that is old.
func freshness(v Values) file {
	f := file{name: "freshness.yaml", comment: `Did the rows of a model stop coming, and how old is what it was trained on?

Not every quiet hour is a fault: the same window a day ago, and a week ago where
there was one, must have had rows.`}
	n := v.Freshness
	if !n.Enabled {
		return f
	}
	w := n.Window.String()
	t := text{names: map[string]string{
		"M": modelOnly, "K": modelLabels, "w": w, "min": number(n.MinRequests),
		"observed": "leeway:model_traffic:observed_requests" + w,
		"age":      "leeway:model:training_data_age_seconds",
	}}
	g := group{name: "leeway-freshness", interval: n.Interval, rules: []rule{
		{record: t.names["observed"], expr: t.sprint(`sum by ($M) (increase(leeway_captures_total{result=~"observed|learned|skipped_sample"}[$w]))`)},
		alertRule{
			name: "LeewayNoRows", severity: n.Severity, window: n.Window, hold: n.For,
			expr: t.sprint(`$observed == 0
and
$observed offset 1d >= $min
unless
$observed offset 7d < $min`),
			summary:     fmt.Sprintf("No row of %s was observed for %s,\nwhere there usually are some at this time of the day.", modelSubject, w),
			description: "The sidecars are scraped, so what is missing is traffic, or what can be read of it.\nLook at the callers, at the Service, and at leeway_captures_total by result.",
		}.rule(v),
	}}
	if n.MaxTrainingAge > 0 {
		g.rules = append(g.rules,
			rule{
				comment: "Of the versions that answer: the last row that they were trained on.",
				record:  t.names["age"],
				expr: t.sprint(`time() - max by ($K) (leeway_model_training_data_end_timestamp_seconds)
and on ($K)
leeway_model_info`),
			},
			alertRule{
				name: "LeewayOldTrainingData", severity: n.TrainingSeverity, window: n.MaxTrainingAge,
				expr:        t.sprint("$age > ") + number(n.MaxTrainingAge.Seconds()),
				summary:     fmt.Sprintf("The training data of %s\nended {{ $value | humanizeDuration }} ago, more than the %s that are allowed.", subject, n.MaxTrainingAge),
				description: "Old is not wrong: drift and quality say whether it matters.\nWhere neither can be judged, train on recent data.",
			}.rule(v))
	}
	f.groups = []group{g}
	return f
}

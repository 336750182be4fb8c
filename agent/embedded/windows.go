package embedded

import "github.com/prometheus/prometheus/rules"

// PageWindow is the window of the page clock's alerts on predictions as the rules
// spell it, such as "1h"; the series recorded for them end in it. Empty when there
// is no such alert.
func (e *Engine) PageWindow() string {
	for _, g := range e.manager.RuleGroups() {
		for _, r := range g.Rules() {
			if a, ok := r.(*rules.AlertingRule); ok && a.Labels().Get("leeway_clock") == "page" && a.Labels().Get("leeway_cause") == "prediction_drift" {
				return a.Labels().Get("leeway_window")
			}
		}
	}
	return ""
}

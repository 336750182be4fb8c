package embedded

import (
	prometheus "github.com/prometheus/prometheus/rules"

	"github.com/leeway-dev/leeway/rules"
)

// PageWindow is the window of the page clock's alerts on predictions as the rules
// spell it, such as "1h"; the series recorded for them end in it. Of several it is
// as rules.PageWindow chooses; empty when there is no such alert.
func (e *Engine) PageWindow() string { return pageWindow(e.manager.RuleGroups()) }

func pageWindow(groups []*prometheus.Group) string {
	var windows []string
	for _, g := range groups {
		for _, r := range g.AlertingRules() {
			if r.Labels().Get("leeway_clock") == "page" && r.Labels().Get("leeway_cause") == "prediction_drift" {
				windows = append(windows, r.Labels().Get("leeway_window"))
			}
		}
	}
	return rules.PageWindow(windows)
}

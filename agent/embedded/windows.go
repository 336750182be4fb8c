package embedded

import "github.com/prometheus/prometheus/rules"

// Window of a clock (page, act, slow) as its rules spell it, such as "1h"; the
// recorded series of that clock end in it. Empty when no rule has the clock.
func (e *Engine) Window(clock string) string {
	return windowOf(e.manager.RuleGroups(), clock)
}

func windowOf(groups []*rules.Group, clock string) string {
	for _, g := range groups {
		for _, r := range g.Rules() {
			if a, ok := r.(*rules.AlertingRule); ok && a.Labels().Get("leeway_clock") == clock {
				return a.Labels().Get("leeway_window")
			}
		}
	}
	return ""
}

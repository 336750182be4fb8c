package embedded

import (
	"time"

	"github.com/prometheus/common/model"
)

// Window of a clock (page, act, slow) as its rules spell it, such as "1h"; the
// recorded series of that window end in it. Of several the longest that is read
// from the counters themselves, up to an hour: the others say nothing of a
// version that is minutes old. Empty when no rule has the clock.
func (e *Engine) Window(clock string) string {
	var best time.Duration
	name := ""
	for _, g := range e.manager.RuleGroups() {
		for _, r := range g.AlertingRules() {
			if r.Labels().Get("leeway_clock") != clock {
				continue
			}
			window := r.Labels().Get("leeway_window")
			length, err := model.ParseDuration(window)
			if w := time.Duration(length); err == nil && (name == "" || better(w, best)) {
				best, name = w, window
			}
		}
	}
	return name
}

// better says whether a window is to be had rather than another.
func better(w, than time.Duration) bool {
	if w > time.Hour || than > time.Hour {
		return w < than
	}
	return w > than
}

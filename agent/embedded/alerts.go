package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

// Alert is a pending or firing alert.
type Alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	State       string            `json:"state"` // pending or firing
	ActiveAt    time.Time         `json:"activeAt"`
	Value       float64           `json:"-"`
}

// Alerts are those of the last evaluation, in order of name and first activity.
// Whether that evaluation is recent says Health.
func (e *Engine) Alerts(ctx context.Context) ([]Alert, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var alerts []Alert
	for _, rule := range e.manager.AlertingRules() {
		alerts = append(alerts, activeAlerts(rule)...)
	}
	sortAlerts(alerts)
	return alerts, nil
}

func sortAlerts(alerts []Alert) {
	slices.SortFunc(alerts, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(a.Labels["alertname"], b.Labels["alertname"]), a.ActiveAt.Compare(b.ActiveAt))
	})
}

func activeAlerts(rule *rules.AlertingRule) []Alert {
	alerts := []Alert{}
	for _, a := range rule.ActiveAlerts() {
		alerts = append(alerts, Alert{
			Labels: a.Labels.Map(), Annotations: a.Annotations.Map(), State: a.State.String(),
			ActiveAt: a.ActiveAt, Value: a.Value,
		})
	}
	return alerts
}

// slowGroup is the longest interval of a group that a start waits for.
const slowGroup = 5 * time.Minute

// Health says whether the verdict of the rules can be relied on.
type Health struct {
	// Groups is the number of rule groups; with none there is no verdict.
	Groups int
	// Oldest is the least recent last evaluation of the groups; zero when one has
	// not been evaluated yet.
	Oldest time.Time
	// Waiting are the groups that were not evaluated yet, without the slow ones. A
	// group is first evaluated up to one of its intervals after the start; what is
	// evaluated once an hour is about days, and can wait for its hour.
	Waiting []string
	// Stalled are the groups that were not evaluated for three of their intervals
	// (and five seconds).
	Stalled []string
	// Failing are the rules whose last evaluation was an error, and the error. One
	// that was made twice for the same instant, as happens when a tick comes late
	// and the next in time, has its first result stored: that is no failure.
	Failing map[string]string
	// Refused is why the rule files on disk are not in force; empty when they are.
	Refused string

	noted bool // a group
}

// OK is false when the alerts say nothing about the present: no rules, or some
// that wait for their first evaluation, are stalled or fail. Refused files are no
// reason: the old rules stand.
func (h Health) OK() bool { return h.Err() == nil }

// Err says why the verdict can't be relied on; nil when it can.
func (h Health) Err() error {
	switch {
	case h.Groups == 0:
		return errors.New("no rules are loaded")
	case len(h.Failing) > 0:
		name := slices.Min(slices.Collect(maps.Keys(h.Failing)))
		return fmt.Errorf("%d rules fail, %s with: %s", len(h.Failing), name, h.Failing[name])
	case len(h.Stalled) > 0:
		return fmt.Errorf("rule groups that are not evaluated any more: %s", strings.Join(h.Stalled, ", "))
	case len(h.Waiting) > 0:
		return fmt.Errorf("rule groups that have not been evaluated yet: %s", strings.Join(h.Waiting, ", "))
	}
	return nil
}

// Note counts a group in that was last evaluated then, or never.
func (h *Health) Note(group string, interval time.Duration, last, now time.Time) {
	if !h.noted || last.Before(h.Oldest) {
		h.Oldest = last
	}
	h.noted = true
	h.Groups++
	switch {
	case last.IsZero() && interval > slowGroup:
	case last.IsZero():
		h.Waiting = append(h.Waiting, group)
	case now.Sub(last) > 3*interval+5*time.Second:
		h.Stalled = append(h.Stalled, group)
	}
}

// Health looks at every rule group that a verdict rests on.
func (e *Engine) Health(now time.Time) Health {
	h := Health{Failing: map[string]string{}}
	if err := e.reloader.Refused(); err != nil {
		h.Refused = err.Error()
	}
	groups := e.manager.RuleGroups()
	rests := judging(groups)
	for i, g := range groups {
		if !rests[i] {
			h.Groups++
			continue
		}
		h.Note(g.Name(), g.Interval(), g.GetLastEvaluation(), now)
		for _, r := range g.Rules() {
			if err := r.LastError(); err != nil && !errors.Is(err, storage.ErrDuplicateSampleForTimestamp) {
				h.Failing[r.Name()] = err.Error()
			}
		}
	}
	return h
}

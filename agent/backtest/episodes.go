package backtest

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/agent/embedded"
)

// Episode is one alert from when its expression first held to when it no longer
// did. Only those that fired are told.
type Episode struct {
	Alert  string            `json:"alert"`
	Labels map[string]string `json:"labels"`
	// Since is when its expression first held, Fired when it had for long enough.
	Since time.Time `json:"since"`
	Fired time.Time `json:"fired"`
	// Ended is absent while it still fires.
	Ended *time.Time `json:"ended,omitempty"`
	// Value is the most extreme while it fired, Summary what it said when it began to.
	Value   float64 `json:"value"`
	Summary string  `json:"summary,omitempty"`
}

// Subject is the column, output or class that it is about; may be empty.
func (e *Episode) Subject() string {
	for _, name := range []string{"feature", "output", "code"} {
		if s := e.Labels[name]; s != "" {
			return s
		}
	}
	return ""
}

// episodes follows alerts from one evaluation to the next.
type episodes struct {
	open  map[string]*Episode // by labels and since
	ended []Episode
}

// see takes the alerts of an evaluation.
func (e *episodes) see(alerts []embedded.Alert, at time.Time) {
	seen := make(map[string]bool, len(alerts))
	for _, a := range alerts {
		key := labelsKey(a.Labels) + a.ActiveAt.String()
		seen[key] = true
		x := e.open[key]
		if x == nil {
			if e.open == nil {
				e.open = map[string]*Episode{}
			}
			labels := maps.Clone(a.Labels)
			delete(labels, "alertname")
			x = &Episode{Alert: a.Labels["alertname"], Labels: labels, Since: a.ActiveAt.UTC(), Value: a.Value}
			e.open[key] = x
		}
		x.Value = max(x.Value, a.Value)
		if a.State == "firing" && x.Fired.IsZero() {
			x.Fired, x.Summary = at.UTC(), strings.Join(strings.Fields(a.Annotations["summary"]), " ")
		}
	}
	for key, x := range e.open {
		if seen[key] {
			continue
		}
		if !x.Fired.IsZero() {
			end := at.UTC()
			x.Ended = &end
			e.ended = append(e.ended, *x)
		}
		delete(e.open, key)
	}
}

// all are the episodes that fired after a time, in the order in which they did.
func (e *episodes) all(after time.Time) []Episode {
	list := slices.Clone(e.ended)
	for _, x := range e.open {
		if !x.Fired.IsZero() {
			list = append(list, *x)
		}
	}
	list = slices.DeleteFunc(list, func(x Episode) bool { return x.Ended != nil && !x.Ended.After(after) })
	slices.SortFunc(list, func(a, b Episode) int {
		if c := a.Fired.Compare(b.Fired); c != 0 {
			return c
		}
		return strings.Compare(a.Alert+labelsKey(a.Labels), b.Alert+labelsKey(b.Labels))
	})
	return list
}

// labelsKey tells label sets apart.
func labelsKey(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(name)
		b.WriteByte(0)
		b.WriteString(labels[name])
		b.WriteByte(0)
	}
	return b.String()
}

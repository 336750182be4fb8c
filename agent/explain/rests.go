package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// rests says what a diagnosis rests on beside the alerts, counted again from what
// the record holds.
func rests(s v1alpha1.ModelDecisionSpec) []string {
	var lines []string
	if len(s.Onsets) > 0 {
		lines = append(lines, onsets(s.Onsets))
	}
	if s.Load != nil {
		lines = append(lines, load(*s.Load))
	}
	return lines
}

func onsets(list []v1alpha1.OnsetEvidence) string {
	subjects := map[string][]string{}
	var models []string
	first, last := list[0].At, list[0].At
	for _, o := range list {
		if !slices.Contains(models, o.Model) {
			models = append(models, o.Model)
		}
		if o.Subject != "" && !slices.Contains(subjects[o.Model], o.Subject) {
			subjects[o.Model] = append(subjects[o.Model], o.Subject)
		}
		if o.At.Before(&first) {
			first = o.At
		}
		if last.Before(&o.At) {
			last = o.At
		}
	}
	for i, m := range models {
		if columns := subjects[m]; len(columns) > 0 {
			models[i] += " (" + strings.Join(columns, ", ") + ")"
		}
	}
	line := fmt.Sprintf("Since %s inputs began to change of %s within %s: %s; %d within %s are taken for trouble upstream of all of them",
		moment(first), plural(int64(len(models)), "model"), span(last.Sub(first.Time)), strings.Join(models, ", "),
		decide.CorrelatedModels, decide.CorrelatedWithin)
	if len(models) < decide.CorrelatedModels || last.Sub(first.Time) > decide.CorrelatedWithin {
		line += ", which the record does not show"
	}
	return line + "."
}

func load(l v1alpha1.LoadEvidence) string {
	now, err := strconv.ParseFloat(l.Requests, 64)
	before, err2 := strconv.ParseFloat(l.RequestsBefore, 64)
	if err != nil || err2 != nil || !(before > 0) {
		return "What was asked of the model is not in the record."
	}
	line := fmt.Sprintf("%s requests a second were asked, where %s had been the most of the hour before: %.1f times as many, and from %g on that is the load",
		short(l.Requests), short(l.RequestsBefore), now/before, decide.LoadRise)
	if now < decide.LoadRise*before {
		line += ", which the record does not show"
	}
	if l.P99Seconds != "" && l.P99Before != "" {
		line += fmt.Sprintf(". 99%% of good answers took up to %s s, before that %s s", short(l.P99Seconds), short(l.P99Before))
	}
	return line + "."
}

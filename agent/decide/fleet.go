package decide

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What is taken for trouble that comes from upstream of all models: the inputs of
// so many begin to drift or break within so long. With a budget of one false alarm
// a model in 90 days, 500 models have r = 5.6 a day, and three within t = 10 min by
// chance r·(r·t)²/2 times a day: once or twice a year.
const (
	CorrelatedModels = 3
	CorrelatedWithin = 10 * time.Minute
	// CorrelatedFor is how long it is left to people: after that it is how things
	// are now, and each model is judged by itself.
	CorrelatedFor = 24 * time.Hour
)

// Onset is when a column of a model began to drift or break, by an alert that
// still fires.
type Onset struct {
	Namespace, Model, Subject string
	At                        time.Time
}

// Onsets are those of one model: of each column, or other subject, the earliest of
// the eligible alerts that fire. Alerts of the page clock count, for they are the
// first to see it. One that has drifted for weeks begins nothing new when another
// window sees it too.
func Onsets(alerts []Alert, e Evidence, now time.Time) []Onset {
	first := map[string]time.Time{}
	for _, a := range alerts {
		if !a.Firing || a.Cause != AlertInputDrift && a.Cause != AlertBrokenInput {
			continue
		}
		if ok, _ := Eligible(a, e, now); !ok {
			continue
		}
		if t, seen := first[a.Subject]; !seen || a.ActiveAt.Before(t) {
			first[a.Subject] = a.ActiveAt
		}
	}
	var onsets []Onset
	for subject, at := range first {
		onsets = append(onsets, Onset{e.Namespace, e.Model, subject, at})
	}
	return SortOnsets(onsets)
}

func compareOnsets(a, b Onset) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Subject, b.Subject))
}

// AtOnce are the onsets that belong together with one of a model's own: those of
// CorrelatedModels or more within CorrelatedWithin. Of several such, the one in
// which most models are. The record of a decision holds what it returns, so it can
// be asked again.
func AtOnce(onsets []Onset, namespace, model string) []Onset {
	if !slices.IsSortedFunc(onsets, compareOnsets) {
		onsets = SortOnsets(slices.Clone(onsets))
	}
	own := modelName{namespace, model}
	span := map[modelName]int{} // the onsets from begin to end
	var best []Onset
	most, end := CorrelatedModels-1, 0
	for begin, o := range onsets {
		for end < len(onsets) && onsets[end].At.Sub(o.At) <= CorrelatedWithin {
			span[onsets[end].of()]++
			end++
		}
		if span[own] > 0 && len(span) > most {
			best, most = onsets[begin:end], len(span)
		}
		if span[o.of()]--; span[o.of()] == 0 {
			delete(span, o.of())
		}
	}
	return best
}

// SortOnsets puts the oldest first. A leader asks AtOnce for each guard, of all
// onsets: those of a round are sorted once.
func SortOnsets(onsets []Onset) []Onset {
	slices.SortFunc(onsets, compareOnsets)
	return onsets
}

type modelName struct{ namespace, model string }

func (o Onset) of() modelName { return modelName{o.Namespace, o.Model} }

// Models counts the models that onsets are of.
func Models(onsets []Onset) int {
	names := map[modelName]bool{}
	for _, o := range onsets {
		names[o.of()] = true
	}
	return len(names)
}

// Upstream are the onsets that the model shares with others, for as long as that is
// left to people.
func Upstream(e Evidence, now time.Time) ([]Onset, bool) {
	recent := slices.DeleteFunc(slices.Clone(e.Onsets), func(o Onset) bool { return now.Sub(o.At) >= CorrelatedFor })
	shared := AtOnce(recent, e.Namespace, e.Model)
	return shared, len(shared) > 0
}

// correlated holds what comes upon several models at once, and after that for as
// long as all that fires may come from the rows of that time. Errors and latency
// of a release that never was clean are the release's all the same.
func correlated(v view) (Diagnosis, found) {
	d := Diagnosis{Cause: Correlated, Action: Hold, Reason: ReasonCorrelated}
	if onsets, ok := Upstream(v.Evidence, v.now); ok {
		if len(v.released(v.firing[AlertErrors]))+len(v.released(v.firing[AlertLatency])) > 0 {
			return Diagnosis{}, absent
		}
		d.Alerts = v.onInputs()
		d.Columns, d.Onsets = subjects(d.Alerts), onsets
		d.Message = fmt.Sprintf("inputs of %s changed within %s of each other (%s), this one's in %s: it is upstream of all of them, nothing is changed for it",
			count(Models(onsets), "model"), span(onsets[len(onsets)-1].At.Sub(onsets[0].At)), names(onsets, v.Namespace), columns(d.Columns))
		return d, holds
	}
	clouded := acting(v.clouded)
	if len(clouded) == 0 || len(v.firing) > 0 {
		return Diagnosis{}, absent
	}
	d.Alerts, d.Columns = clouded, subjects(clouded)
	d.Message = fmt.Sprintf("inputs of several models had changed at once until %s ago, which %s still looks back on: wait until it is out of the last %s",
		span(v.now.Sub(v.stay.LastAlert[correlatedAlert])), alertNames(clouded), span(longestWindow(clouded)))
	return d, holds
}

// onInputs are the alerts on what the model is given that fire, looked at by any
// clock.
func (v view) onInputs() []Alert {
	all := slices.Concat(v.firing[AlertBrokenInput], v.firing[AlertInputDrift], v.page[AlertInputDrift], v.garbled, v.clouded)
	return slices.DeleteFunc(all, func(a Alert) bool {
		return !a.Firing || a.Cause != AlertBrokenInput && a.Cause != AlertInputDrift
	})
}

// names of the models of a namespace, each once, and how many others there are.
func names(onsets []Onset, namespace string) string {
	var list []string
	for _, o := range onsets {
		if o.Namespace == namespace && !slices.Contains(list, o.Model) {
			list = append(list, o.Model)
		}
	}
	if len(list) > 5 {
		list = list[:4]
	}
	if n := Models(onsets) - len(list); n > 0 {
		list = append(list, fmt.Sprintf("%d more", n))
	}
	return strings.Join(list, ", ")
}

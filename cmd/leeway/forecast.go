package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/leeway-dev/leeway/registry"
)

// labelled measures a file of predictions for labelled rows of the live window;
// "" is none.
func (a *app) labelled(name string) (*registry.Labelled, error) {
	if name == "" {
		return nil, nil
	}
	sets, err := a.readPredictions(name)
	if err != nil {
		return nil, err
	}
	if len(sets) != 1 {
		return nil, fmt.Errorf("%s: %d data sets: the rows of today are one", name, len(sets))
	}
	s := sets[0]
	if s.From.IsZero() {
		return nil, fmt.Errorf("%s: without a column time nobody knows how many days the labels span", name)
	}
	l := &registry.Labelled{Rows: s.Rows, Span: s.To.Sub(s.From), Errors: map[string]map[int64]float64{}}
	for _, score := range s.Scores {
		for _, m := range score.Metrics {
			if l.Errors[m.Name] == nil {
				l.Errors[m.Name] = map[int64]float64{}
			}
			l.Errors[m.Name][score.Version] = m.Value
		}
	}
	return l, nil
}

// forecastLines say what evaluations made of the match, and how far to trust it.
func forecastLines(w io.Writer, r registry.Result) {
	if f := r.Forecast; f != nil {
		list := slices.DeleteFunc(slices.Clone(r.Candidates), func(c registry.Candidate) bool { return c.PredictedError == nil })
		slices.SortStableFunc(list, func(a, b registry.Candidate) int { return cmp.Compare(*a.PredictedError, *b.PredictedError) })
		var words []string
		for _, c := range list {
			words = append(words, fmt.Sprintf("%s: %.4g", c.Version, *c.PredictedError))
		}
		if len(words) > 0 {
			fmt.Fprintf(w, "Predicted error (%s): %s\n", f.Metric, strings.Join(words, ", "))
		}
	}
	if r.Rule == "" {
		return
	}
	fmt.Fprintf(w, "Ranked by %s: %s.\n", ruleWords(r.Rule), r.Trust)
	if r.ProposeOnly {
		fmt.Fprintln(w, "Don't switch by this match without looking.")
	}
}

func ruleWords(r registry.Rule) string {
	switch r {
	case registry.RulePredicted:
		return "predicted error"
	case registry.RuleLabels:
		return "labels and predicted error"
	}
	return "distance"
}

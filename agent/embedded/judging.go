package embedded

import (
	"github.com/prometheus/prometheus/promql/parser"
	prometheus "github.com/prometheus/prometheus/rules"

	"github.com/leeway-dev/leeway/rules"
)

// judging says of each group whether a verdict rests on it.
func judging(groups []*prometheus.Group) []bool {
	lists := make([][]rules.Ruling, len(groups))
	for i, g := range groups {
		for _, r := range g.Rules() {
			ruling := rules.Ruling{Reads: func(yield func(string) bool) { eachSeries(r.Query(), yield) }}
			if a, ok := r.(*prometheus.AlertingRule); ok {
				ruling.Caused = a.Labels().Get("leeway_cause") != ""
			} else {
				ruling.Records = r.Name()
			}
			lists[i] = append(lists[i], ruling)
		}
	}
	return rules.Judging(lists)
}

// eachSeries yields the name of every series in an expression.
func eachSeries(expr parser.Expr, yield func(string) bool) {
	more := true
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok && more {
			more = yield(s.Name)
		}
		return nil
	})
}

package embedded

import (
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// judging are the groups that a verdict rests on: those with an alert that has a
// leeway_cause, and those that record what such alerts read, or what that is
// recorded from. The others are for people: nothing waits for them.
func judging(groups []*rules.Group) map[*rules.Group]bool {
	records := map[string][]*rules.Group{} // groups that record a series, by its name
	rests := map[*rules.Group]bool{}
	var next []*rules.Group
	take := func(g *rules.Group) {
		if !rests[g] {
			rests[g] = true
			next = append(next, g)
		}
	}
	for _, g := range groups {
		for _, r := range g.Rules() {
			if a, ok := r.(*rules.AlertingRule); !ok {
				records[r.Name()] = append(records[r.Name()], g)
			} else if a.Labels().Get("leeway_cause") != "" {
				take(g)
			}
		}
	}
	for len(next) > 0 {
		g := next[0]
		next = next[1:]
		for _, r := range g.Rules() {
			parser.Inspect(r.Query(), func(n parser.Node, _ []parser.Node) error {
				if s, ok := n.(*parser.VectorSelector); ok {
					for _, other := range records[s.Name] {
						take(other)
					}
				}
				return nil
			})
		}
	}
	return rests
}

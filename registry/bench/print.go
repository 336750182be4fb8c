package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/leeway-dev/leeway/registry/atlas"
)

var kinds = []string{"s", "d", "L"}

// print writes the tables of a target: half / even-odd in every cell.
func (s *stream) print(out io.Writer, target string, results map[string]*regrets) {
	fmt.Fprintf(out, "\n### %s, %s: regret in %% (standard error over %d blocks), half / even-odd\n\n", s.name, target, s.blocks)
	var head, line []string
	for _, scope := range scopes {
		for _, kind := range kinds {
			if results[scope.name+" "+kind+" half"] != nil || results[scope.name+" "+kind+" even-odd"] != nil {
				head, line = append(head, scope.name+" "+kind), append(line, "---")
			}
		}
	}
	fmt.Fprintf(out, "| | %s |\n| --- | %s |\n", strings.Join(head, " | "), strings.Join(line, " | "))
	row := func(name string, cell func(*regrets) string) {
		fmt.Fprintf(out, "| %s |", name)
		for _, h := range head {
			var both []string
			for _, split := range []string{"half", "even-odd"} {
				if r := results[h+" "+split]; r != nil {
					both = append(both, cell(r))
				}
			}
			fmt.Fprintf(out, " %s |", strings.Join(both, " / "))
		}
		fmt.Fprintln(out)
	}
	for _, name := range ruleNames {
		row(name, func(r *regrets) string {
			mean, se, ok := r.mean(name)
			if !ok {
				return "-"
			}
			return fmt.Sprintf("%.1f (%.1f)", mean, se)
		})
	}
	row("R2", func(r *regrets) string { return r.gated.explained() })
	row("gates open, closed, too few data sets", func(r *regrets) string {
		g := r.gated.gates
		return fmt.Sprintf("%d, %d, %d", g[atlas.Open], g[atlas.Closed], r.early.gates[atlas.NoGate])
	})
	for _, part := range []struct {
		name string
		of   func(*regrets) *switches
	}{
		{"switches", func(r *regrets) *switches { return &r.gated }},
		{"too few data sets: proposals", func(r *regrets) *switches { return &r.early }},
	} {
		row(part.name+", % of pairs", func(r *regrets) string { return ratio(part.of(r).switched, part.of(r).pairs) })
		row(part.name+", of these worse than staying, %", func(r *regrets) string { return ratio(part.of(r).worse, part.of(r).switched) })
		row(part.name+", gain of one, %", func(r *regrets) string { return ratio(part.of(r).gain/100, part.of(r).switched) })
	}
}

func ratio(a, b float64) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", 100*a/b)
}

// explained is the least and the greatest R2 of the registries.
func (s *switches) explained() string {
	if len(s.r2) == 0 {
		return "-"
	}
	low, high := s.r2[0], s.r2[0]
	for _, x := range s.r2 {
		low, high = min(low, x), max(high, x)
	}
	return fmt.Sprintf("%.2f..%.2f", low, high)
}

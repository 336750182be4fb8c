package main

import (
	"fmt"
	"io"
)

// goal is what was to be reached, and what was measured.
type goal struct {
	what, want, measured string
	met                  bool
}

// goals are collected by the parts, and printed when all are through.
type goals []goal

// most adds a goal that a value must not be above, least one that it must not be below; unit is a format. note says
// what else has to be known, and unless it is empty the goal is not met.
func (g *goals) most(what string, v, limit float64, unit, note string) {
	g.add(what, "≤ "+fmt.Sprintf(unit, limit), fmt.Sprintf(unit, v), note, v <= limit)
}

func (g *goals) least(what string, v, limit float64, unit, note string) {
	g.add(what, "≥ "+fmt.Sprintf(unit, limit), fmt.Sprintf(unit, v), note, v >= limit)
}

func (g *goals) add(what, want, measured, note string, met bool) {
	if note != "" {
		measured, met = measured+", "+note, false
	}
	*g = append(*g, goal{what, want, measured, met})
}

func (g goals) print(w io.Writer) {
	if len(g) == 0 {
		return
	}
	header(w, "## Goals", "what", "goal", "measured", "at the goal")
	for _, x := range g {
		at := "no"
		if x.met {
			at = "yes"
		}
		row(w, x.what, x.want, x.measured, at)
	}
}

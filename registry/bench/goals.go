package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// untold are the targets of which inputs tell nothing or little.
var untold = []string{"flights reg", "flights clf", "sea class"}

// goals collects what is held against a goal, in the order of the streams.
type goals struct {
	names []string
	told  map[string]*switches // where inputs tell and the regime is registered
	rest  switches             // where they tell nothing
	fits  [][3]string
}

// add takes what the rule did where a gate could be.
func (g *goals) add(name string, results map[string]*regrets) {
	if g.told == nil {
		g.told = map[string]*switches{}
	}
	for _, kind := range kinds {
		for _, scope := range []string{"R", "N", "P", "C+X", "P+X"} {
			for _, way := range []string{"half", "even-odd"} {
				r := results[scope+" "+kind+" "+way]
				switch key := name + ", " + kindNames[kind]; {
				case r == nil:
				case slices.Contains(untold, name):
					g.rest.join(&r.gated)
				case scope == "R" || scope == "C+X": // the regime is registered
					if g.told[key] == nil {
						g.names = append(g.names, key)
						g.told[key] = &switches{}
					}
					g.told[key].join(&r.gated)
				}
			}
		}
	}
}

var kindNames = map[string]string{"s": "shuffled rows", "d": "one day", "L": "ten days"}

func (s *switches) join(o *switches) {
	s.pairs, s.switched, s.worse = s.pairs+o.pairs, s.switched+o.switched, s.worse+o.worse
	for i, h := range o.halves {
		s.halves[i].switched, s.halves[i].worse = s.halves[i].switched+h.switched, s.halves[i].worse+h.worse
	}
}

// addFits takes the share of windows that fit, of ten days and more.
func (g *goals) addFits(name string, length time.Duration, own, novel *tally) {
	if length < 10*day {
		return
	}
	for _, one := range []struct {
		goal  string
		t     *tally
		share float64
	}{{"fit, own regime", own, own.fit}, {"refused, novel regime", novel, novel.windows - novel.fit}} {
		if one.t.windows > 0 && !(one.t == novel && strings.HasPrefix(name, "sea")) { // whose regimes have the same inputs
			share := one.share / one.t.windows
			g.fits = append(g.fits, [3]string{
				fmt.Sprintf("windows of %.0f days that are %s (%s): at least 95 %%", length.Hours()/24, one.goal, name),
				fmt.Sprintf("%.1f %% of %.0f", 100*share, one.t.windows), verdict(share >= 0.95),
			})
		}
	}
}

func (g *goals) print(out io.Writer) {
	fmt.Fprintf(out, "\n### Goals\n\n| goal | measured | |\n| --- | --- | --- |\n")
	for _, name := range g.names {
		s := g.told[name]
		fmt.Fprintf(out, "| switches that are worse than staying, the regime registered (%s): at most 5 %% | %s %% of %.0f; even blocks %s, odd %s | %s |\n",
			name, decimal(s.worse, s.switched), s.switched, decimal(s.halves[0].worse, s.halves[0].switched), decimal(s.halves[1].worse, s.halves[1].switched), verdict(s.worse <= 0.05*s.switched))
	}
	if g.rest.pairs > 0 {
		fmt.Fprintf(out, "| switches on inputs alone where they tell nothing, 8 data sets or more (%s): none | %.0f of %.0f | %s |\n",
			strings.Join(untold, ", "), g.rest.switched, g.rest.pairs, verdict(g.rest.switched == 0))
	}
	for _, row := range g.fits {
		fmt.Fprintf(out, "| %s | %s | %s |\n", row[0], row[1], row[2])
	}
}

func verdict(ok bool) string {
	if ok {
		return "reached"
	}
	return "missed"
}

func decimal(a, b float64) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*a/b)
}

package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/rules"
)

const root = "../.."

func stream(t *testing.T, name string) *recorded {
	t.Helper()
	all, err := loadStreams(root, "")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s *recorded) bool { return s.name == name })
	if i < 0 {
		t.Fatalf("no stream %q", name)
	}
	return all[i]
}

// A season of rented bikes after the year on which the version was trained: the
// act clock does not take weather, holidays or weekends for drift. Rows counted
// as independent, it does.
func TestSeasonsDoNotAct(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute")
	}
	s := stream(t, "bikes")
	b := &bench{values: rules.Defaults()}
	first := s.rows[0].at.Truncate(day)
	g := regime{lives: []life{s.life(first, 0, 365, 90)}}
	acts := func(act rules.Rung) int {
		b.ladder = []rules.Rung{act}
		out, err := b.live(context.Background(), s, g)
		if err != nil {
			t.Fatal(err)
		}
		return out.periods["act"]
	}
	ladder := b.values.Ladder()
	act := ladder[slices.IndexFunc(ladder, func(r rules.Rung) bool { return r.Name == "act" })]
	if n := acts(act); n > 1 {
		t.Errorf("%d acts in 90 days, want at most one", n)
	}
	act.MinEffectiveRows = 10
	if n := acts(act); n < 5 {
		t.Errorf("%d acts where ten effective rows are enough: the replay can't tell what holds acts back", n)
	}
}

// Every way to cut a stream keeps training apart from what is asked, and keeps
// to its time.
func TestRegimes(t *testing.T) {
	s := stream(t, "bikes")
	names := map[string]bool{}
	for _, g := range s.regimes(rand.New(rand.NewPCG(1, 2))) {
		names[g.name] = true
		for i, l := range g.lives {
			if len(l.trained) == 0 || len(l.asked) == 0 {
				t.Fatalf("%s, version %d: %d rows train and %d are asked for", g.name, i, len(l.trained), len(l.asked))
			}
			from, to := l.asked[0].at, l.asked[len(l.asked)-1].at
			if from.Before(l.begin) || !to.Before(l.begin.Add(time.Duration(l.days)*day)) {
				t.Errorf("%s, version %d: asked from %s to %s, want %d days from %s", g.name, i, from, to, l.days, l.begin)
			}
			if !slices.IsSortedFunc(l.asked, func(a, b observation) int { return a.at.Compare(b.at) }) {
				t.Errorf("%s, version %d: rows are not in order of time", g.name, i)
			}
		}
	}
	for _, name := range []string{"trained on the year before, 90 days", "days in random order", "weeks in random order", "trained on 90 days, the next 90"} {
		if !names[name] {
			t.Errorf("no regime %q in %v", name, names)
		}
	}
	// Shuffled, each row is there once, and weeks keep their days and hours.
	l := s.shuffled(rand.New(rand.NewPCG(3, 4)), 7)
	count := map[string]int{}
	for _, o := range s.rows {
		if o.at.Before(s.rows[0].at.Add(time.Duration(len(l.trained)+len(l.asked)) * time.Hour)) {
			count[o.cells[0]+o.cells[5]+o.cells[1]]++
		}
	}
	weekday := slices.Index(s.columns, "weekday")
	for _, o := range slices.Concat(l.trained, l.asked) {
		count[o.cells[0]+o.cells[5]+o.cells[1]]--
		if got := o.at.Weekday().String()[:3]; got != o.cells[weekday] {
			t.Fatalf("a row of %s is put on a %s", o.cells[weekday], got)
		}
	}
	lost := 0
	for _, n := range count {
		lost += max(n, -n)
	}
	if lost > 500 { // the days that fill no week, and hours that are missing
		t.Errorf("%d rows are lost or there twice", lost)
	}
}

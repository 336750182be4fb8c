package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// life is that of a version: the rows that it was trained on, and those that it
// was asked for.
type life struct {
	trained, asked []observation
	begin          time.Time
	days           int
}

// regime is a way of cutting a stream into lives, of which it is known
// beforehand whether anything changes.
type regime struct {
	name    string
	changes bool
	lives   []life
}

// regimes cuts a stream. A version that was trained on a year has seen every
// season. Days and weeks in random order, of which half train, are alike by
// construction: whatever they hold is drawn from one urn. A version that was
// trained on 90 days sees the next season come, which is a change.
func (s *recorded) regimes(r *rand.Rand) []regime {
	first := s.rows[0].at.Truncate(day)
	span := s.days()
	year := regime{name: "trained on the year before, 90 days"}
	for from := 0; from+365+90 <= span; from += 30 {
		year.lives = append(year.lives, s.life(first, from, 365, 90))
	}
	long := regime{name: "trained on the first year, the rest"}
	if span >= 725 {
		long.lives = append(long.lives, s.life(first, 0, 365, span-365))
	}
	within := regime{name: "a fifth of the rows of the same year"}
	if span < 365+90 {
		l := life{begin: first, days: span}
		for _, o := range s.rows {
			if r.IntN(5) == 0 {
				l.trained = append(l.trained, o)
			} else {
				l.asked = append(l.asked, o)
			}
		}
		within.lives = append(within.lives, l)
	}
	season := regime{name: "trained on 90 days, the next 90", changes: true}
	for from := 0; from+180 <= span; from += 30 {
		season.lives = append(season.lives, s.life(first, from, 90, 90))
	}
	out := []regime{year, long, within, {name: "days in random order", lives: []life{s.shuffled(r, 1)}}, {name: "weeks in random order", lives: []life{s.shuffled(r, 7)}}, season}
	return slices.DeleteFunc(out, func(g regime) bool { return len(g.lives) == 0 })
}

// life trains on some days of the stream and asks for those that follow.
func (s *recorded) life(first time.Time, from, trained, asked int) life {
	at := func(days int) int {
		n, _ := slices.BinarySearchFunc(s.rows, first.Add(time.Duration(days)*day), func(o observation, t time.Time) int { return o.at.Compare(t) })
		return n
	}
	return life{
		trained: s.rows[at(from):at(from+trained)], asked: s.rows[at(from+trained):at(from+trained+asked)],
		begin: first.Add(time.Duration(from+trained) * day), days: asked,
	}
}

// shuffled puts blocks of days in random order: half of them train, the other
// half is asked for.
func (s *recorded) shuffled(r *rand.Rand, days int) life {
	length := time.Duration(days) * day
	first := s.rows[0].at.Truncate(day)
	blocks := make([][]observation, s.days()/days)
	for _, o := range s.rows {
		if i := int(o.at.Sub(first) / length); i < len(blocks) {
			blocks[i] = append(blocks[i], o)
		}
	}
	half := len(blocks) / 2
	l := life{begin: first, days: (len(blocks) - half) * days}
	for i, from := range r.Perm(len(blocks)) {
		for _, o := range blocks[from] {
			if i < half {
				o.at = o.at.Add(time.Duration(i-from) * length)
				l.trained = append(l.trained, o)
			} else {
				o.at = o.at.Add(time.Duration(i-half-from) * length)
				l.asked = append(l.asked, o)
			}
		}
	}
	return l
}

// lived is what the rules said in the lives of a regime.
type lived struct {
	days    float64
	alerts  map[string]int     // by clock: one for each column and window that began to fire
	periods map[string]int     // by clock: times at which something fired after nothing did
	known   map[string]float64 // by window: the share of columns and time with enough effective rows
	columns map[string]int     // act: alerts by column
}

// live lets the versions of a regime live, each with a profile of its own.
func (b *bench) live(ctx context.Context, s *recorded, g regime) (lived, error) {
	out := lived{alerts: map[string]int{}, periods: map[string]int{}, known: map[string]float64{}, columns: map[string]int{}}
	for _, l := range g.lives {
		p, err := s.profile(l.trained)
		if err != nil {
			return out, err
		}
		out.days += float64(l.days)
		spans := map[string][]simulate.Span{}
		for _, c := range p.Features {
			rows, err := bins(c, slices.Index(s.columns, c.Name), l.asked, l.begin)
			if err != nil {
				return out, err
			}
			for _, r := range b.ladder {
				if err := ctx.Err(); err != nil {
					return out, err
				}
				passage := simulate.Replay(b.profiled(r, c), column(c), len(p.Features), rows, time.Duration(l.days)*day)
				out.alerts[r.Name] += len(passage.Alarms)
				out.known[r.Window.String()] += (1 - passage.Unknown) / float64(len(p.Features)*len(g.lives))
				spans[r.Name] = append(spans[r.Name], passage.Alarms...)
				if r.Name == "act" && len(passage.Alarms) > 0 { // or the map gets every column
					out.columns[c.Name] += len(passage.Alarms)
				}
			}
		}
		for clock, list := range spans {
			out.periods[clock] += periods(list)
		}
	}
	return out, nil
}

// periods are the times at which something fires after nothing did.
func periods(list []simulate.Span) int {
	slices.SortFunc(list, func(a, b simulate.Span) int { return int(a.From - b.From) })
	n, until := 0, time.Duration(-1)
	for _, s := range list {
		if s.From > until {
			n++
		}
		until = max(until, s.To)
	}
	return n
}

// column is what the rules know of a column of a profile.
func column(c profile.Column) *simulate.Column {
	rows := make([]float64, len(c.Bins))
	for i, bin := range c.Bins {
		rows[i] = float64(bin.Count)
	}
	return simulate.NewOrdered(rows, c.MeanRanks())
}

// real prints what the rules say about real streams at their own pace.
func (b *bench) real(ctx context.Context) error {
	streams, err := loadStreams(b.root, b.folder)
	if err != nil {
		return err
	}
	if b.streamNames != "" {
		streams = slices.DeleteFunc(streams, func(s *recorded) bool { return !slices.Contains(strings.Split(b.streamNames, ","), s.name) })
		if len(streams) == 0 {
			return fmt.Errorf("-streams %q: there is none of these names; more are in a folder (-data)", b.streamNames)
		}
	}
	fmt.Print("\n### Real streams at their own pace: alerts per model and 90 days (times at which anything fired; in brackets every column and window)\n\n")
	fmt.Print("| stream | version | versions | days | page | act | slow | act by column |")
	for _, r := range b.ladder {
		fmt.Printf(" %s can tell |", r.Window)
	}
	fmt.Printf("\n| --- | --- | --- | --- | --- | --- | --- | --- |%s\n", strings.Repeat(" --- |", len(b.ladder)))
	most := 0.0
	for _, s := range streams {
		for _, g := range s.regimes(rand.New(rand.NewPCG(b.seed, 2013))) {
			out, err := b.live(ctx, s, g)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", s.name, g.name, err)
			}
			fmt.Printf("| %s | %s | %d | %.0f |", s.name, g.name, len(g.lives), out.days)
			for _, clock := range []string{"page", "act", "slow"} {
				fmt.Printf(" %.1f (%.1f) |", float64(out.periods[clock])*90/out.days, float64(out.alerts[clock])*90/out.days)
			}
			fmt.Printf(" %s |", counted(out.columns))
			for _, r := range b.ladder {
				fmt.Printf(" %.0f %% |", 100*out.known[r.Window.String()])
			}
			fmt.Println()
			if !g.changes {
				most = max(most, float64(out.periods["act"])*90/out.days)
			}
		}
	}
	b.aim(most <= 1, "real streams, no change of regime: at most one false act per model and 90 days", "at most %.1f", most)
	return nil
}

// counted lists names by how often they were counted.
func counted(m map[string]int) string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(m[b]-m[a], strings.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, m[name])
	}
	return strings.Join(names, ", ")
}

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// clocked is the whole rule of a window with its past.
func (b *bench) clocked(r rules.Rung, kind simulate.Kind) simulate.Clocked {
	return inTime(r, b.whole(r, kind))
}

func inTime(r rules.Rung, rung simulate.Rung) simulate.Clocked {
	steps, _ := r.Steps()
	window := time.Duration(r.Window)
	c := simulate.Clocked{Rung: rung, Window: window, Step: window / time.Duration(steps), LastWeek: r.LastWeek, History: window}
	if !r.History {
		c.History = min(24*time.Hour, window)
	}
	return c
}

// profiled is clocked for a column of a profile: its kind by the bins that hold
// values, and the clustering of its training rows.
func (b *bench) profiled(r rules.Rung, c profile.Column) simulate.Clocked {
	var kind simulate.Kind
	for _, bin := range c.Bins {
		if !slices.Contains([]string{"under", "over", "far_under", "far_over", "unseen", "missing"}, bin.Name) && bin.Count > 0 {
			kind.Shares = append(kind.Shares, float64(bin.Count))
		}
	}
	out := b.clocked(r, kind)
	out.Profile = c.Clustering[r.Window.String()]
	return out
}

// traffics are the ways in which rows come: 3,000 an hour.
func traffics() []simulate.Traffic {
	kind := simulate.Kinds()[0]
	base := simulate.Traffic{Kind: kind, Hourly: 3000}
	with := func(name string, change func(*simulate.Traffic)) simulate.Traffic {
		t := base
		t.Name = name
		change(&t)
		return t
	}
	out := []simulate.Traffic{
		with("independent", func(*simulate.Traffic) {}),
		with("sessions of 5", func(t *simulate.Traffic) { t.Session, t.Alike = 5, 0.8 }),
		with("sessions of 20", func(t *simulate.Traffic) { t.Session, t.Alike = 20, 0.8 }),
	}
	for _, wander := range []time.Duration{10 * time.Minute, time.Hour, 3 * time.Hour} {
		out = append(out, with("mix wanders, "+rules.Duration(wander).String(), func(t *simulate.Traffic) { t.Wander, t.Sway = wander, 0.15 }))
	}
	return append(out,
		with("day 0.5 sd, weekend 0.3 sd", func(t *simulate.Traffic) { t.Daily, t.Weekend = 0.5, 0.3 }),
		with("day 1 sd, weekend 0.5 sd", func(t *simulate.Traffic) { t.Daily, t.Weekend = 1, 0.5 }),
		with("day 0.5 sd, weekend 0.3 sd, sessions of 5, mix wanders 1h", func(t *simulate.Traffic) {
			t.Daily, t.Weekend, t.Session, t.Alike, t.Wander, t.Sway = 0.5, 0.3, 5, 0.8, time.Hour, 0.15
		}))
}

// streams is how many columns a window is simulated on: a short one takes long.
func (b *bench) streams(r rules.Rung) int {
	minutes := r.Window.Seconds() / 60
	return max(int(b.scale*min(300, 2*minutes)), 1)
}

func (b *bench) traffic(ctx context.Context) error {
	fmt.Printf("\n### False alarms of the whole rule on traffic that is not independent, over the promise (%d days after the first eight)\n\n| traffic, 3,000 rows an hour |", b.days)
	for _, r := range b.ladder {
		fmt.Printf(" %s |", r.Window)
	}
	fmt.Printf(" together | φ |\n| --- |%s --- | --- |\n", strings.Repeat(" --- |", len(b.ladder)))
	worst := 0.0
	for _, t := range traffics() {
		together, clustering, err := b.onTraffic(ctx, t)
		if err != nil {
			return err
		}
		fmt.Printf(" %.2f | %s |\n", together, clustering)
		worst = max(worst, together)
	}
	b.aim(worst <= 2, "the whole rule on bursts, wandering mixes, daily and weekly cycles: at most 2 times the promise", "at most %.2f", worst)
	return nil
}

// onTraffic prints a row: the windows one by one, each with a standard error.
func (b *bench) onTraffic(ctx context.Context, t simulate.Traffic) (together float64, clustering string, err error) {
	fmt.Printf("| %s |", t.Name)
	for i, r := range b.ladder {
		c := b.clocked(r, t.Kind)
		alarms, promised, phi := 0, 0.0, 0.0
		n := b.streams(r)
		for k := range n {
			if ctx.Err() != nil {
				return 0, "", ctx.Err()
			}
			out := simulate.Stream(simulate.NewRandom(b.seed, uint64(1000*i+k)), c, t, 100_000, b.days)
			alarms += out.Alarms
			promised += c.PerWindow * out.Days * 24 / c.Window.Hours()
			phi += out.Clustering / float64(n)
		}
		ratio := float64(alarms) / promised
		together += ratio / float64(len(b.ladder))
		fmt.Printf(" %.1f ± %.1f |", ratio, math.Sqrt(max(float64(alarms), 1))/promised)
		if i > 0 {
			clustering += ", "
		}
		clustering += fmt.Sprintf("%.1f", phi)
	}
	return together, clustering, nil
}

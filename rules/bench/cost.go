package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/promql"
	prules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"
)

// cost prints what a round of all rules about the drift of features costs in
// processor time, on one core: every group once, in the state that it is in after a week.
func (b *bench) cost(ctx context.Context) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // or idle cores collect garbage all the time
	fmt.Printf("\n### A round of all rules about the drift of features, seconds of processor time (%d bins a column, %d pods, %d columns a model)\n\n", costBins, costPods, costColumns)
	var names []string
	var perSeries []float64
	for i, series := range b.series {
		took, err := b.round(ctx, series)
		if err != nil {
			return err
		}
		if i == 0 {
			for _, g := range took {
				names = append(names, g.name)
			}
			fmt.Printf("| bin series | %s | together | µs a series |\n|%s\n", strings.Join(names, " | "), strings.Repeat(" --- |", len(names)+3))
		}
		fmt.Printf("| %d |", series)
		sum := 0.0
		for _, g := range took {
			fmt.Printf(" %.2f |", g.seconds)
			sum += g.seconds
		}
		fmt.Printf(" %.1f | %.1f |\n", sum, 1e6*sum/float64(series))
		perSeries = append(perSeries, sum/float64(series))
		if series == 500_000 {
			b.aim(sum <= 10, "a round of all drift rules over 500,000 bin series: at most 10 s on one core", "%.1f s", sum)
		}
	}
	last := len(perSeries) - 1
	if last > 0 {
		growth := perSeries[last] / perSeries[0]
		b.aim(growth <= 1.3, "the cost of a series does not grow with their number", "%.2f times from %d to %d series", growth, b.series[0], b.series[last])
	}
	return nil
}

const (
	costBins, costPods, costColumns = 12, 4, 50

	scrapes = 241 // an hour, and the one before
)

type took struct {
	name    string
	seconds float64
}

// round fills a database with a week of what the rules read, and evaluates all
// groups: once to make their series, and once for the clock.
func (b *bench) round(ctx context.Context, series int) ([]took, error) {
	dir, err := os.MkdirTemp("", "bench-rules-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	opts := tsdb.DefaultOptions()
	opts.MinBlockDuration = (30 * 24 * time.Hour).Milliseconds() // all of it stays in the head
	opts.MaxBlockDuration = opts.MinBlockDuration
	db, err := tsdb.Open(filepath.Join(dir, "data"), nil, nil, opts, nil)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 500_000_000, Timeout: time.Hour})
	defer engine.Close()
	groups, err := b.groups(dir, db, engine)
	if err != nil {
		return nil, err
	}
	now := time.Unix(1_699_920_000, 0) // a whole hour
	f := &filler{db: db, now: now, columns: series / costPods / costBins, scrape: time.Duration(b.values.ScrapeInterval)}
	if err := f.past(ctx, b.ladder); err != nil {
		return nil, err
	}
	for i := range scrapes {
		if err := f.scraped(ctx, now.Add(-time.Duration(scrapes-1-i)*f.scrape)); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(os.Stderr, "%d series filled\n", series)
	var out []took
	for round := range 2 {
		at := now.Add(time.Duration(round) * f.scrape)
		if round > 0 {
			if err := f.scraped(ctx, at); err != nil {
				return nil, err
			}
		}
		out = nil
		for _, g := range groups {
			before := processor()
			g.Eval(ctx, at)
			out = append(out, took{strings.TrimPrefix(g.Name(), "leeway-feature-"), processor() - before})
			for _, r := range g.Rules() {
				if err := r.LastError(); err != nil {
					return nil, fmt.Errorf("%s: %w", r.Name(), err)
				}
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
	return out, nil
}

// groups are those of the rules about features, in the order in which they rest on
// each other.
func (b *bench) groups(dir string, db *tsdb.DB, engine *promql.Engine) ([]*prules.Group, error) {
	byName, err := load(dir, "feature-drift.yaml", b.values, db, engine)
	if err != nil {
		return nil, err
	}
	var out []*prules.Group
	order := []string{"reference"}
	for _, r := range b.ladder {
		order = append(order, "drift-"+r.Window.String())
	}
	for _, r := range b.ladder {
		order = append(order, "clustering-"+r.Window.String())
	}
	for _, name := range order {
		for _, g := range byName {
			if g.Name() == "leeway-feature-"+name {
				out = append(out, g)
			}
		}
	}
	if len(out) != len(byName) {
		return nil, fmt.Errorf("%d of %d groups are known to the benchmark", len(out), len(byName))
	}
	return out, nil
}

// processor is the time that this process has had of the processors.
func processor() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + 1e-6*float64(u.Utime.Usec+u.Stime.Usec)
}

// Command bench measures the rules: how many false alarms those about drift raise
// for one that is promised, how soon they notice a change, by themselves and beside
// the detectors of other packages, what a round of them costs in Prometheus' own
// engine; and how near the error that is expected without labels is to the true
// one, beside NannyML. Alarms and delays are simulated on counts (rules/simulate),
// with the windows and the budget of the values; the goals stand beside what is
// measured. Other packages are installed by pip, in the user's cache.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/rules"
)

func main() {
	var b bench
	values := flag.String("f", "", "values `FILE`; else the defaults")
	parts := flag.String("parts", "statistic,rule,answers,traffic,real,correlated,change,delay,peers,cost,expected", "what to measure")
	flag.IntVar(&b.references, "references", 500, "columns with a reference of their own, in each cell of statistic, rule and answers")
	flag.IntVar(&b.draws, "draws", 60, "windows drawn for each of them and each window of the ladder")
	flag.IntVar(&b.days, "days", 90, "days of traffic")
	flag.Float64Var(&b.scale, "scale", 1, "factor on the number of streams of traffic, of changes, and of repeats of expected (10)")
	series := flag.String("series", "50000,150000,500000", "bin series of a round of rules")
	packages := flag.String("packages", "river,evidently,nannyml,alibi-detect", "with whose detectors peers compares")
	flag.Uint64Var(&b.seed, "seed", 1, "of all that is drawn")
	flag.StringVar(&b.root, "root", ".", "`FOLDER` of the sources, which hold real streams")
	flag.IntVar(&b.columns, "columns", 0, "only correlated models of so many `COLUMNS`; 0: all")
	flag.StringVar(&b.streamNames, "streams", "", "names of the real streams to replay, with commas between them; else all")
	flag.StringVar(&b.folder, "data", "", "`FOLDER` with more real streams, as rules/bench/streams.py writes them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b.packages = strings.Split(*packages, ",")
	if err := b.run(ctx, *values, *series, strings.Split(*parts, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench-rules:", err)
		os.Exit(1)
	}
}

// bench is what is asked for, and what came out.
type bench struct {
	values                  rules.Values
	ladder                  []rules.Rung
	references, draws, days int
	columns                 int
	scale                   float64
	seed                    uint64
	packages                []string
	series                  []int
	goals                   []goal
	root, folder            string
	streamNames             string
}

func (b *bench) run(ctx context.Context, values, series string, parts []string) error {
	b.values = rules.Defaults()
	if values != "" {
		data, err := os.ReadFile(values)
		if err != nil {
			return err
		}
		if b.values, err = rules.ParseValues(data); err != nil {
			return fmt.Errorf("%s: %w", values, err)
		}
	}
	for _, s := range strings.Split(series, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1000 || n > 2_000_000 {
			return fmt.Errorf("-series %q: write numbers from 1000 to 2000000", series)
		}
		b.series = append(b.series, n)
	}
	if b.references < 1 || b.draws < 1 || b.days < 1 || !(b.scale > 0) {
		return errors.New("-references, -draws, -days and -scale must be more than 0")
	}
	b.ladder = b.values.Ladder()
	all := []struct {
		name string
		do   func(context.Context) error
	}{{"statistic", b.statistic}, {"rule", b.rule}, {"answers", b.answers}, {"traffic", b.traffic}, {"real", b.real}, {"correlated", b.correlated}, {"change", b.change}, {"delay", b.delay}, {"peers", b.peers}, {"cost", b.cost}, {"expected", b.expected}}
	began := time.Now()
	for _, part := range all {
		if !slices.Contains(parts, part.name) {
			continue
		}
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %s since the start\n", part.name, time.Since(began).Round(time.Second))
	}
	b.print()
	return nil
}

// goal is a bar, and what was measured against it.
type goal struct {
	bar, measured string
	reached       bool
}

func (b *bench) aim(reached bool, bar, measured string, args ...any) {
	b.goals = append(b.goals, goal{bar, fmt.Sprintf(measured, args...), reached})
}

func (b *bench) print() {
	if len(b.goals) == 0 {
		return
	}
	fmt.Print("\n### Goals\n\n| goal | measured | |\n| --- | --- | --- |\n")
	for _, g := range b.goals {
		verdict := "missed"
		if g.reached {
			verdict = "reached"
		}
		fmt.Printf("| %s | %s | %s |\n", g.bar, g.measured, verdict)
	}
}

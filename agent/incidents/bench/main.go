// Command bench has the rules and the decisions meet incidents of known cause,
// and prints what they were taken for: a table of what was the matter against what
// was said, and each that was not seen rightly, with the seed that shows it again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/agent/incidents"
)

func main() {
	var b bench
	var only string
	flag.IntVar(&b.incidents, "incidents", 1000, "how many, divided among the kinds")
	flag.Uint64Var(&b.seed, "seed", 1, "of the first of each kind")
	flag.IntVar(&b.parallel, "parallel", 2, "how many at a time")
	flag.DurationVar(&b.within, "within", 0, "stop after so long with what there is; 0: when all are done")
	flag.BoolVar(&b.verbose, "v", false, "print everything that was said about each")
	flag.StringVar(&only, "kinds", "", "only these, comma-separated")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx, only); err != nil {
		fmt.Fprintln(os.Stderr, "bench-incidents:", err)
		os.Exit(1)
	}
}

// bench is what is asked for, and what came out.
type bench struct {
	incidents, parallel int
	seed                uint64
	within              time.Duration
	verbose             bool

	mu    sync.Mutex
	tally incidents.Tally
	spent time.Duration
	done  int
	errs  []error
}

// job is a scene to play.
type job struct {
	kind incidents.Kind
	seed uint64
}

func (b *bench) run(ctx context.Context, only string) error {
	kinds := incidents.Kinds()
	if only != "" {
		kinds = kinds[:0:0]
		for _, name := range strings.Split(only, ",") {
			k := incidents.Kind(strings.TrimSpace(name))
			if !slices.Contains(incidents.Kinds(), k) {
				return fmt.Errorf("-kinds: no kind %q, there are %q", k, incidents.Kinds())
			}
			kinds = append(kinds, k)
		}
	}
	if b.incidents < 1 || b.parallel < 1 {
		return errors.New("-incidents and -parallel must be 1 or more")
	}
	files, err := incidents.Rules()
	if err != nil {
		return err
	}
	if b.within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.within)
		defer cancel()
	}
	jobs := make(chan job)
	var workers sync.WaitGroup
	for range b.parallel {
		workers.Go(func() {
			for j := range jobs {
				b.play(ctx, j, files)
			}
		})
	}
	for i := range b.incidents {
		select {
		case jobs <- job{kinds[i%len(kinds)], b.seed + uint64(i/len(kinds))}:
		case <-ctx.Done():
		}
	}
	close(jobs)
	workers.Wait()
	b.print()
	return errors.Join(b.errs...)
}

// play has one scene played, and told of where it was not seen rightly.
func (b *bench) play(ctx context.Context, j job, files map[string][]byte) {
	o, err := play(ctx, j, files)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			b.errs = append(b.errs, err)
		}
		return
	}
	b.done++
	b.spent += o.Took
	b.tally.Add(o)
	for _, v := range o.Verdicts() {
		if v.Right && len(v.Wrong) == 0 && !b.verbose {
			continue
		}
		fmt.Printf("%s, seed %d (%s), model %s: %q for %q, %d wrong acts\n", o.Kind, o.Seed, o.Variant, v.Model, v.Said, v.Truth.Cause, len(v.Wrong))
		for _, l := range o.Looks {
			if l.Model == v.Model {
				fmt.Printf("    %+d s %s %s %s %s: %s\n", l.Second, l.Cause, l.Action, l.Reason, l.Target, l.Message)
			}
		}
	}
}

func play(ctx context.Context, j job, files map[string][]byte) (*incidents.Outcome, error) {
	dir, err := os.MkdirTemp("", "leeway-incidents-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s, err := incidents.New(j.kind, j.seed)
	if err != nil {
		return nil, err
	}
	return s.Run(ctx, files, dir)
}

func (b *bench) print() {
	models, right, wrong := b.tally.Totals()
	fmt.Printf("\n%d incidents, %d models in them; diagnosed rightly: %.1f %% (goal 95 %%); wrong acts: %d (goal 0); %.1f s each\n\n",
		b.done, models, 100*float64(right)/float64(max(models, 1)), wrong, b.spent.Seconds()/float64(max(b.done, 1)))
	fmt.Print(b.tally.String())
}

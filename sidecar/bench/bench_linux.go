package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bench is what is to be measured, and the goals it was measured for.
type bench struct {
	parts, targets, upstreams []string
	wires                     []wire
	connections               []int
	rows, pacedRows           []int // of columns numbers, in a request
	rounds                    int
	length                    time.Duration // of one measurement of the ladder
	pacedFor, memoryFor       time.Duration

	begun time.Time
	out   io.Writer
	goals goals
}

// part is one of the things to measure.
type part struct {
	name string
	run  func(*bench, context.Context) error
}

func parts() []part {
	return []part{
		{"size", (*bench).size}, {"idle", (*bench).idle}, {"parsing", (*bench).parsing}, {"whylogs", (*bench).whylogs},
		{"paced", (*bench).paced}, {"ladder", (*bench).ladder}, {"memory", (*bench).memory},
	}
}

// flags reads what to measure from the command line.
func (b *bench) flags() {
	b.wires = []wire{http1, grpc}
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	words(&b.parts, "parts", names, "what to measure", names)
	words(&b.targets, "targets", usual(), "what stands in front of the upstream", possible())
	words(&b.upstreams, "upstream", []string{fast, "sleep:1ms"},
		"upstreams of the ladder: fast, sleep:TIME, or busy:TIME of its own processor", nil)
	integers(&b.connections, "connections", "1,32,256", "connections of the ladder")
	integers(&b.rows, "rows", "3,33,340,3400", "rows of 20 numbers in a request of the ladder: 0.4, 4, 40 and 400 KB of JSON")
	integers(&b.pacedRows, "paced-rows", "3,33", "the same at half of maximum load")
	flag.IntVar(&b.rounds, "rounds", 5, "rounds of every part; figures are their medians")
	flag.DurationVar(&b.length, "for", 200*time.Millisecond, "time of one measurement")
	flag.DurationVar(&b.pacedFor, "paced-for", 1500*time.Millisecond, "time of one measurement at half of maximum load")
	flag.DurationVar(&b.memoryFor, "memory", time.Minute, "time for which resident memory is watched")
}

// words is a flag with a list of words, with commas between them; known are those that there are, nil where any may be.
func words(list *[]string, name string, usual []string, usage string, known []string) {
	*list = usual
	if known != nil {
		usage += fmt.Sprintf(", of %s", strings.Join(known, ", "))
	}
	flag.Func(name, fmt.Sprintf("%s (default %s)", usage, strings.Join(usual, ",")), func(text string) error {
		*list = strings.Split(text, ",")
		for _, word := range *list {
			if known != nil && !slices.Contains(known, word) {
				return fmt.Errorf("there is no %q", word)
			}
		}
		return nil
	})
}

// integers is the same with numbers.
func integers(list *[]int, name, usual, usage string) {
	read := func(text string) error {
		*list = nil
		for word := range strings.SplitSeq(text, ",") {
			n, err := strconv.Atoi(word)
			if err != nil || n <= 0 {
				return fmt.Errorf("%q is no number above 0", word)
			}
			*list = append(*list, n)
		}
		return nil
	}
	read(usual)
	flag.Func(name, fmt.Sprintf("%s (default %s)", usage, usual), read)
}

// run measures part by part. What is interrupted, or fails, leaves what was measured before.
func (b *bench) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	b.begun = time.Now()
	debug.SetGCPercent(-1) // the load must not stop
	// An idle virtual processor that sleeps deeply takes longer to wake up than all proxies together.
	if f, err := os.OpenFile("/dev/cpu_dma_latency", os.O_WRONLY, 0); err == nil {
		f.Write(make([]byte, 4))
		defer f.Close()
	} else {
		fmt.Fprintln(b.out, "/dev/cpu_dma_latency cannot be held: latencies depend on how deeply processors sleep.")
	}
	var failed []error
	for _, p := range parts() {
		if !slices.Contains(b.parts, p.name) || ctx.Err() != nil {
			continue
		}
		if err := p.run(b, ctx); err != nil {
			fmt.Fprintf(b.out, "\n%s: not measured, or not wholly: %v\n", p.name, err)
			failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
		}
		debug.FreeOSMemory()
	}
	b.goals.print(b.out)
	b.progress("done")
	return errors.Join(failed...)
}

// inTurn does a round of tasks so many times as there are to be rounds, or until ctx ends.
func (b *bench) inTurn(ctx context.Context, name string, round func() error) error {
	for i := range b.rounds {
		b.progress("%s, round %d of %d", name, i+1, b.rounds)
		if err := errors.Join(round(), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// progress says on standard error what is being done.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: %6s  %s\n", time.Since(b.begun).Round(time.Second), fmt.Sprintf(format, args...))
}

// seconds is the time of one task of a worker.
func (b *bench) seconds() float64 { return b.length.Seconds() }

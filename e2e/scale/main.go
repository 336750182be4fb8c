// Command scale measures what Leeway's agents take at scale.
//
// The part "series": a generator plays the sidecars of a node, with what a real
// one has to say. A real node agent and a real controller take it, and beside
// them Prometheus as an agent and as a server, of the version in Leeway's go.mod,
// from the same sidecars, as often, with the same rules and the same GOGC. Two
// sizes make a slope: bytes a series.
//
// The part "pods": a real API server with the objects of a fleet, whose statuses
// are written as kubelets and controllers would, for there are none; a pair of
// real controllers, fed by remote write as the agents of the nodes do. It counts
// what the API server is asked, and the time from an alert to its decision, of one
// release that fails and of many at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// plan is what is measured.
type plan struct {
	parts     []string
	sizes     []int
	fill      time.Duration
	pods      []int
	models    int
	incidents int
	whole     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	p := plan{}
	parts := flag.String("parts", "series,pods", "some of them, with a comma between them")
	sizes := flag.String("series", "20000,80000", "series: sizes at which memory is measured")
	pods := flag.String("pods", "10,10000", "pods: sizes of the fleet")
	flag.DurationVar(&p.fill, "for", 140*time.Second, "series: how long they are scraped at each size")
	flag.IntVar(&p.models, "models", 500, "pods: models of a fleet, or as many as it has pods")
	flag.IntVar(&p.incidents, "incidents", 50, "pods: at once, or as many as there are models to spare")
	flag.BoolVar(&p.whole, "whole", false, "pods: send all series of a sidecar, not only those of the protocol that is spoken")
	flag.StringVar(&o.programs, "programs", "", "folder with leeway, leeway-agent, leeway-sidecar, prometheus and kube; empty: they are built")
	flag.DurationVar(&o.interval, "interval", 0, "between scrapes (default: series 5s, pods 15s)")
	flag.IntVar(&o.columns, "columns", 50, "of each model")
	flag.Parse()
	o.say = func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, time.Now().UTC().Format("15:04:05 ")+format+"\n", args...)
	}
	p.parts = strings.Split(*parts, ",")
	var err, err2 error
	p.sizes, err = numbers(*sizes)
	p.pods, err2 = numbers(*pods)
	if err := errors.Join(err, err2); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(2)
	}
	if err := run(ctx, os.Stdout, o, p); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func numbers(list string) (all []int, err error) {
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a number of things", word)
		}
		all = append(all, n)
	}
	return all, nil
}

func run(ctx context.Context, out io.Writer, o options, p plan) error {
	every := func(d time.Duration) options {
		o := o
		if o.interval == 0 {
			o.interval = d
		}
		return o
	}
	if slices.Contains(p.parts, "series") {
		var all []held
		for _, n := range p.sizes {
			h, err := holdSeries(ctx, every(5*time.Second), n, p.fill)
			if err != nil {
				return err
			}
			all = append(all, h)
		}
		printHeld(out, all)
	}
	if slices.Contains(p.parts, "pods") {
		var all []podsResult
		for _, n := range p.pods {
			r, err := runPods(ctx, every(15*time.Second), n, min(p.models, n), p.incidents, p.whole)
			if err != nil {
				return err
			}
			all = append(all, r)
		}
		printPods(out, all)
	}
	return nil
}

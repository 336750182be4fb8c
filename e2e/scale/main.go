// Command scale measures what Leeway's agents take at scale: memory for each
// series beside Prometheus on the same series.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sizes := flag.String("series", "20000,80000", "sizes at which memory is measured")
	fill := flag.Duration("for", 3*time.Minute, "how long series are scraped at each size")
	var o options
	flag.StringVar(&o.programs, "programs", "", "folder with leeway, leeway-agent, leeway-sidecar, prometheus and kube; empty: they are built")
	flag.DurationVar(&o.interval, "interval", 5*time.Second, "between scrapes")
	flag.IntVar(&o.columns, "columns", 50, "of each model")
	flag.Parse()
	o.say = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	if err := run(ctx, os.Stdout, o, *sizes, *fill); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o options, sizes string, fill time.Duration) error {
	var all []held
	for size := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return fmt.Errorf("-series: %w", err)
		}
		h, err := holdSeries(ctx, o, n, fill)
		if err != nil {
			return err
		}
		all = append(all, h)
	}
	printHeld(out, all)
	return nil
}

func printHeld(out io.Writer, all []held) {
	names := []string{nodeAgent, prometheusAgent, controller, prometheusServer}
	fmt.Fprintln(out, "| series | scrapes |", strings.Join(names, " | "), "|\n| --- | --- | --- | --- | --- | --- |")
	for _, h := range all {
		fmt.Fprintf(out, "| %d | %d |", h.series, h.scrapes)
		for _, n := range names {
			r := h.has[n]
			fmt.Fprintf(out, " %.0f, %.0f, %.0f MB (%.0f) |", r.resident/1e6, r.anonymous/1e6, r.live/1e6, h.inserver[n])
		}
		fmt.Fprintln(out)
	}
	if len(all) < 2 {
		return
	}
	least, most := all[0], all[len(all)-1]
	slope := func(name string, get func(reading) float64) float64 {
		return (get(most.has[name]) - get(least.has[name])) / float64(most.series-least.series)
	}
	for _, kind := range []struct {
		name string
		get  func(reading) float64
	}{
		{"resident", func(r reading) float64 { return r.resident }},
		{"resident, without mapped files", func(r reading) float64 { return r.anonymous }},
		{"live after a collection", func(r reading) float64 { return r.live }},
	} {
		fmt.Fprintf(out, "| bytes a series, %s | |", kind.name)
		for _, n := range names {
			fmt.Fprintf(out, " %.0f |", slope(n, kind.get))
		}
		fmt.Fprintf(out, " %.2f, %.2f\n", slope(nodeAgent, kind.get)/slope(prometheusAgent, kind.get), slope(controller, kind.get)/slope(prometheusServer, kind.get))
	}
}

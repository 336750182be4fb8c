package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

func printHeld(out io.Writer, all []held) {
	names := []string{nodeAgent, prometheusAgent, controller, prometheusServer}
	fmt.Fprintf(out, "GOGC=%d. Resident, without mapped files, live after a collection; in brackets the series that it says it has.\n\n", gogc)
	fmt.Fprintln(out, "| series | scrapes |", strings.Join(names, " | "), "|\n| --- | --- | --- | --- | --- | --- |")
	for _, h := range all {
		fmt.Fprintf(out, "| %d | %d |", h.series, h.scrapes)
		for _, n := range names {
			r := h.has[n]
			fmt.Fprintf(out, " %.0f, %.0f, %.0f MB", r.resident/1e6, r.anonymous/1e6, r.live/1e6)
			if n != nodeAgent {
				fmt.Fprintf(out, " (%.0f)", h.says[n])
			}
			fmt.Fprint(out, " |")
		}
		fmt.Fprintln(out)
	}
	if len(all) < 2 {
		return
	}
	fmt.Fprintln(out, "\n| bytes a series |", strings.Join(names, " | "), "| node agent ÷ Prometheus' | controller ÷ Prometheus |\n| --- | --- | --- | --- | --- | --- | --- |")
	for _, kind := range []struct {
		name string
		get  func(reading) float64
	}{
		{"resident", func(r reading) float64 { return r.resident }},
		{"without mapped files", func(r reading) float64 { return r.anonymous }},
		{"live after a collection", func(r reading) float64 { return r.live }},
	} {
		fmt.Fprintf(out, "| %s |", kind.name)
		for _, n := range names {
			fmt.Fprintf(out, " %.0f |", slope(all, n, kind.get))
		}
		fmt.Fprintf(out, " %.2f | %.2f |\n", slope(all, nodeAgent, kind.get)/slope(all, prometheusAgent, kind.get),
			slope(all, controller, kind.get)/slope(all, prometheusServer, kind.get))
	}
}

// slope is what a series more takes, between the first size and the last.
func slope(all []held, name string, get func(reading) float64) float64 {
	least, most := all[0], all[len(all)-1]
	return (get(most.has[name]) - get(least.has[name])) / float64(most.series-least.series)
}

func printPods(out io.Writer, all []podsResult) {
	fmt.Fprintln(out, "\n| pods, models, series of a pod | series held | resident, each at most | live | calls a minute, samples | the same at four times | one incident | at once | most acting, limit |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, r := range all {
		fmt.Fprintf(out, "| %d, %d, %d | %.0f | %.0f, %.0f MB | %.0f, %.0f MB | %.0f, %.0f | %.0f, %.0f | %s | %d: %s | %d, %d |\n",
			r.pods, r.models, r.series, r.held, r.resident[0]/1e6, r.resident[1]/1e6, r.live[0]/1e6, r.live[1]/1e6,
			r.callsOnce.sum()-r.idle.sum(), r.samplesOnce, r.callsFour.sum()-r.idle.sum(), r.samplesFour,
			spread(r.single.latencies), len(r.together.latencies), spread(r.together.latencies), r.together.acting, r.limit)
	}
}

// spread is median and most of times that are in order.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f, %.1f s", all[len(all)/2].Seconds(), all[len(all)-1].Seconds())
}

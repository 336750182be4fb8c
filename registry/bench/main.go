// Command bench measures how well versions are chosen by what the data looks
// like: a study on flights, rented bikes and two standard generators of drift,
// with versions trained, profiled and compared in the run.
//
// Each stream is cut into blocks (months). A version is trained on part of a
// block, and is judged on other rows of every block. For a window of rows without
// labels every rule names a version; its regret is its error on the rows that
// follow, over that of the best candidate.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	flights := flag.String("flights", "registry/profile/testdata/flights-8000-per-month.csv.gz", "`FILE` with the flights")
	folder := flag.String("data", "registry/bench/data", "`FOLDER` with the other data")
	only := flag.String("streams", "flights,bikes,hyperplane,sea", "streams to study, with commas between them")
	parts := flag.String("parts", "fits,ceiling,regret", "what to measure")
	flag.Parse()
	if err := run(*flights, *folder, strings.Split(*only, ","), strings.Split(*parts, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench-match:", err)
		os.Exit(1)
	}
}

func run(flights, folder string, only, parts []string) error {
	began := time.Now()
	var g goals
	for _, name := range only {
		for _, part := range []struct {
			name   string
			blocks int
			do     func(*stream) error
		}{
			{"fits", fitBlocks, func(s *stream) error { return fits(os.Stdout, s, &g) }},
			{"ceiling", fitBlocks, func(s *stream) error { return ceiling(os.Stdout, s) }},
			{"regret", regretBlocks, func(s *stream) error { return study(os.Stdout, s, &g) }},
		} {
			if !slices.Contains(parts, part.name) {
				continue
			}
			s, err := load(name, flights, folder, part.blocks)
			if err == nil {
				err = part.do(s)
			}
			if err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "%s: %s since the start\n", name, time.Since(began).Round(time.Second))
	}
	g.print(os.Stdout)
	return nil
}

// How many blocks the generators make: tolerances for 30 days take versions
// trained on eight months of a regime.
const (
	fitBlocks    = 64
	regretBlocks = 24
)

func load(name, flights, folder string, blocks int) (*stream, error) {
	switch name {
	case "flights":
		return loadFlights(flights, folder+"/delays.csv.gz")
	case "bikes":
		return loadBikes(folder + "/bikes.csv.gz")
	case "hyperplane":
		return hyperplane(blocks), nil
	case "sea":
		return sea(blocks), nil
	}
	return nil, fmt.Errorf("there is no stream %q", name)
}

// Bench-match measures how well versions are chosen by what the data looks
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
	parts := flag.String("parts", "fits,regret", "what to measure")
	flag.Parse()
	if err := run(*flights, *folder, strings.Split(*only, ","), strings.Split(*parts, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench-match:", err)
		os.Exit(1)
	}
}

func run(flights, folder string, only, parts []string) error {
	began := time.Now()
	for _, s := range []struct {
		name string
		load func() (*stream, error)
	}{
		{"flights", func() (*stream, error) { return loadFlights(flights, folder+"/delays.csv.gz") }},
		{"bikes", func() (*stream, error) { return loadBikes(folder + "/bikes.csv.gz") }},
		{"hyperplane", hyperplane},
		{"sea", sea},
	} {
		if !slices.Contains(only, s.name) {
			continue
		}
		stream, err := s.load()
		if err != nil {
			return err
		}
		if slices.Contains(parts, "regret") {
			if err := study(os.Stdout, stream); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "%s: %s since the start\n", s.name, time.Since(began).Round(time.Second))
	}
	return nil
}

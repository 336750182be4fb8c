package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/registry/dataset"
)

// regimes are two months of a real stream, and a column that differs.
type regimes struct {
	stream, column, from, to string
	kind                     string
}

// realChanges are the changes of real streams: what the weather does in New York
// at departures of 2013, in Washington in the hours of 2011 and 2012, and the air
// in London in those of 2001.
func realChanges(ctx context.Context, root string) ([]change, error) {
	air, err := airFile(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "air takes no part: %v\n", err)
	}
	byDate := func(get func(string) string) string { return get("date")[:len("2011-01")] }
	byMonth := func(get func(string) string) string { return get("month") }
	var out []change
	for _, s := range []struct {
		path  string
		month func(func(string) string) string
		list  []regimes
	}{
		{filepath.Join(root, flightsFile), byMonth, []regimes{
			{"flights", "humid", "1", "2", number}, {"flights", "wind_speed", "1", "7", number},
		}},
		{filepath.Join(root, bikesFile), byDate, []regimes{
			{"bikes", "humidity", "2012-01", "2012-07", number}, {"bikes", "weather", "2012-01", "2012-07", category},
		}},
		{air, byDate, []regimes{
			{"air", "no2", "2001-04", "2001-07", number}, {"air", "ws", "2001-04", "2001-05", number},
		}},
	} {
		if s.path == "" {
			continue
		}
		for _, g := range s.list {
			months, err := monthly(s.path, s.month, g.column, g.kind)
			if err != nil {
				return nil, err
			}
			c, err := g.change(months)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// monthly reads a column of a real stream by the month that a cell tells.
// Categories get numbers in the order in which they come; missing numbers are
// left out.
func monthly(path string, key func(get func(string) string) string, column, kind string) (map[string][]float64, error) {
	codes := map[string]int{}
	out := map[string][]float64{}
	err := dataset.EachRow(path, nil, func(get func(string) string) error {
		cell := get(column)
		if kind == category {
			if cell == "" {
				return nil
			}
			if _, ok := codes[cell]; !ok {
				codes[strings.Clone(cell)] = len(codes)
			}
			out[key(get)] = append(out[key(get)], float64(codes[cell]))
			return nil
		}
		if cell == "" || cell == "NA" {
			return nil
		}
		x, err := strconv.ParseFloat(cell, 64)
		out[key(get)] = append(out[key(get)], x)
		return err
	})
	return out, err
}

// change draws rows of one month, and then of another, in any order: the change
// is real, the time of day and the weather of a day are left out, so that all
// detectors have the independent rows that their thresholds are for.
func (g regimes) change(months map[string][]float64) (change, error) {
	before, after := months[g.from], months[g.to]
	if len(before) == 0 || len(after) == 0 {
		return change{}, fmt.Errorf("%s: no rows of %s in %s or %s", g.stream, g.column, g.from, g.to)
	}
	c := &calm{name: g.stream + " " + g.column + " " + g.from, real: true, kind: g.kind, value: func(r *rand.Rand) float64 { return before[r.IntN(len(before))] }}
	return change{
		name: fmt.Sprintf("%s: %s, %s to %s", g.stream, g.column, g.from, g.to), calm: c,
		value: func(r *rand.Rand, _ int) float64 { return after[r.IntN(len(after))] },
	}, nil
}

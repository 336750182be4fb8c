package main

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// Real streams in the sources.
const (
	bikesFile   = "registry/bench/data/bikes.csv.gz"
	flightsFile = "registry/profile/testdata/flights-8000-per-month.csv.gz"
)

// recorded is a real stream of rows in order of time.
type recorded struct {
	name    string
	columns []string
	rows    []observation
}

// observation are rows that were alike, spread evenly over some time.
type observation struct {
	at    time.Time
	rows  int
	over  time.Duration
	cells []string
}

// days is how long the stream is.
func (s *recorded) days() int {
	return int(s.rows[len(s.rows)-1].at.Sub(s.rows[0].at)/day) + 1
}

const day = 24 * time.Hour

// loadBikes reads the hourly rentals of two years: each is a row.
func loadBikes(path string) (*recorded, error) {
	s := &recorded{name: "bikes", columns: []string{"hour", "temp", "felt", "humidity", "wind", "weekday", "workingday", "holiday", "weather"}}
	return s, s.read(path, func(get func(string) string) (observation, error) {
		at, err := time.Parse(time.DateOnly, get("date"))
		hour, err2 := strconv.Atoi(get("hour"))
		rentals, err3 := strconv.Atoi(get("rentals"))
		return observation{at: at.Add(time.Duration(hour) * time.Hour), rows: rentals, over: time.Hour}, errors.Join(err, err2, err3)
	})
}

// loadFlights reads flights of 2013 with the weather at departure.
func loadFlights(path string) (*recorded, error) {
	s := &recorded{name: "flights", columns: []string{
		"sched_dep_min", "distance", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib", "origin", "dest", "carrier",
	}}
	return s, s.read(path, func(get func(string) string) (observation, error) {
		month, err := strconv.Atoi(get("month"))
		day, err2 := strconv.Atoi(get("day"))
		minute, err3 := strconv.Atoi(get("sched_dep_min"))
		return observation{at: time.Date(2013, time.Month(month), day, 0, minute, 0, 0, time.UTC), rows: 1}, errors.Join(err, err2, err3)
	})
}

// loadOther reads a stream as streams.py writes it.
func loadOther(path string) (*recorded, error) {
	s := &recorded{name: strings.TrimSuffix(filepath.Base(path), streamSuffix)}
	return s, s.read(path, func(get func(string) string) (observation, error) {
		at, err := time.Parse(time.RFC3339, get("time"))
		o := observation{at: at, rows: 1}
		if n := get("rows"); err == nil && n != "" {
			o.rows, err = strconv.Atoi(n)
		}
		if n := get("seconds"); err == nil && n != "" {
			var seconds int
			seconds, err = strconv.Atoi(n)
			o.over = time.Duration(seconds) * time.Second
		}
		return o, err
	})
}

const streamSuffix = ".csv.gz"

// read reads a CSV file; line makes an observation of a line, but for its cells.
// Without a list of columns there are all but those of an observation.
func (s *recorded) read(path string, line func(get func(string) string) (observation, error)) error {
	head := func(header []string) error {
		if s.columns == nil {
			s.columns = slices.DeleteFunc(slices.Clone(header), func(name string) bool {
				return slices.Contains([]string{"time", "rows", "seconds"}, name)
			})
		}
		for _, name := range s.columns {
			if !slices.Contains(header, name) {
				return fmt.Errorf("no column %s", name)
			}
		}
		return nil
	}
	err := dataset.EachRow(path, head, func(get func(string) string) error {
		o, err := line(get)
		for _, name := range s.columns {
			o.cells = append(o.cells, get(name))
		}
		s.rows = append(s.rows, o)
		return err
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(s.rows, func(a, b observation) int { return a.at.Compare(b.at) })
	if len(s.rows) == 0 {
		return fmt.Errorf("%s: no rows", path)
	}
	return nil
}

// profile describes rows as leeway profile --time does.
func (s *recorded) profile(rows []observation) (*profile.Profile, error) {
	var text bytes.Buffer
	text.WriteString("time," + strings.Join(s.columns, ",") + "\n")
	for _, o := range rows {
		rest := "," + strings.Join(o.cells, ",") + "\n"
		for k := range o.rows {
			text.WriteString(strconv.FormatInt(o.time(k).UnixMilli(), 10))
			text.WriteString(rest)
		}
	}
	p, _, err := dataset.FromCSV(s.name, &text, dataset.Options{Time: "time"})
	return p, err
}

// time of the k-th of the rows.
func (o observation) time(k int) time.Time {
	return o.at.Add(o.over * time.Duration(k) / time.Duration(o.rows))
}

// bins finds the bins of a column's rows, from a time on.
func bins(c profile.Column, at int, rows []observation, begin time.Time) (simulate.Rows, error) {
	var out simulate.Rows
	binner, err := profile.NewBinner(c)
	if err != nil {
		return out, err
	}
	for _, o := range rows {
		bin := binner.Missing()
		switch cell := o.cells[at]; {
		case profile.IsMissing(cell):
		case c.Type == profile.Number:
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				return out, fmt.Errorf("column %s at %s: %w", c.Name, o.at, err)
			}
			bin = binner.Number(v)
		default:
			bin = binner.Category(cell)
		}
		for k := range o.rows {
			out.At, out.Bin = append(out.At, o.time(k).Sub(begin)), append(out.Bin, uint8(bin))
		}
	}
	return out, nil
}

// loadStreams reads those of the repository, and all that are in a folder.
func loadStreams(root, folder string) ([]*recorded, error) {
	var out []*recorded
	add := func(s *recorded, err error) error {
		out = append(slices.DeleteFunc(out, func(o *recorded) bool { return o.name == s.name }), s)
		return err
	}
	if err := errors.Join(
		add(loadBikes(filepath.Join(root, bikesFile))),
		add(loadFlights(filepath.Join(root, flightsFile))),
	); err != nil || folder == "" {
		return out, err
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*"+streamSuffix))
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%s: no *%s; rules/bench/streams.py writes some", folder, streamSuffix)
	}
	for _, path := range paths {
		err = errors.Join(err, add(loadOther(path)))
	}
	return out, err
}

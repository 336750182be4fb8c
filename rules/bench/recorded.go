package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/rules/simulate"
)

// recorded is a real stream of rows in order of time.
type recorded struct {
	name    string
	columns []string
	types   map[string]profile.Type
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
	s := &recorded{name: "bikes", types: map[string]profile.Type{}}
	for _, name := range []string{"hour", "temp", "felt", "humidity", "wind"} {
		s.types[name] = profile.Number
	}
	for _, name := range []string{"weekday", "workingday", "holiday", "weather"} {
		s.types[name] = profile.Category
	}
	return s, s.read(path, func(get func(string) string) (time.Time, int, time.Duration, error) {
		at, err := time.Parse(time.DateOnly, get("date"))
		hour, err2 := strconv.Atoi(get("hour"))
		rentals, err3 := strconv.Atoi(get("rentals"))
		return at.Add(time.Duration(hour) * time.Hour), rentals, time.Hour, errors.Join(err, err2, err3)
	})
}

// loadFlights reads flights of 2013 with the weather at departure.
func loadFlights(path string) (*recorded, error) {
	s := &recorded{name: "flights", types: map[string]profile.Type{}}
	for _, name := range []string{"sched_dep_min", "distance", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"} {
		s.types[name] = profile.Number
	}
	for _, name := range []string{"origin", "dest", "carrier"} {
		s.types[name] = profile.Category
	}
	return s, s.read(path, func(get func(string) string) (time.Time, int, time.Duration, error) {
		month, err := strconv.Atoi(get("month"))
		day, err2 := strconv.Atoi(get("day"))
		minute, err3 := strconv.Atoi(get("sched_dep_min"))
		return time.Date(2013, time.Month(month), day, 0, minute, 0, 0, time.UTC), 1, 0, errors.Join(err, err2, err3)
	})
}

// read reads a CSV file; when says the time of a line, how many rows it stands
// for, and over what time.
func (s *recorded) read(path string, when func(get func(string) string) (time.Time, int, time.Duration, error)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in, done, err := dataset.Unpack(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer done()
	r := csv.NewReader(in)
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	at := map[string]int{}
	for i, name := range header {
		at[name] = i
		if s.types[name] != "" {
			s.columns = append(s.columns, name)
		}
	}
	if len(s.columns) != len(s.types) {
		return fmt.Errorf("%s: has %d of %d columns", path, len(s.columns), len(s.types))
	}
	for line := 2; ; line++ {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		o := observation{}
		if err == nil {
			o.at, o.rows, o.over, err = when(func(name string) string { return record[at[name]] })
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
		for _, name := range s.columns {
			o.cells = append(o.cells, record[at[name]])
		}
		s.rows = append(s.rows, o)
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
	p, _, err := dataset.FromCSV(s.name, &text, dataset.Options{Types: s.types, Time: "time"})
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

// loadStreams reads those that are named.
func loadStreams(names, folder string) ([]*recorded, error) {
	var out []*recorded
	for _, name := range strings.Split(names, ",") {
		var s *recorded
		var err error
		switch name {
		case "bikes":
			s, err = loadBikes(filepath.Join(folder, "registry/bench/data/bikes.csv.gz"))
		case "flights":
			s, err = loadFlights(filepath.Join(folder, "registry/profile/testdata/flights-8000-per-month.csv.gz"))
		default:
			err = fmt.Errorf("there is no stream %q", name)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

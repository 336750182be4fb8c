// Package data holds the flights that left New York in 2013, and splits them
// the way the example needs: into seasons, and into rows to train on and rows
// that no model has seen.
package data

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
)

//go:embed flights.csv.gz
var archive []byte

// Columns of a flight, in the order in which they are written.
var (
	Numbers    = []string{"sched_dep_min", "distance", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"}
	Categories = []string{"origin", "dest", "carrier"}
	Label      = "air_time"
)

// Flight is one row. Missing numbers are NaN, missing categories empty.
type Flight struct {
	Month      int
	Numbers    [9]float64 // as in Numbers
	Categories [3]string  // as in Categories
	AirTime    float64    // minutes
}

// Season is a set of months of 2013.
type Season []int

// The seasons of the example. December is alone: it is what the future brings.
var (
	Winter   = Season{1, 2}
	Summer   = Season{6, 7, 8}
	Autumn   = Season{9, 10}
	December = Season{12}
)

// Load returns all flights whose weather is known, in order of time.
func Load() ([]Flight, error) {
	unzip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("flights: %w", err)
	}
	rows := csv.NewReader(unzip)
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("flights: %w", err)
	}
	header = slices.Clone(header)
	rows.ReuseRecord = true
	var flights []Flight
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return flights, nil
		}
		if err != nil {
			return nil, fmt.Errorf("flights: %w", err)
		}
		if slices.Contains(row, "") {
			continue
		}
		f, err := parse(header, row)
		if err != nil {
			return nil, err
		}
		flights = append(flights, f)
	}
}

func parse(header, row []string) (f Flight, err error) {
	for i, name := range header {
		if c := slices.Index(Categories, name); c >= 0 {
			f.Categories[c] = row[i]
			continue
		}
		x, err := strconv.ParseFloat(row[i], 64)
		if err != nil {
			return f, fmt.Errorf("flights: column %s: %w", name, err)
		}
		switch n := slices.Index(Numbers, name); {
		case n >= 0:
			f.Numbers[n] = x
		case name == "month":
			f.Month = int(x)
		case name == Label:
			f.AirTime = x
		}
	}
	return f, nil
}

// Split returns a season's flights in two shuffled parts: four fifths to train
// on, and every fifth row, which is held out. The same seed gives the same order.
func (s Season) Split(flights []Flight, seed uint64) (train, held []Flight) {
	n := 0
	for _, f := range flights {
		if !slices.Contains(s, f.Month) {
			continue
		}
		if n++; n%5 == 0 {
			held = append(held, f)
		} else {
			train = append(train, f)
		}
	}
	for _, part := range [][]Flight{train, held} {
		r := rand.New(rand.NewPCG(seed, 2013))
		r.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
	}
	return train, held
}

// Header names the columns that WriteCSV writes, without extra.
func Header(extra ...string) []string {
	return append(append(slices.Concat(Numbers, Categories), Label), extra...)
}

// Record is a flight as WriteCSV writes it.
func (f Flight) Record() []string {
	record := make([]string, 0, len(Numbers)+len(Categories)+2)
	for _, x := range f.Numbers {
		record = append(record, strconv.FormatFloat(x, 'g', -1, 64))
	}
	record = append(record, f.Categories[:]...)
	return append(record, strconv.FormatFloat(f.AirTime, 'g', -1, 64))
}

// WriteCSV writes flights with a header.
func WriteCSV(w io.Writer, flights []Flight) error {
	out := csv.NewWriter(w)
	if err := out.Write(Header()); err != nil {
		return err
	}
	for _, f := range flights {
		if err := out.Write(f.Record()); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// ReadCSV reads what WriteCSV wrote.
func ReadCSV(r io.Reader) ([]Flight, error) {
	rows := csv.NewReader(r)
	header, err := rows.Read()
	if err != nil {
		return nil, err
	}
	if !slices.Equal(header, Header()) {
		return nil, fmt.Errorf("columns are %q, want %q", header, Header())
	}
	var flights []Flight
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return flights, nil
		}
		if err != nil {
			return nil, err
		}
		f, err := parse(header, row)
		if err != nil {
			return nil, err
		}
		flights = append(flights, f)
	}
}

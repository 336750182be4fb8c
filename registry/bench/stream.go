package main

import (
	"bytes"
	"encoding/csv"
	"math"
	"strconv"
	"time"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// stream is rows in order of time, cut into blocks.
type stream struct {
	name    string
	columns []column
	targets []target
	rows    []row
	blocks  int
	// regimes of the blocks, where they are known.
	regimes []int
	// shuffled is how many rows a window of shuffled rows has.
	shuffled int
}

type column struct {
	name       string
	categories []string // nil: numbers
}

type target struct {
	name string
	loss loss
}

// row is one row. A category is the index of its name; NaN is missing.
type row struct {
	block, day int // of the block, from 0
	at         time.Time
	x, y       []float64
}

// describe makes the profile of some rows.
func (s *stream) describe(rows []row) (*profile.Profile, error) {
	var text bytes.Buffer
	out := csv.NewWriter(&text)
	record := make([]string, len(s.columns))
	types := map[string]profile.Type{}
	for i, c := range s.columns {
		record[i] = c.name
		if types[c.name] = profile.Number; c.categories != nil {
			types[c.name] = profile.Category
		}
	}
	out.Write(record) // writes to memory do not fail
	for _, r := range rows {
		for i, c := range s.columns {
			switch x := r.x[i]; {
			case math.IsNaN(x):
				record[i] = ""
			case c.categories != nil:
				record[i] = c.categories[int(x)]
			default:
				record[i] = strconv.FormatFloat(x, 'g', -1, 64)
			}
		}
		out.Write(record)
	}
	out.Flush()
	p, _, err := dataset.FromCSV(s.name, &text, dataset.Options{Types: types})
	return p, err
}

// coder gives categories their numbers.
type coder struct {
	s  *stream
	at []map[string]int
}

func newCoder(s *stream) *coder {
	c := &coder{s: s}
	for range s.columns {
		c.at = append(c.at, map[string]int{})
	}
	return c
}

// value of a cell: a number, or the index of a category; NaN for neither.
func (c *coder) value(i int, cell string) float64 {
	if cell == "" {
		return math.NaN()
	}
	if c.s.columns[i].categories == nil {
		x, err := strconv.ParseFloat(cell, 64)
		if err != nil {
			return math.NaN()
		}
		return x
	}
	k, ok := c.at[i][cell]
	if !ok {
		k = len(c.at[i])
		name := string([]byte(cell))
		c.at[i][name] = k
		c.s.columns[i].categories = append(c.s.columns[i].categories, name)
	}
	return float64(k)
}

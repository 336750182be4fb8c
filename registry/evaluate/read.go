package evaluate

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a file.
const (
	MaxRows     = 10_000_000
	MaxVersions = 256
	MaxDatasets = 256
	maxCell     = 1024 // bytes
)

// ErrFile says that a file can't be used; the message says the line.
var ErrFile = errors.New("not a file of predictions")

// Set is what was measured on one data set.
type Set struct {
	// Dataset is its name, "" where the file has no column for it.
	Dataset string
	Rows    int64
	// From and To are zero where the file has no column of times.
	From, To time.Time
	// Scores of the versions, in the order of the file's columns.
	Scores []Score
}

// Score is what one version showed.
type Score struct {
	// Version is a number, 0 for the version that is being registered.
	Version int64
	// Metrics by name: mae and rmse of numbers, log_loss and error of
	// probabilities, error of classes. Lower is better.
	Metrics []Metric
}

// Metric is one number.
type Metric struct {
	Name  string
	Value float64
}

// Columns with a meaning of their own.
const (
	actualColumn  = "actual"
	datasetColumn = "dataset"
	timeColumn    = "time"
	selfColumn    = "self"
)

// Read measures the versions of a file; name is the file's for errors. Data sets
// come in the order of their first rows.
func Read(name string, r io.Reader) ([]Set, error) {
	f := reader{in: csv.NewReader(r), at: map[string]int{}}
	f.in.ReuseRecord = true
	sets, err := f.read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return sets, nil
}

type reader struct {
	in                    *csv.Reader
	actual, dataset, time int // columns, -1 for none
	versions              []column
	sets                  []*tally
	at                    map[string]int
	rows                  int

	losses  bool  // the columns hold losses, and there is no truth
	against int64 // that others are compared with, 0: none
	block   int64
	now     []losses             // of this row, by column
	pairs   [][kinds]differences // likewise
}

type column struct {
	index   int
	name    string
	version int64
}

func (f *reader) read() ([]Set, error) {
	header, err := f.in.Read()
	if err != nil {
		return nil, fmt.Errorf("%w: the header: %w", ErrFile, err)
	}
	if err := f.header(header); err != nil {
		return nil, fmt.Errorf("%w: line 1: %w", ErrFile, err)
	}
	for {
		row, err := f.in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			if f.rows++; f.rows > MaxRows {
				return nil, fmt.Errorf("%w: more than %d rows", ErrFile, MaxRows)
			}
			err = f.row(row)
			if err != nil {
				line, _ := f.in.FieldPos(0)
				err = fmt.Errorf("line %d: %w", line, err)
			}
		}
		if err != nil { // one of encoding/csv's says the line itself
			return nil, fmt.Errorf("%w: %w", ErrFile, err)
		}
	}
	if len(f.sets) == 0 {
		return nil, fmt.Errorf("%w: no rows", ErrFile)
	}
	return f.measured(), nil
}

func (f *reader) header(names []string) error {
	f.actual, f.dataset, f.time = slices.Index(names, actualColumn), slices.Index(names, datasetColumn), slices.Index(names, timeColumn)
	switch {
	case f.losses && f.actual >= 0:
		return fmt.Errorf("there is a column %q, and the others should hold losses", actualColumn)
	case !f.losses && f.actual < 0:
		return fmt.Errorf("there is no column %q", actualColumn)
	}
	seen := map[int64]bool{}
	for i, name := range names {
		if i == f.actual || i == f.dataset || i == f.time {
			continue
		}
		c := column{index: i, name: strings.Clone(name)}
		if name != selfColumn {
			n, err := strconv.ParseInt(strings.TrimPrefix(name, "v"), 10, 64)
			if err != nil || n < 1 {
				return fmt.Errorf("column %.40q is none of %s, %s, %s, %s and a version's number", name, actualColumn, datasetColumn, timeColumn, selfColumn)
			}
			c.version = n
		}
		if seen[c.version] {
			return fmt.Errorf("column %q is there twice", name)
		}
		seen[c.version] = true
		f.versions = append(f.versions, c)
	}
	switch {
	case len(f.versions) == 0:
		return fmt.Errorf("there is no column with predictions: name one %s or after a version", selfColumn)
	case len(f.versions) > MaxVersions:
		return fmt.Errorf("%d versions, at most %d are allowed", len(f.versions), MaxVersions)
	}
	f.now = make([]losses, len(f.versions))
	return nil
}

func (f *reader) row(row []string) error {
	for _, cell := range row {
		if len(cell) > maxCell {
			return fmt.Errorf("a cell has %d bytes, at most %d are allowed", len(cell), maxCell)
		}
	}
	set, err := f.set(row)
	if err != nil {
		return err
	}
	if err := set.add(f, row); err != nil {
		return err
	}
	if f.time < 0 {
		return nil
	}
	t, err := parseTime(row[f.time])
	if err != nil {
		return err
	}
	set.span(t)
	return nil
}

func (f *reader) set(row []string) (*tally, error) {
	name := ""
	if f.dataset >= 0 {
		if name = row[f.dataset]; name == "" {
			return nil, errors.New("the data set has no name")
		}
	}
	i, ok := f.at[name]
	if !ok {
		if len(f.sets) == MaxDatasets {
			return nil, fmt.Errorf("more than %d data sets", MaxDatasets)
		}
		i = len(f.sets)
		name = strings.Clone(name)
		f.at[name] = i
		f.sets = append(f.sets, &tally{name: name, of: make([]errorsOf, len(f.versions))})
	}
	return f.sets[i], nil
}

func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %.40q: write a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z", s)
}

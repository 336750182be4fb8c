package dataset

import (
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/leeway-dev/leeway/registry/profile"
)

// Options say how rows are read. The zero value reads all columns as features.
type Options struct {
	// Label is the column with the truth, left out; "" for none. Where there are
	// predictions it says how far these are off.
	Label string
	// Predictions are the columns with the model's answers: one, or one for
	// each output or class.
	Predictions []string
	// Ignore lists further columns to leave out.
	Ignore []string
	// Time is the column with the time of a row, left out; "" for none.
	Time string
	// Types of columns where the inferred one is wrong. By default a column is
	// a number when every value of it is a finite number.
	Types map[string]profile.Type
	// Redact lists columns of categories whose names are kept as hashes only.
	Redact []string
	// Importance of features to the model: finite, not negative. That of a column
	// of vectors is divided equally among the columns that describe it.
	Importance map[string]float64
	// MaxBadRatio is the share of rows that may be bad; 0 is 1%, negative none.
	MaxBadRatio float64
	// Workers that read at a time; 0 is as many as there are processors.
	Workers int
	// TempDir is where temporary files go; "" is the system's folder for them.
	TempDir string
	// Progress, if any, is told how many bytes of how many were read in how many
	// passes. It is called by one goroutine at a time.
	Progress func(Progress)

	limits limits
}

// Progress of reading.
type Progress struct {
	Pass        int // from 1
	Bytes, Size int64
}

// limits of memory, in bytes and numbers of values.
type limits struct {
	chunk      int   // text of a chunk
	record     int   // longest record of text
	held       int64 // bytes of numbers in memory, of all columns
	distinct   int   // values of a column that are counted one by one
	categories int64 // bytes of categories in memory, of all columns and workers
	sorted     int   // values of a column that is sorted as a whole
	collected  int   // values of a selection that are sorted at a time
	buckets    int   // of a selection
}

func (o Options) withDefaults() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.limits == (limits{}) {
		o.limits = limits{
			chunk: 256 << 10, record: 16 << 20, held: 32 << 20, distinct: 2048, categories: 24 << 20, sorted: 1 << 20, collected: 1 << 19, buckets: 1 << 19,
		}
	}
	return o
}

// check finds what no input could make sense of.
func (o Options) check() error {
	for name, typ := range o.Types {
		if typ != profile.Number && typ != profile.Category {
			return fmt.Errorf("column %q: type %q, want %q or %q", name, typ, profile.Number, profile.Category)
		}
	}
	for name, v := range o.Importance {
		if !(v >= 0 && v <= math.MaxFloat64) {
			return fmt.Errorf("column %q: importance %v, want a number of at least 0", name, v)
		}
		if name == o.Time || name == o.Label || slices.Contains(o.Predictions, name) || slices.Contains(o.Ignore, name) {
			return fmt.Errorf("column %q: has an importance, but is no feature", name)
		}
	}
	if o.Time != "" && (o.Time == o.Label || slices.Contains(o.Predictions, o.Time)) {
		return fmt.Errorf("column %q: is the time, and something else", o.Time)
	}
	return nil
}

// Report says what became of the rows.
type Report struct {
	Rows int64 // good rows, header not counted
	Bad  int64 // rows left out
	// BadRows are the first bad rows, at most 20.
	BadRows []BadRow
}

// BadRow is a row that could not be read.
type BadRow struct {
	File   string
	At     string // "line 3", header included, or "row 17" where there are no lines
	Reason string

	file int // its index
	at   int64
}

const maxBadRows = 20

// tolerable says whether enough of the rows could be read.
func (r Report) tolerable(maxRatio float64) error {
	if maxRatio == 0 {
		maxRatio = 0.01
	}
	maxRatio = max(maxRatio, 0)
	all := r.Rows + r.Bad
	if r.Bad == 0 || float64(r.Bad)/float64(all) <= maxRatio {
		return nil
	}
	first := r.BadRows[0]
	return fmt.Errorf("%s: %s: %s; %d of %d rows are bad, more than %.3g%%", first.File, first.At, first.Reason, r.Bad, all, 100*maxRatio)
}

// add counts bad rows and remembers the first ones, in the order of the input.
func (r *Report) add(list ...BadRow) {
	r.BadRows = append(r.BadRows, list...)
	if len(r.BadRows) > 2*maxBadRows {
		r.trim()
	}
}

func (r *Report) trim() {
	slices.SortStableFunc(r.BadRows, func(a, b BadRow) int {
		if a.file != b.file {
			return a.file - b.file
		}
		return int(min(max(a.at-b.at, -1), 1))
	})
	if len(r.BadRows) > maxBadRows {
		r.BadRows = r.BadRows[:maxBadRows:maxBadRows]
	}
}

// clip shortens text from outside for an error.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

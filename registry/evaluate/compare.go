package evaluate

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
)

// Options of a comparison.
type Options struct {
	// Against is the version that the others are compared with: the one in service.
	Against int64
	// Losses says that columns hold what each row cost a version, the less the better,
	// and not what was predicted. There is no column "actual" then.
	Losses bool
	// Block is how many rows in a row make one block, 0 for as many as fit.
	Block int64
}

// Comparison is what versions showed on the same rows.
type Comparison struct {
	Rows int64
	// Loss is what was measured by: mae, log_loss, error or loss.
	Loss string
	// Live is the mean loss of the version compared with.
	Live     float64
	Versions []Compared
}

// Compared is one version.
type Compared struct {
	Version int64
	// Mean loss, and by how much less it is: the mean over the rows of the difference on
	// each, with its standard error.
	Mean, Gain, StandardError float64
}

// minBlocks are the fewest that a standard error is read from where the caller says
// how long they are.
const minBlocks = 10

// Compare measures the versions of a file beside one of them, row by row. Differences
// of one row's losses vary far less than the losses: what is hard for one version is
// hard for the other.
//
// Rows near each other in time are alike, so as many of them say less than as many
// independent ones. The standard error is therefore the larger of two: that of
// independent rows, and that of the means of blocks of rows in the order of the file
// (batch means), of which there are 20 to 40, or as many as Options.Block makes. A
// file in the order of time tells what is so; one that was shuffled hides it.
func Compare(name string, r io.Reader, o Options) (Comparison, error) {
	f := reader{in: csv.NewReader(r), at: map[string]int{}, losses: o.Losses, against: o.Against, block: o.Block}
	f.in.ReuseRecord = true
	_, err := f.read()
	var c Comparison
	if err == nil {
		c, err = f.compared()
	}
	if err != nil {
		return Comparison{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// The kinds of losses, of which the whole file says which it is.
const (
	absolute = iota
	logLoss
	wrong
	kinds
)

// losses of one row by each kind.
type losses [kinds]float64

// compared is the outcome, by the kind that fits all of the file.
func (f *reader) compared() (c Comparison, err error) {
	if len(f.sets) > 1 {
		return c, fmt.Errorf("%w: rows of %d data sets, and versions are compared on one", ErrFile, len(f.sets))
	}
	t := f.sets[0]
	live := f.live()
	if live < 0 || t.of[live].rows == 0 {
		return c, fmt.Errorf("%w: it has no predictions of version %d, which the others are compared with", ErrFile, f.against)
	}
	if t.rows < 2 {
		return c, fmt.Errorf("%w: one row is nothing to compare by", ErrFile)
	}
	kind, name := f.kind()
	c = Comparison{Rows: t.rows, Loss: name, Live: t.of[live].sum(kind) / float64(t.rows)}
	if math.IsNaN(c.Live) || math.IsInf(c.Live, 0) {
		return c, fmt.Errorf("%w: losses of version %d are too large to add up", ErrFile, f.against)
	}
	for i, v := range f.versions {
		e := &t.of[i]
		if i == live || v.version == 0 || e.rows == 0 {
			continue
		}
		d := &f.pairs[i][kind]
		se, ok := d.standardError()
		if !ok {
			return c, fmt.Errorf("%w: %d rows make fewer than %d blocks of %d: give shorter ones, or more rows", ErrFile, t.rows, minBlocks, f.block)
		}
		x := Compared{Version: v.version, Mean: e.sum(kind) / float64(t.rows), Gain: d.rows.mean, StandardError: se}
		for _, n := range []float64{x.Mean, x.Gain, x.StandardError} {
			if math.IsNaN(n) || math.IsInf(n, 0) {
				return c, fmt.Errorf("%w: losses of version %d are too large to add up", ErrFile, v.version)
			}
		}
		c.Versions = append(c.Versions, x)
	}
	return c, nil
}

// live is the column of the version that others are compared with, -1 without one.
func (f *reader) live() int {
	for i, c := range f.versions {
		if f.against > 0 && c.version == f.against {
			return i
		}
	}
	return -1
}

// pair adds the differences of one row to the version that is compared with.
func (f *reader) pair(row []losses, live int) {
	if f.pairs == nil {
		f.pairs = make([][kinds]differences, len(f.versions))
		for i := range f.pairs {
			for k := range kinds {
				f.pairs[i][k].given = f.block
			}
		}
	}
	for i := range row {
		for k := range kinds {
			f.pairs[i][k].add(row[live][k] - row[i][k])
		}
	}
}

// maxBlocks are kept; when there are so many, two by two become one.
const maxBlocks = 40

// differences adds up those of two versions, row by row.
type differences struct {
	rows  moments
	given int64 // rows of a block, 0: as many as fit
	// The block that is being filled, and its sum.
	in, size int64
	sum      float64
	blocks   []float64 // sums of whole blocks, where their size grows
	means    moments   // of whole blocks, where it is given
}

func (d *differences) add(x float64) {
	d.rows.add(x)
	d.in++
	d.sum += x
	d.size = max(d.size, d.given, 1)
	if d.in < d.size {
		return
	}
	if d.given > 0 {
		d.means.add(d.sum / float64(d.size))
	} else {
		d.blocks = append(d.blocks, d.sum)
		d.merge()
	}
	d.in, d.sum = 0, 0
}

func (d *differences) merge() {
	if len(d.blocks) < maxBlocks {
		return
	}
	for i := range maxBlocks / 2 {
		d.blocks[i] = d.blocks[2*i] + d.blocks[2*i+1]
	}
	d.blocks, d.size = d.blocks[:maxBlocks/2], 2*d.size
}

// standardError of the mean difference, or false if there are too few blocks of the
// size that was given.
func (d *differences) standardError() (float64, bool) {
	means := d.means
	if d.given > 0 && means.n < minBlocks {
		return 0, false
	}
	for _, sum := range d.blocks {
		means.add(sum / float64(d.size))
	}
	return max(d.rows.standardError(), means.standardError()), true
}

// moments are Welford's: exact also where the mean is large beside what varies.
type moments struct {
	n        int64
	mean, m2 float64
}

func (m *moments) add(x float64) {
	m.n++
	d := x - m.mean
	m.mean += d / float64(m.n)
	m.m2 += d * (x - m.mean)
}

// standardError of the mean, 0 of fewer than two.
func (m *moments) standardError() float64 {
	if m.n < 2 {
		return 0
	}
	return math.Sqrt(m.m2 / float64(m.n-1) / float64(m.n))
}

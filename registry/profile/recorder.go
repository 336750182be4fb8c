package profile

import (
	"fmt"
	"sync"
	"time"
)

// Recorder counts live rows into slices of time, for a profile of any of the
// last 24 hours.
//
// Memory: there are at most 24 slices of 5 s, 75 of 1 min and 97 of 15 min, and
// a sketch that is being filled takes about 20 kB. A day of a column of real numbers
// under full load was measured at 1.2 MB (TestRecorderMemory); few distinct
// values take less. A column of categories takes 16 bytes for each name and
// slice, at most 3.2 MB, and the names, which slices share.
//
// Closing a slice takes milliseconds, and a merge of old ones more. Who counts
// is not held up by that: what has ended is put aside, and Tidy packs it.
type Recorder struct {
	aging    sync.Mutex // held by who reads or changes the slices that have ended; taken before mu
	mu       sync.Mutex // guards what follows; closed and the first of ended change under aging only
	features []*Series
	outputs  []*Series
	begun    time.Time // of the first row
	latest   time.Time
	start    time.Time     // of the open slice
	rows     int64         // in the open slice
	ended    []ended       // not packed yet; later than closed
	closed   []slice       // ascending, without overlap
	width    time.Duration // of a slice at first
	before   func()        // BeforeEnd; nil: nothing
	scratch  []uint32      // of the sketches of the open slice
	packing  []uint32      // of those that are being packed; used under aging only
	names    *int          // categories that the open slice may still begin to keep; nil: only each column is bounded
	allowed  int           // what names begins with
	folded   int64         // rows of categories whose names were not kept, since the beginning
}

// Series counts the values of one column. It is used under its recorder's
// lock. Each method counts one row and returns the index of the reference's
// bin, or -1 where there is no reference.
type Series struct {
	definition Column
	binner     *Binner
	open       part
	spare      *filler // of a slice that was packed, for the next
	folded     *int64  // the recorder's
}

// NewRecorder makes a Recorder for columns, usually those of a version's
// reference; columns without bins are recorded without.
func NewRecorder(features, predictions []Column) (*Recorder, error) {
	r := &Recorder{width: fine}
	var err error
	if r.features, err = newSeries(features); err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	if r.outputs, err = newSeries(predictions); err != nil {
		return nil, fmt.Errorf("predictions: %w", err)
	}
	for _, s := range r.all() {
		s.folded = &r.folded
		s.open.numbers.scratch = &r.scratch
	}
	return r, nil
}

func newSeries(columns []Column) ([]*Series, error) {
	var list []*Series
	for _, c := range columns {
		s := &Series{definition: c, open: part{numbers: new(filler)}}
		if len(c.Bins) > 0 {
			b, err := NewBinner(c)
			if err != nil {
				return nil, err
			}
			s.binner = b
			s.open.bins = make([]int64, len(c.Bins))
		}
		list = append(list, s)
	}
	return list, nil
}

// NewLearner makes a Recorder without columns, which Learn adds. It keeps two
// slices only, the days (UTC) of the latest row and before, and only so many
// names of categories a day over all columns, so that memory is bounded for
// columns that nobody has chosen: LearnedNumbers for each column of numbers, and
// LearnedName for each name.
func NewLearner(names int) *Recorder {
	return &Recorder{width: retention, names: new(names), allowed: names}
}

// What learning takes, in bytes (TestLearnMemory): a sketch that is being filled
// and one at rest; a name of MaxCategory bytes that is kept on two days.
const (
	LearnedNumbers = 110_000
	LearnedName    = 512
)

// Learn adds a column behind those that there are, under the lock, and returns
// its index for Feature. Rows before it don't count in it. It is for recorders
// of NewLearner.
func (r *Recorder) Learn(c Column) int {
	s := &Series{
		definition: Column{Name: c.Name, Type: c.Type, Redacted: c.Redacted},
		open:       part{numbers: &filler{tight: true, scratch: &r.scratch}, room: r.names},
		folded:     &r.folded,
	}
	r.features = append(r.features, s)
	return len(r.features) - 1
}

// Lock lets the caller count rows that were seen at a time; a time before that
// of an earlier call counts as that. It tidies up first where that is due.
func (r *Recorder) Lock(now time.Time) {
	r.mu.Lock()
	r.at(now)
	if len(r.ended) > 0 {
		r.mu.Unlock()
		r.Tidy()
		r.mu.Lock()
	}
}

// TryLock is Lock for who may not wait. It fails where somebody else has the
// lock, or nobody has called Tidy for long. untidy: it should be called.
func (r *Recorder) TryLock(now time.Time) (ok, untidy bool) {
	if !r.mu.TryLock() {
		return false, false
	}
	if len(r.ended) >= maxEnded {
		r.mu.Unlock()
		return false, true
	}
	r.at(now)
	return true, len(r.ended) > 0
}

func (r *Recorder) at(now time.Time) {
	if r.begun.IsZero() {
		r.begun = now
		r.start = now.Truncate(r.width)
	}
	if now.After(r.latest) {
		r.latest = now
	}
	if start := now.Truncate(r.width); start.After(r.start) {
		if r.before != nil {
			r.before()
		}
		r.advance(start)
	}
}

// BeforeEnd has f called under the lock when a slice is about to end, by who counts the first row of the next: for who
// counts rows later than they come.
func (r *Recorder) BeforeEnd(f func()) { r.before = f }

// Unlock ends what Lock began.
func (r *Recorder) Unlock() { r.mu.Unlock() }

// Feature is the i-th of the features given to NewRecorder.
func (r *Recorder) Feature(i int) *Series { return r.features[i] }

// Output is the i-th of the predictions given to NewRecorder.
func (r *Recorder) Output(i int) *Series { return r.outputs[i] }

// AddRows counts rows of the profile; each column counts its own values.
func (r *Recorder) AddRows(n int64) { r.rows += n }

// Folded is how many rows of categories were counted without their names, under
// the lock.
func (r *Recorder) Folded() int64 { return r.folded }

// Number counts a number; NaN is missing. In a column of categories it is the
// category that its shortest decimal text names.
func (s *Series) Number(v float64) int {
	if v != v {
		return s.Missing()
	}
	if s.definition.Type == Category {
		return s.Category(NumberText(v))
	}
	s.open.rows++
	s.open.numbers.add(v)
	if s.binner == nil {
		return -1
	}
	i := s.binner.Number(v)
	s.open.bins[i]++
	return i
}

// Numbers counts the first of values, and every stride-th behind it, each as
// Number does, and adds them to counts by the reference's bins, where there is
// one.
func (s *Series) Numbers(values []float64, stride int, counts []int64) {
	b := s.binner
	if s.definition.Type == Category || b == nil {
		for i := 0; i < len(values); i += stride {
			if bin := s.Number(values[i]); bin >= 0 {
				counts[bin]++
			}
		}
		return
	}
	s.open.rows += int64((len(values) + stride - 1) / stride)
	missing := b.Numbers(values, stride, s.open.bins, counts)
	s.open.missing += missing
	s.open.numbers.addAll(values, stride, missing == 0)
}

// Bool counts a truth value: 1 or 0 in a column of numbers, else "true" or
// "false".
func (s *Series) Bool(v bool) int {
	switch {
	case s.definition.Type == Category && v:
		return s.Category("true")
	case s.definition.Type == Category:
		return s.Category("false")
	case v:
		return s.Number(1)
	}
	return s.Number(0)
}

// Category counts a category; what a CSV file would hold for missing, such as
// an empty text, is missing. In a column of numbers it is the number that it
// spells, or missing. The name may live in a buffer that is used again.
func (s *Series) Category(name string) int {
	if s.definition.Type == Number {
		return s.Number(ParseNumber(name))
	}
	if IsMissing(name) {
		return s.Missing()
	}
	key := Key(name, s.definition.Redacted)
	s.open.rows++
	if !s.open.addCategory(key) {
		*s.folded++
	}
	if s.binner == nil {
		return -1
	}
	i := s.binner.key(key)
	s.open.bins[i]++
	return i
}

// Missing counts a row without a value.
func (s *Series) Missing() int {
	s.open.rows++
	s.open.missing++
	if s.binner == nil {
		return -1
	}
	i := s.binner.missing
	s.open.bins[i]++
	return i
}

// all lists features, then outputs: the order of a slice's parts.
func (r *Recorder) all() []*Series {
	return append(append(make([]*Series, 0, len(r.features)+len(r.outputs)), r.features...), r.outputs...)
}

package observe

import (
	"unsafe"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// columns counts values of features, or of predictions, by column and bin. It is the protocol.Table of one half of the profile.
type columns struct {
	definitions []profile.Column
	index       map[string]int
	series      []*profile.Series
	counts      [][]int64 // by column, then bin
	derived     protocol.Derived
	reference   *reference    // for what no column counts
	rows        func(n int64) // nil where rows are not counted
	gathered    protocol.Gathered
	taken       int // rows gathered that the parser is about to tell of: they count when they are told

	pause  func() // called every few values; nil: never
	values int    // since the last pause
}

// valuesAtOnce take about 10 µs with what their sketches cost.
const valuesAtOnce = 384

func newColumns(definitions []profile.Column, series func(i int) *profile.Series, r *reference, rows func(int64)) *columns {
	c := &columns{definitions: definitions, index: make(map[string]int, len(definitions)), reference: r, rows: rows}
	for i, d := range definitions {
		c.index[d.Name] = i
		c.derived.Summarised = summarised(c.derived.Summarised, d.Name)
		c.series = append(c.series, series(i))
		c.counts = append(c.counts, make([]int64, len(d.Bins)))
	}
	return c
}

func (c *columns) Width() int { return len(c.definitions) }

func (c *columns) Lookup(name []byte) int {
	if i, ok := c.index[string(name)]; ok {
		return i
	}
	return -1
}

func (c *columns) Numbers(column int, values []float64, stride int) {
	for len(values) > 0 {
		n := min(stride*(valuesAtOnce-c.values), len(values))
		c.series[column].Numbers(values[:n], stride, c.counts[column])
		values = values[n:]
		c.counted((n + stride - 1) / stride)
	}
}

func (c *columns) Value(column int, v protocol.Value) {
	if bin := tell(c.series[column], c.definitions[column].Type, v); bin >= 0 {
		c.counts[column][bin]++
	}
	c.counted(1)
}

// tell counts a value in a series of a type and returns its bin, as the series does.
func tell(s *profile.Series, t profile.Type, v protocol.Value) int {
	switch {
	case v.Type == protocol.Missing:
		return s.Missing()
	case v.Type == protocol.Number, v.Type == protocol.Bool && t == profile.Number:
		return s.Number(v.Number)
	case len(v.Text) == 0:
		return s.Category("")
	default: // the series copies a name that it keeps
		return s.Category(unsafe.String(&v.Text[0], len(v.Text)))
	}
}

// counted pauses now and then.
func (c *columns) counted(n int) {
	if c.values += n; c.values >= valuesAtOnce {
		if c.values = 0; c.pause != nil {
			c.pause()
		}
	}
}

func (c *columns) Derived() protocol.Derived { return c.derived }

func (c *columns) Unknown(n int) { c.reference.unknown += uint64(n) }

func (c *columns) Folded(f protocol.Fold, n int) { c.reference.folds.add(f, n) }

func (c *columns) Rows(n int) {
	if n -= c.taken; c.rows != nil {
		c.rows(int64(n))
	}
	c.taken = 0
}

// Gather is part of protocol.Gatherer.
func (c *columns) Gather(values []float64) bool {
	ok, full := c.gathered.Add(values, len(c.definitions))
	if ok {
		c.taken = len(values) / len(c.definitions)
	}
	if full {
		c.reference.settle()
	}
	return ok
}

// settle counts what was gathered.
func (c *columns) settle() {
	if n := c.gathered.Tell(len(c.definitions), c.Numbers); n > 0 && c.rows != nil {
		c.rows(int64(n))
	}
}

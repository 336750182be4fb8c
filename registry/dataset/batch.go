package dataset

import (
	"fmt"
	"math"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/profile/summary"
)

// batch is some rows, column by column, as the plan has it. Only good rows are
// in it.
type batch struct {
	plan   *plan
	rows   int
	cells  []cells // by slot
	report Report
	seen   []evidence          // by column
	extra  map[string]evidence // columns that the plan does not have
	dec    *decimals

	row    []cell // of the row that is being read, by slot
	vector []float64
}

// cells of a column: one for each row.
type cells struct {
	numbers []float64               // NaN is missing
	texts   [][]byte                // nil is missing
	sums    [summary.Size][]float64 // of vectors
	times   []time.Time
}

// cell is a value before it is known to which mode it belongs.
type cell struct {
	kind   cellKind
	number float64
	text   []byte
	vector []float64 // of isList; nil: text has it
	at     time.Time // of isTime
}

type cellKind uint8

const (
	absent   cellKind = iota
	isNumber          // number, and its text where it had one
	isText
	isList // of numbers
	isTime // and its text
)

func newBatch(p *plan, dec *decimals) *batch {
	return &batch{plan: p, dec: dec, cells: make([]cells, len(p.slots)), row: make([]cell, len(p.slots)), seen: make([]evidence, len(p.columns))}
}

// reset empties the batch; what it knows of the columns stays.
func (b *batch) reset() {
	b.rows = 0
	for i := range b.cells {
		c := &b.cells[i]
		c.numbers, c.texts, c.times = c.numbers[:0], c.texts[:0], c.times[:0]
		for k := range c.sums {
			c.sums[k] = c.sums[k][:0]
		}
	}
}

// field classes the text of a field of CSV.
func (b *batch) field(text []byte) cell {
	if missing(text) {
		return cell{}
	}
	if v := b.dec.number(text); finite(v) {
		return cell{kind: isNumber, number: v, text: text}
	}
	return cell{kind: isText, text: text}
}

// push adds a row that was put into b.row. A reason: it is bad.
func (b *batch) push() (reason string) {
	for slot, i := range b.plan.slots {
		c := &b.row[slot]
		switch col := &b.plan.columns[i]; {
		case col.mode == instant:
			at, ok := instantOf(c)
			if !ok {
				return fmt.Sprintf("column %q: %q is not a time", col.name, clip(string(c.text)))
			}
			b.cells[slot].times = append(b.cells[slot].times[:b.rows], at)
		case col.mode == number && col.told && c.kind != absent:
			if c.kind != isNumber { // as text it may spell a number
				c.number = profile.ParseNumber(string(c.text))
			}
			if !finite(c.number) {
				return fmt.Sprintf("column %q: %q is not a finite number", col.name, clip(string(c.text)))
			}
			c.kind = isNumber
		}
	}
	for slot, i := range b.plan.slots {
		b.put(&b.cells[slot], i, b.row[slot])
	}
	b.rows++
	return ""
}

// put a cell of a good row.
func (b *batch) put(into *cells, i int, c cell) {
	switch b.plan.columns[i].mode {
	case number:
		v := math.NaN()
		if c.kind == isNumber {
			v = c.number
		}
		into.numbers = append(into.numbers, v)
		b.witness(i, c)
	case category:
		text := c.text
		if c.kind == isNumber && text == nil {
			text = []byte(profile.NumberText(c.number))
		}
		into.texts = append(into.texts, text)
		if !b.plan.columns[i].told {
			b.witness(i, c)
		}
	case vector:
		sums, seen := b.summarised(c)
		b.seen[i] |= seen
		for k := range into.sums {
			into.sums[k] = append(into.sums[k], sums[k])
		}
	}
}

// witness notes what a cell says of the type of its column.
func (b *batch) witness(i int, c cell) {
	switch c.kind {
	case isNumber:
		b.seen[i] |= sawNumber
	case isText, isList, isTime:
		if b.seen[i]&sawText == 0 {
			_, seen := b.summarised(c)
			b.seen[i] |= seen
		}
	}
}

// summarised is the summary of a vector, all NaN for what is none. A vector
// whose norm is no finite number has no place in a bin: it is text.
func (b *batch) summarised(c cell) (sums [summary.Columns]float64, seen evidence) {
	switch c.kind {
	case isNumber:
		seen = sawNumber
	case isTime:
		seen = sawText
	case isText, isList:
		seen = sawText
		vector, ok := c.vector, true
		if vector == nil {
			vector, ok = summary.Parse(string(c.text), b.vector)
			b.vector = vector
		}
		if ok {
			sums = summary.Of(vector)
			if !math.IsInf(sums[summary.Norm], 0) {
				return sums, sawVector
			}
		}
	}
	for i := range sums {
		sums[i] = math.NaN()
	}
	return sums, seen
}

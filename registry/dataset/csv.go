package dataset

import (
	"bytes"
	"fmt"
	"math"
)

// csvReader reads chunks of CSV into a batch.
type csvReader struct {
	batch   *batch
	fields  [][]byte
	own     []byte
	marks   []int // columns that may be proven by the row at hand
	careful bool  // without the fast way
}

// bom may stand at the beginning of a file.
const bom = "\ufeff"

// csvHeader reads the names of the columns, and returns what follows them.
func csvHeader(c chunk) (names []string, rest chunk, err error) {
	data := c.data
	trimmed := bytes.TrimPrefix(data, []byte(bom))
	if at := len(data) - len(trimmed); at > 0 {
		data = trimmed
	}
	at, line := 0, c.line
	for at < len(data) {
		fields, _, next, lines, reason := record(data, at, nil, nil)
		at = next
		if reason != "" {
			return nil, chunk{}, fmt.Errorf("line %d: %s", line, reason)
		}
		line += int64(lines)
		if len(fields) == 0 {
			continue
		}
		for _, f := range fields {
			names = append(names, string(f))
		}
		return names, chunk{data[at:], line}, nil
	}
	return nil, chunk{}, fmt.Errorf("line 1: empty, want a header with the names of the columns")
}

// read adds the records of a chunk to the batch.
func (r *csvReader) read(file int, name string, c chunk) {
	r.own = r.own[:0]
	data, line := c.data, c.line
	for at := 0; at < len(data); {
		if !r.careful {
			if next := r.fast(data, at); next > at {
				at = next
				line++
				continue
			}
		}
		fields, own, next, lines, reason := record(data, at, r.fields, r.own)
		r.fields, r.own = fields, own
		begin := line
		at, line = next, line+int64(lines)
		if len(fields) == 0 && reason == "" {
			continue
		}
		bad := int64(1)
		switch {
		case reason != "":
			bad = int64(lines) // a quote that is never closed takes in all the lines up to there
		case len(fields) != len(r.batch.plan.columns):
			reason = fmt.Sprintf("%d fields, the header has %d", len(fields), len(r.batch.plan.columns))
		default:
			reason = r.slow()
		}
		if reason != "" {
			r.batch.report.Bad += bad
			r.batch.report.add(BadRow{File: name, At: fmt.Sprintf("line %d", begin), Reason: reason, file: file, at: begin})
		}
	}
}

// slow adds the record in fields.
func (r *csvReader) slow() (reason string) {
	b := r.batch
	for slot, i := range b.plan.slots {
		col := &b.plan.columns[i]
		if text := r.fields[i]; col.mode == category && (col.told || b.seen[i]&sawText != 0) && !missing(text) {
			b.row[slot] = cell{kind: isText, text: text}
		} else {
			b.row[slot] = b.field(text)
			if col.mode == instant {
				b.row[slot].text = text
			}
		}
	}
	return b.push()
}

// fast adds the row at data[at] if it is of the usual kind: a line with the right
// number of fields, plain decimal numbers in columns of numbers, text without
// quotes or with just a pair around it. It returns where the next line begins.
// Anything else it leaves as it was and to slow, and returns at.
func (r *csvReader) fast(data []byte, at int) (next int) {
	b := r.batch
	r.marks = r.marks[:0]
	i, last := at, len(b.plan.columns)-1
	for k := range b.plan.columns {
		col := &b.plan.columns[k]
		if i >= len(data) {
			return r.undo(at)
		}
		switch col.mode {
		case number:
			v, n := math.NaN(), 0
			if c := data[i]; c != ',' && c != '\n' {
				if v, n = b.dec.scan(data[i:]); n == 0 {
					return r.undo(at)
				}
				r.marks = append(r.marks, k)
				i += n
			}
			into := &b.cells[col.slot]
			into.numbers = append(into.numbers, v)
		case category:
			var text []byte
			if !col.told && b.seen[k]&sawText == 0 {
				return r.undo(at)
			}
			if text, i = plainField(data, i); text == nil {
				return r.undo(at)
			}
			if missing(text) {
				text = nil
			}
			into := &b.cells[col.slot]
			into.texts = append(into.texts, text)
		case skip:
			var text []byte
			if text, i = plainField(data, i); text == nil {
				return r.undo(at)
			}
		default:
			return r.undo(at)
		}
		if i >= len(data) {
			return r.undo(at)
		}
		switch c := data[i]; {
		case k < last && c == ',':
			i++
		case k == last && c == '\n':
			i++
		case k == last && c == '\r' && i+1 < len(data) && data[i+1] == '\n':
			i += 2
		default:
			return r.undo(at)
		}
	}
	if i-at == 1 { // an empty line is no row of one field
		return r.undo(at)
	}
	for _, k := range r.marks {
		b.seen[k] |= sawNumber
	}
	b.rows++
	return i
}

// undo forgets the cells of a row that is not whole.
func (r *csvReader) undo(at int) int {
	for slot := range r.batch.cells {
		c := &r.batch.cells[slot]
		if len(c.numbers) > r.batch.rows {
			c.numbers = c.numbers[:r.batch.rows]
		}
		if len(c.texts) > r.batch.rows {
			c.texts = c.texts[:r.batch.rows]
		}
	}
	return at
}

// plainField is the field at data[i] and where it ends; nil: it is not plain.
func plainField(data []byte, i int) (text []byte, end int) {
	if data[i] == '"' {
		for k := i + 1; k < len(data); k++ {
			switch data[k] {
			case '"':
				return data[i+1 : k : k], k + 1
			case '\n', '\r':
				return nil, i
			}
		}
		return nil, i
	}
	for k := i; k < len(data); k++ {
		switch data[k] {
		case ',', '\n':
			return data[i:k:k], k
		case '\r', '"':
			if data[k] == '\r' && k+1 < len(data) && data[k+1] == '\n' {
				return data[i:k:k], k
			}
			return nil, i
		}
	}
	return nil, i
}

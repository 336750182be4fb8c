package profile

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Table gathers the rows of CSV files that have the same header. The columns
// are held in memory, as much as their text and eight bytes a cell.
//
// A row with too many or too few fields, broken quotes, or in a column given as
// a number something else, is bad: left out and counted. Missing values are
// empty, NaN, null (in any case) and NA. Every other row counts, in any order:
// the same rows give the same bytes.
type Table struct {
	options CSVOptions
	file    string   // being read
	left    int64    // bytes that may still be read
	header  []string // of the first file
	columns []cells
	report  Report
}

// cells is the text of one column, end to end.
type cells struct {
	name  string
	field int  // index in a row
	typ   Type // "" to be inferred
	text  []byte
	ends  []int
}

// NewTable makes an empty table.
func NewTable(o CSVOptions) *Table {
	if o.MaxBytes == 0 {
		o.MaxBytes = 4 << 30
	}
	return &Table{options: o, left: o.MaxBytes}
}

// Read adds the rows of one file; name is for errors.
func (t *Table) Read(name string, r io.Reader) error {
	t.file = name
	limited := &io.LimitedReader{R: r, N: t.left + 1}
	if err := t.read(limited); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if limited.N <= 0 {
		return fmt.Errorf("%s: more than %d bytes of text: profile a sample of the rows", name, t.options.MaxBytes)
	}
	t.left = limited.N - 1
	return nil
}

// Profile describes the rows that were read, if enough of them are good. The
// table can't be used any more.
func (t *Table) Profile() (*Profile, Report, error) {
	err := t.tolerable()
	if err == nil {
		var p *Profile
		if p, err = t.profile(); err == nil {
			return p, t.report, nil
		}
		err = fmt.Errorf("%s: %w", t.file, err)
	}
	return nil, t.report, err
}

func (t *Table) read(r io.Reader) error {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	in.ReuseRecord = true
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("line 1: empty, want a header with the names of the columns")
	}
	if err != nil {
		return err
	}
	if err := t.setHeader(header); err != nil {
		return fmt.Errorf("line 1: %w", err)
	}
	line := 1
	for {
		record, err := in.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &broken):
			// A quote that is never closed takes in all the lines up to there.
			t.bad(broken.StartLine, int64(broken.Line-broken.StartLine)+1, broken.Err.Error())
		case err != nil:
			return fmt.Errorf("after line %d: %w", line, err)
		default:
			line, _ = in.FieldPos(0)
			t.add(line, record)
		}
	}
}

// setHeader decides which columns are used.
func (t *Table) setHeader(header []string) error {
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	if t.header != nil {
		if !slices.Equal(header, t.header) {
			return fmt.Errorf("another header than that of the first file: %s", clip(strings.Join(header, ",")))
		}
		return nil
	}
	t.header = slices.Clone(header)
	o := t.options
	for _, named := range slices.Concat([]string{o.Label}, o.Predictions, o.Ignore, o.Redact, keys(o.Types)) {
		if named != "" && !slices.Contains(header, named) {
			return fmt.Errorf("no column %q; there are %s", named, clip(strings.Join(header, ", ")))
		}
	}
	for i, name := range header {
		if name == "" || len(name) > MaxName {
			return fmt.Errorf("column %d: its name has %d bytes, want 1 to %d", i+1, len(name), MaxName)
		}
		if slices.Contains(header[:i], name) {
			return fmt.Errorf("column %q: twice", name)
		}
		typ := o.Types[name]
		if typ != "" && typ != Number && typ != Category {
			return fmt.Errorf("column %q: type %q, want %q or %q", name, typ, Number, Category)
		}
		if name != o.Label && !slices.Contains(o.Ignore, name) {
			t.columns = append(t.columns, cells{name: strings.Clone(name), field: i, typ: typ})
		}
	}
	if len(t.columns) > MaxColumns {
		return fmt.Errorf("%d columns, at most %d: ignore some", len(t.columns), MaxColumns)
	}
	if !slices.ContainsFunc(t.columns, func(c cells) bool { return !slices.Contains(o.Predictions, c.name) }) {
		return errors.New("no feature is left besides label, predictions and ignored columns")
	}
	return nil
}

func keys(types map[string]Type) []string {
	var names []string
	for name := range types {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// add keeps a row, or counts it as bad.
func (t *Table) add(line int, record []string) {
	if len(record) != len(t.header) {
		t.bad(line, 1, fmt.Sprintf("%d fields, the header has %d", len(record), len(t.header)))
		return
	}
	for _, c := range t.columns {
		if text := record[c.field]; c.typ == Number && !isMissing(text) && !isNumber(text) {
			t.bad(line, 1, fmt.Sprintf("column %q: %q is not a finite number", c.name, clip(text)))
			return
		}
	}
	for i := range t.columns {
		c := &t.columns[i]
		c.text = append(c.text, record[c.field]...)
		c.ends = append(c.ends, len(c.text))
	}
	t.report.Rows++
}

func (t *Table) bad(line int, rows int64, reason string) {
	t.report.Bad += rows
	if len(t.report.BadRows) < maxBadRows {
		t.report.BadRows = append(t.report.BadRows, BadRow{t.file, line, reason})
	}
}

// tolerable says whether enough of the rows could be read.
func (t *Table) tolerable() error {
	allowed := t.options.MaxBadRatio
	if allowed == 0 {
		allowed = 0.01
	}
	all := t.report.Rows + t.report.Bad
	if ratio := float64(t.report.Bad) / float64(all); t.report.Bad > 0 && ratio > max(allowed, 0) {
		first := t.report.BadRows[0]
		return fmt.Errorf("%s: line %d: %s; %d of %d rows are bad, more than %.3g%%", first.File, first.Line, first.Reason, t.report.Bad, all, 100*max(allowed, 0))
	}
	if t.header == nil {
		return errors.New("no rows: no file was read")
	}
	if t.report.Rows == 0 {
		return fmt.Errorf("%s: line 2: no rows after the header", t.file)
	}
	return nil
}

func isMissing(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || text == "NA" || strings.EqualFold(text, "NaN") || strings.EqualFold(text, "null")
}

func isNumber(text string) bool {
	v := parseNumber(text)
	return v == v && !math.IsInf(v, 0)
}

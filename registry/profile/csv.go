package profile

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
)

// CSVOptions say how the columns of a CSV file are read.
type CSVOptions struct {
	// Label is the column with the truth, left out; "" for none.
	Label string
	// Prediction is the column with the model's answers; "" for none.
	Prediction string
	// Ignore lists further columns to leave out.
	Ignore []string
	// Types of columns where the inferred one is wrong. By default a column is
	// a number when every value of it is a finite decimal number.
	Types map[string]Type
	// Redact lists columns of categories whose names are kept as hashes only.
	Redact []string
	// MaxBadRatio is the share of rows that may be bad; 0 is 1%, negative none.
	MaxBadRatio float64
	// MaxBytes of text that is read, after decompression; 0 is 4 GiB.
	MaxBytes int64
}

// Report says what FromCSV made of a file.
type Report struct {
	Rows int64 // good rows, header not counted
	Bad  int64 // rows left out
	// BadRows are the first bad rows, at most 20.
	BadRows []BadRow
}

// BadRow is a row that could not be read.
type BadRow struct {
	Line   int // from 1, header included
	Reason string
}

const maxBadRows = 20

// OpenCSV opens a CSV file, decompressed if its content is gzip.
func OpenCSV(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(f, 64<<10)
	if magic, _ := r.Peek(2); string(magic) != "\x1f\x8b" {
		return readCloser{r, f}, nil
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return readCloser{z, f}, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// FromCSV makes a training profile of the rows of a CSV file with a header;
// name is the file's name for errors. The columns are held in memory, as much
// as their text and eight bytes a cell. A row with too many or too few fields,
// broken quotes, or in a column given as a number something else, is bad: left
// out and counted. Missing values are empty, NaN, null (in any case) and NA.
//
// Every row but these counts, in any order: the same rows give the same bytes.
func FromCSV(name string, r io.Reader, o CSVOptions) (*Profile, Report, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = 4 << 30
	}
	limited := &io.LimitedReader{R: r, N: o.MaxBytes + 1}
	t := &table{options: o}
	if err := t.read(limited); err != nil {
		return nil, t.report, fmt.Errorf("%s: %w", name, err)
	}
	if limited.N <= 0 {
		return nil, t.report, fmt.Errorf("%s: more than %d bytes of text: profile a sample of the rows", name, o.MaxBytes)
	}
	if err := t.tolerable(); err != nil {
		return nil, t.report, fmt.Errorf("%s: %w", name, err)
	}
	p, err := t.profile()
	if err != nil {
		return nil, t.report, fmt.Errorf("%s: %w", name, err)
	}
	return p, t.report, nil
}

// table holds the used columns of a CSV file while it is read.
type table struct {
	options CSVOptions
	width   int // fields of the header
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

func (t *table) read(r io.Reader) error {
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
			line, _ := in.FieldPos(0)
			return fmt.Errorf("after line %d: %w", line, err)
		default:
			line, _ := in.FieldPos(0)
			t.add(line, record)
		}
	}
}

// setHeader decides which columns are used.
func (t *table) setHeader(header []string) error {
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	t.width = len(header)
	o := t.options
	for _, named := range slices.Concat([]string{o.Label, o.Prediction}, o.Ignore, o.Redact, keys(o.Types)) {
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
	if !slices.ContainsFunc(t.columns, func(c cells) bool { return c.name != o.Prediction }) {
		return errors.New("no feature is left besides label, prediction and ignored columns")
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
func (t *table) add(line int, record []string) {
	if len(record) != t.width {
		t.bad(line, 1, fmt.Sprintf("%d fields, the header has %d", len(record), t.width))
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

func (t *table) bad(line int, rows int64, reason string) {
	t.report.Bad += rows
	if len(t.report.BadRows) < maxBadRows {
		t.report.BadRows = append(t.report.BadRows, BadRow{line, reason})
	}
}

// tolerable says whether enough of the rows could be read.
func (t *table) tolerable() error {
	allowed := t.options.MaxBadRatio
	if allowed == 0 {
		allowed = 0.01
	}
	all := t.report.Rows + t.report.Bad
	if ratio := float64(t.report.Bad) / float64(all); t.report.Bad > 0 && ratio > max(allowed, 0) {
		first := t.report.BadRows[0]
		return fmt.Errorf("line %d: %s; %d of %d rows are bad, more than %.3g%%", first.Line, first.Reason, t.report.Bad, all, 100*max(allowed, 0))
	}
	if t.report.Rows == 0 {
		return errors.New("line 2: no rows after the header")
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

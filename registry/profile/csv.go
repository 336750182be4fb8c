package profile

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
)

// CSVOptions say how the columns of a CSV file are read.
type CSVOptions struct {
	// Label is the column with the truth, left out; "" for none.
	Label string
	// Predictions are the columns with the model's answers: one, or one for
	// each output or class.
	Predictions []string
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
	File   string
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
// name is the file's name for errors. See Table for several files, and for how
// rows are read.
func FromCSV(name string, r io.Reader, o CSVOptions) (*Profile, Report, error) {
	t := NewTable(o)
	if err := t.Read(name, r); err != nil {
		return nil, t.report, err
	}
	return t.Profile()
}

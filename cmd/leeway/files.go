package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/leeway-dev/leeway/registry/profile"
)

// maxHeader bounds the first line of a CSV file.
const maxHeader = 1 << 20

// profileFiles profiles the rows of all files as those of one.
func (a *app) profileFiles(ctx context.Context, names []string, o profile.CSVOptions) (*profile.Profile, profile.Report, error) {
	all := &files{app: a, ctx: ctx, names: names, progress: newProgress(a.err)}
	defer all.close()
	name := strings.Join(names, "+")
	if name == "-" {
		name = "standard input"
	}
	p, report, err := profile.FromCSV(name, all, o)
	all.progress.done()
	if e := all.failed; e != nil { // it names its own file
		return nil, report, e
	}
	return p, report, err
}

// files reads CSV files one after the other, with the header of the first one
// only.
type files struct {
	app      *app
	ctx      context.Context
	names    []string
	header   []byte
	open     io.Closer
	r        *bufio.Reader
	last     byte
	failed   error
	progress *progress
}

// Read implements io.Reader.
func (f *files) Read(p []byte) (int, error) {
	for {
		if err := f.ctx.Err(); err != nil {
			f.failed = err
			return 0, err
		}
		if f.r == nil {
			if len(f.names) == 0 {
				return 0, io.EOF
			}
			if f.header != nil && f.last != '\n' { // the file before did not end its last line
				f.last = '\n'
				p[0] = '\n'
				return 1, nil
			}
			if err := f.next(); err != nil {
				f.failed = err
				return 0, err
			}
		}
		n, err := f.r.Read(p)
		if n > 0 {
			f.last = p[n-1]
			f.progress.add(n)
			return n, nil
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) {
			f.failed = fmt.Errorf("%s: %w", f.names[0], err)
			return 0, f.failed
		}
		f.close()
		f.names = f.names[1:]
	}
}

// next opens the next file and takes its header off, but for the first one.
func (f *files) next() error {
	in, err := f.app.openCSV(f.names[0])
	if err != nil {
		return err
	}
	f.open, f.r = in, bufio.NewReaderSize(in, maxHeader)
	header, err := f.r.Peek(maxHeader)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", f.names[0], err)
	}
	end := bytes.IndexByte(header, '\n') + 1
	if end == 0 {
		end = len(header)
	}
	line := bytes.TrimRight(bytes.TrimPrefix(header[:end], []byte("\ufeff")), "\r\n")
	if f.header == nil {
		f.header = bytes.Clone(line)
		if f.header == nil {
			f.header = []byte{}
		}
		return nil
	}
	if !bytes.Equal(line, f.header) {
		return fmt.Errorf("%s: line 1: the header differs from that of the first file", f.names[0])
	}
	_, err = f.r.Discard(end)
	return err
}

func (f *files) close() {
	if f.open != nil {
		f.open.Close()
	}
	f.open, f.r = nil, nil
}

func (a *app) openCSV(name string) (io.ReadCloser, error) {
	if name != "-" {
		return profile.OpenCSV(name)
	}
	r := bufio.NewReader(a.in)
	if magic, _ := r.Peek(2); string(magic) == "\x1f\x8b" {
		return gzip.NewReader(r)
	}
	return io.NopCloser(r), nil
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// standardInput is what errors call it.
const standardInput = "standard input"

// profileFiles profiles the rows of all files as those of one. Standard input is
// copied to a temporary file first.
func (a *app) profileFiles(ctx context.Context, names []string, format dataset.Format, o dataset.Options) (*profile.Profile, dataset.Report, error) {
	p := newProgress(a.err)
	defer p.done()
	var sources []dataset.Source
	for _, name := range names {
		var list []dataset.Source
		var err error
		if name == "-" {
			a.note("standard input is kept in a temporary file while it is read")
			var spooled dataset.Source
			var done func() error
			spooled, done, err = dataset.Spool(standardInput, watched{ctx, a.in, p}, o.TempDir)
			if err == nil {
				defer func() { _ = done() }()
				list = append(list, spooled)
			}
		} else {
			list, err = dataset.Files(name)
		}
		if err != nil {
			return nil, dataset.Report{}, err
		}
		sources = append(sources, list...)
	}
	for i := range sources {
		sources[i].Format = format
	}
	o.Progress = p.show
	return dataset.Profile(ctx, sources, o)
}

// openCSV opens a file, or standard input for "-", decompressed if its content
// is gzip or zstd.
func (a *app) openCSV(name string) (io.ReadCloser, error) {
	if name == "-" {
		r, done, err := dataset.Unpack(a.in)
		return unpacked{r, done, nil}, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	r, done, err := dataset.Unpack(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return unpacked{r, done, f}, nil
}

type unpacked struct {
	io.Reader
	done func()
	file *os.File // nil for standard input
}

// Close implements io.Closer.
func (u unpacked) Close() error {
	u.done()
	if u.file == nil {
		return nil
	}
	return u.file.Close()
}

// watched is a reader that stops when the command is interrupted, and tells how
// far it got.
type watched struct {
	ctx context.Context
	in  io.Reader
	p   *progress
}

// Read implements io.Reader.
func (w watched) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.in.Read(b)
	w.p.add(n)
	return n, err
}

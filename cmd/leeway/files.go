package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"

	"github.com/leeway-dev/leeway/registry/profile"
)

// profileFiles profiles the rows of all files as those of one.
func (a *app) profileFiles(ctx context.Context, names []string, o profile.CSVOptions) (*profile.Profile, profile.Report, error) {
	p := newProgress(a.err)
	defer p.done()
	table := profile.NewTable(o)
	for _, name := range names {
		if err := a.readTable(ctx, table, name, p); err != nil {
			return nil, profile.Report{}, err
		}
	}
	return table.Profile()
}

func (a *app) readTable(ctx context.Context, table *profile.Table, name string, p *progress) error {
	in, err := a.openCSV(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if name == "-" {
		name = "standard input"
	}
	return table.Read(name, watched{ctx, in, p})
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

package dataset

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// consumer takes the good rows of a pass, some at a time.
type consumer interface {
	take(b *batch) error
}

// task is a part of the input that a worker reads.
type task struct {
	file   int
	name   string
	format Format
	chunk  chunk
	done   func([]byte)
	// read, where the input is columns, fills a batch several times.
	read func(b *batch, take func() error) error
}

// pass reads all rows of all sources once. Each worker gives its own consumer
// what it has read.
func (r *run) pass(ctx context.Context, p *plan, consumers func(worker int) consumer) (Report, []evidence, map[string]evidence, error) {
	r.passes++
	tell := r.newTeller()
	g, ctx := errgroup.WithContext(ctx)
	tasks := make(chan task, r.options.Workers)
	g.Go(func() error {
		defer close(tasks)
		for i, s := range r.sources {
			if err := r.produce(ctx, p, i, s, tell, tasks); err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
		}
		return nil
	})
	batches := make([]*batch, r.options.Workers)
	for i := range batches {
		batches[i] = newBatch(p, r.decimals)
		copy(batches[i].seen, r.seen)
		g.Go(func() error { return work(tasks, batches[i], consumers(i)) })
	}
	if err := g.Wait(); err != nil {
		return Report{}, nil, nil, err
	}
	var all Report
	seen, extra := make([]evidence, len(p.columns)), map[string]evidence{}
	for _, b := range batches {
		all.Rows += b.report.Rows
		all.Bad += b.report.Bad
		all.add(b.report.BadRows...)
		for i, e := range b.seen {
			seen[i] |= e
		}
		for name, e := range b.extra {
			extra[name] |= e
		}
	}
	all.trim()
	return all, seen, extra, nil
}

// work reads tasks until there are no more.
func work(tasks <-chan task, b *batch, c consumer) error {
	rows := csvReader{batch: b}
	objects := jsonReader{batch: b}
	take := func() error {
		b.report.Rows += int64(b.rows)
		err := c.take(b)
		b.reset()
		return err
	}
	for t := range tasks {
		var err error
		switch t.format {
		case CSV:
			rows.read(t.file, t.name, t.chunk)
		case JSONLines:
			err = objects.read(t.file, t.name, t.chunk)
		default:
			err = t.read(b, take)
		}
		if err == nil {
			err = take()
		}
		if err != nil {
			return err
		}
		if t.done != nil {
			t.done(t.chunk.data)
		}
	}
	return nil
}

// produce cuts a source into tasks.
func (r *run) produce(ctx context.Context, p *plan, i int, s Source, tell *teller, tasks chan<- task) error {
	format, err := s.format()
	if err != nil {
		return err
	}
	f, err := s.Open()
	if err != nil {
		return err
	}
	in := &watched{File: f, ctx: ctx, tell: tell}
	defer f.Close()
	give := func(t task) error {
		t.file, t.name, t.format = i, s.Name, format
		select {
		case tasks <- t:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if format == Parquet || format == Arrow {
		return r.produceArrow(ctx, p, i, s, format, in, give)
	}
	return r.produceText(ctx, p, in, format, give)
}

func (r *run) produceText(ctx context.Context, p *plan, in io.Reader, format Format, give func(task) error) error {
	text, done, err := unpack(in)
	if err != nil {
		return err
	}
	defer done()
	cut := r.chunks(text, format)
	for begin := true; ; begin = false {
		c, err := cut.next(ctx)
		if err != nil {
			return err
		}
		if begin && format == CSV {
			var names []string
			if names, c, err = csvHeader(c); err != nil {
				return err
			}
			if err := p.same(names); err != nil {
				return fmt.Errorf("line 1: %w", err)
			}
		}
		if len(c.data) == 0 && cut.eof && len(cut.carry) == 0 {
			return nil
		}
		if err := give(task{chunk: c, done: cut.done}); err != nil {
			return err
		}
	}
}

func (r *run) chunks(text io.Reader, format Format) *chunks {
	end := linesEnd
	if format == CSV {
		end = recordsEnd
	}
	return &chunks{r: text, end: end, limits: r.options.limits, line: 1, free: make(chan []byte, 2*r.options.Workers+2)}
}

// same wants the names of the first file.
func (p *plan) same(names []string) error {
	have := make([]string, len(p.columns))
	for i, c := range p.columns {
		have[i] = c.name
	}
	if !slices.Equal(names, have) {
		return fmt.Errorf("another header than that of the first file: %s", clip(strings.Join(names, ",")))
	}
	return nil
}

// watched is a file whose reading stops with the context, and is told.
type watched struct {
	File
	ctx  context.Context
	tell *teller
}

// Read implements io.Reader.
func (w *watched) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, context.Cause(w.ctx)
	}
	n, err := w.File.Read(b)
	w.tell.add(n)
	return n, err
}

// ReadAt implements io.ReaderAt.
func (w *watched) ReadAt(b []byte, at int64) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, context.Cause(w.ctx)
	}
	n, err := w.File.ReadAt(b, at)
	w.tell.add(n)
	return n, err
}

// teller tells the progress of a pass.
type teller struct {
	to func(Progress)
	mu sync.Mutex
	p  Progress
}

func (r *run) newTeller() *teller {
	t := &teller{to: r.options.Progress, p: Progress{Pass: r.passes}}
	for _, s := range r.sources {
		t.p.Size += s.Size
	}
	return t
}

func (t *teller) add(n int) {
	if t.to == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p.Bytes += int64(n)
	t.to(t.p)
}

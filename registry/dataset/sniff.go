package dataset

import (
	"context"
	"fmt"
	"slices"
)

// sniff finds the columns, and guesses their types from the first rows.
func (r *run) sniff(ctx context.Context) error {
	s := r.sources[0]
	err := r.sniffSource(ctx, s)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return nil
}

func (r *run) sniffSource(ctx context.Context, s Source) error {
	format, err := s.format()
	if err != nil {
		return err
	}
	f, err := s.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	if format == Parquet || format == Arrow {
		return r.sniffArrow(f, format)
	}
	text, done, err := unpack(f)
	if err != nil {
		return err
	}
	defer done()
	c, err := r.chunks(text, format).next(ctx)
	if err != nil {
		return err
	}
	if format == JSONLines {
		return r.sniffObjects(c)
	}
	names, c, err := csvHeader(c)
	if err != nil {
		return err
	}
	if err := r.setPlan(names, false); err != nil {
		return fmt.Errorf("line 1: %w", err)
	}
	b := newBatch(r.plan, r.decimals)
	rows := csvReader{batch: b}
	rows.read(0, s.Name, c)
	r.guess(b.seen)
	return nil
}

func (r *run) sniffObjects(c chunk) error {
	names := jsonNames(c.data, 1)
	r.first = len(names)
	more := jsonNames(c.data, len(c.data))[len(names):]
	slices.Sort(more)
	if err := r.setPlan(append(names, more...), true); err != nil {
		return err
	}
	b := newBatch(r.plan, r.decimals)
	objects := jsonReader{batch: b}
	if err := objects.read(0, r.sources[0].Name, c); err != nil {
		return err
	}
	r.guess(b.seen)
	return nil
}

func (r *run) setPlan(names []string, open bool) error {
	p, err := newPlan(names, r.options, open)
	if err != nil {
		return err
	}
	r.plan = p.layOut()
	return nil
}

// guess the modes by what was seen.
func (r *run) guess(seen []evidence) {
	r.seen = seen
	r.plan = r.plan.with(func(i int, c column) mode {
		if c.told || seen[i]&^sawColumn == 0 {
			return c.mode
		}
		return seen[i].mode()
	})
}

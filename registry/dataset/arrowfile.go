package dataset

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// guarded calls f; where the library panics, for the file is not what it should
// be, that is an error.
func guarded(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("can't be read: %w", p)
		default:
			err = fmt.Errorf("can't be read: %v", p)
		}
	}()
	return f()
}

// arrowTask reads the record batches of a part of a file. Each is known by the
// row that it begins with, from 1, or where that is not known by its own number.
type arrowTask struct {
	read func(ctx context.Context, p *plan, f File, each func(rec arrow.RecordBatch, at string, row int64) error) error
}

// arrowSchema is the columns of a file, and the parts that it can be read in.
func arrowSchema(f File, format Format, workers int) (schema *arrow.Schema, parts []arrowTask, err error) {
	err = guarded(func() (err error) {
		if format == Parquet {
			schema, parts, err = parquetSchema(f)
		} else {
			schema, parts, err = ipcSchema(f, workers)
		}
		return err
	})
	return schema, parts, err
}

// sniffArrow takes names and types from the schema.
func (r *run) sniffArrow(f File, format Format) error {
	schema, _, err := arrowSchema(f, format, 1)
	if err != nil {
		return err
	}
	if err := r.setPlan(fieldNames(schema), false); err != nil {
		return err
	}
	r.seen = make([]evidence, len(r.plan.columns))
	if err := r.plan.readable(schema); err != nil {
		return err
	}
	r.plan = r.plan.with(func(i int, c column) mode {
		if c.told {
			return c.mode
		}
		return modeOf(schema.Field(i).Type)
	})
	return nil
}

func fieldNames(schema *arrow.Schema) []string {
	var names []string
	for _, f := range schema.Fields() {
		names = append(names, f.Name)
	}
	return names
}

// produceArrow cuts a file into tasks.
func (r *run) produceArrow(ctx context.Context, p *plan, file int, s Source, format Format, in *watched, give func(task) error) error {
	schema, parts, err := arrowSchema(in, format, r.options.Workers)
	if err != nil {
		return err
	}
	names := fieldNames(schema)
	if err := p.same(names); err != nil {
		return err
	}
	if err := p.readable(schema); err != nil {
		return err
	}
	for _, part := range parts {
		t := task{read: func(b *batch, take func() error) error {
			f, err := s.Open()
			if err != nil {
				return err
			}
			defer f.Close()
			err = guarded(func() error {
				return part.read(ctx, p, &watched{f, ctx, in.tell}, func(rec arrow.RecordBatch, at string, row int64) error {
					if err := b.addRecord(rec, file, s.Name, at, row); err != nil {
						return err
					}
					return take()
				})
			})
			if err != nil && !strings.HasPrefix(err.Error(), s.Name) {
				err = fmt.Errorf("%s: %w", s.Name, err)
			}
			return err
		}}
		if err := give(t); err != nil {
			return err
		}
	}
	return nil
}

package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// ipcOptions bound a message by the file that it is in, too, so that no length
// in a broken one takes memory, once the schema was checked.
func ipcOptions(f File, stream bool) ([]ipc.Option, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if err := checkArrow(f, size, stream); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	size = max(size, 1) // 0 would be no limit
	return []ipc.Option{
		ipc.WithAllocator(newAllocator()), ipc.WithMetadataSizeLimit(min(size, maxArrowMetadata)), ipc.WithBodySizeLimit(min(size, maxArrowBytes)),
	}, nil
}

// newStream is ipc.NewReader, which leaves out the limits among the options.
func newStream(f File, options []ipc.Option) (*ipc.Reader, error) {
	return ipc.NewReaderFromMessageReader(ipc.NewMessageReader(f, options...), options...)
}

func ipcSchema(f File, workers int) (*arrow.Schema, []arrowTask, error) {
	head := make([]byte, len(magicArrow))
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, nil, err
	}
	stream := string(head) != magicArrow
	options, err := ipcOptions(f, stream)
	if err != nil {
		return nil, nil, err
	}
	if stream {
		r, err := newStream(f, options)
		if err != nil {
			return nil, nil, err
		}
		defer r.Release()
		return r.Schema(), []arrowTask{{readStream}}, nil
	}
	r, err := ipc.NewFileReader(f, options...)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	var tasks []arrowTask
	records := r.NumRecords()
	for step := max(records/(4*workers), 1); records > 0; records -= step {
		from, to := max(records-step, 0), records
		tasks = append(tasks, arrowTask{func(ctx context.Context, p *plan, f File, each func(arrow.RecordBatch, string, int64) error) error {
			return readRecords(ctx, f, from, to, each)
		}})
	}
	return r.Schema(), tasks, nil
}

func readStream(ctx context.Context, _ *plan, f File, each func(arrow.RecordBatch, string, int64) error) error {
	options, err := ipcOptions(f, true)
	if err != nil {
		return err
	}
	r, err := newStream(f, options)
	if err != nil {
		return err
	}
	defer r.Release()
	row := int64(1)
	for r.Next() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rec := r.RecordBatch()
		if err := each(rec, "row", row); err != nil {
			return err
		}
		row += rec.NumRows()
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("after row %d: %w", row-1, err)
	}
	return nil
}

func readRecords(ctx context.Context, f File, from, to int, each func(arrow.RecordBatch, string, int64) error) error {
	options, err := ipcOptions(f, false)
	if err != nil {
		return err
	}
	r, err := ipc.NewFileReader(f, options...)
	if err != nil {
		return err
	}
	defer r.Close()
	for i := from; i < to; i++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rec, err := r.RecordBatchAt(i)
		if err != nil {
			return fmt.Errorf("record batch %d: %w", i, err)
		}
		err = each(rec, fmt.Sprintf("record batch %d, row", i), int64(i)<<32+1)
		rec.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

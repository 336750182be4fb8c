package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// Bounds of what is read of a Parquet or Arrow file at a time.
const (
	maxArrowBytes    = 128 << 20 // in memory, of a page or record batch with all its buffers
	maxArrowMetadata = 32 << 20
	arrowRows        = 8192     // at a time, of Parquet
	maxKept          = 2 << 20  // of a buffer that is used again, and
	maxAllKept       = 16 << 20 // of all of a reader
)

// allocator refuses to take more memory than there may be. The library can't be
// told so but by a panic, which guarded turns into an error. What was freed is
// used again: a reader takes the same sizes for each of its batches.
type allocator struct {
	used  atomic.Int64
	mu    sync.Mutex
	freed [32][][]byte // of 2^i bytes each
	kept  int64        // bytes of these
}

var errArrowMemory = fmt.Errorf("a record batch or page takes more than %d MB: write smaller ones", maxArrowBytes>>20)

func newAllocator() *allocator { return &allocator{} }

// Allocate implements memory.Allocator.
func (a *allocator) Allocate(size int) []byte {
	a.take(size)
	return a.zeros(size)
}

// Reallocate implements memory.Allocator.
func (a *allocator) Reallocate(size int, b []byte) []byte {
	a.take(size - len(b))
	if size <= cap(b) {
		return b[:size]
	}
	larger := a.zeros(size)
	copy(larger, b)
	a.keep(b)
	return larger
}

// Free implements memory.Allocator.
func (a *allocator) Free(b []byte) {
	a.used.Add(-int64(len(b)))
	a.keep(b)
}

func (a *allocator) zeros(size int) []byte {
	class := bits.Len(uint(max(size, 64) - 1))
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.freed[class]); n > 0 {
		b := a.freed[class][n-1]
		a.freed[class] = a.freed[class][:n-1]
		a.kept -= int64(cap(b))
		clear(b[:size])
		return b[:size]
	}
	if size > maxKept {
		return memory.NewGoAllocator().Allocate(size)
	}
	b := memory.NewGoAllocator().Allocate(1 << class)
	return b[:size]
}

// keep b for another time, unless it is large or much is kept.
func (a *allocator) keep(b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	class := bits.Len(uint(cap(b))) - 1
	if cap(b) >= 64 && cap(b) == 1<<class && cap(b) <= maxKept && a.kept+int64(cap(b)) <= maxAllKept {
		a.kept += int64(cap(b))
		a.freed[class] = append(a.freed[class], b)
	}
}

func (a *allocator) take(n int) {
	if n < -maxArrowBytes || n > maxArrowBytes || a.used.Add(int64(n)) > maxArrowBytes {
		panic(errArrowMemory)
	}
}

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

func openParquet(f File) (*pqarrow.FileReader, error) {
	mem := newAllocator()
	props := parquet.NewReaderProperties(mem)
	props.BufferedStreamEnabled = true
	r, err := file.NewParquetReader(f, file.WithReadProps(props))
	if err != nil {
		return nil, err
	}
	return pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: arrowRows}, mem)
}

func parquetSchema(f File) (*arrow.Schema, []arrowTask, error) {
	r, err := openParquet(f)
	if err != nil {
		return nil, nil, err
	}
	schema, err := r.Schema()
	if err != nil {
		return nil, nil, err
	}
	var tasks []arrowTask
	row := int64(1)
	for group := range r.ParquetReader().NumRowGroups() {
		first := row
		row += r.ParquetReader().MetaData().RowGroup(group).NumRows()
		tasks = append(tasks, arrowTask{func(ctx context.Context, p *plan, f File, each func(arrow.RecordBatch, string, int64) error) error {
			return readRowGroup(ctx, p, f, group, first, each)
		}})
	}
	return schema, tasks, nil
}

// readRowGroup reads the columns of the plan.
func readRowGroup(ctx context.Context, p *plan, f File, group int, row int64, each func(arrow.RecordBatch, string, int64) error) error {
	r, err := openParquet(f)
	if err != nil {
		return err
	}
	var leaves []int
	for _, field := range r.Manifest.Fields {
		if i, ok := p.byName[field.Field.Name]; ok && p.columns[i].slot >= 0 {
			leaves = appendLeaves(leaves, field)
		}
	}
	records, err := r.GetRecordReader(ctx, leaves, []int{group})
	if err != nil {
		return err
	}
	defer records.Release()
	for records.Next() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		rec := records.RecordBatch()
		if err := each(rec, "row", row); err != nil {
			return err
		}
		row += rec.NumRows()
	}
	if err := records.Err(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("row group %d: %w", group, err)
	}
	return nil
}

func appendLeaves(leaves []int, field pqarrow.SchemaField) []int {
	if field.IsLeaf() {
		return append(leaves, field.ColIndex)
	}
	for _, child := range field.Children {
		leaves = appendLeaves(leaves, child)
	}
	return leaves
}

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

package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

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

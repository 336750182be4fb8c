package dataset

import (
	"context"
	"slices"

	"github.com/leeway-dev/leeway/registry/profile"
)

// blockSource scans the values of a column.
type blockSource struct {
	ctx     context.Context
	store   *store
	values  columnValues
	numbers []float64
	bytes   []byte
}

func (b *blockSource) scan(many func([]float64), weighted func(counted)) error {
	for _, c := range b.values.counted {
		weighted(c)
	}
	for _, blk := range b.values.blocks {
		if b.ctx.Err() != nil {
			return context.Cause(b.ctx)
		}
		numbers, bytes, err := b.store.read(blk, b.numbers, b.bytes)
		if err != nil {
			return err
		}
		b.bytes = bytes
		if blk.numbers == nil {
			b.numbers = numbers
		}
		many(numbers)
	}
	return nil
}

// ordered is the values of a column in order.
func ordered(ctx context.Context, s *store, v columnValues, l limits) (profile.Values, error) {
	if len(v.blocks) == 0 {
		return runsOf(v.counted, 0), nil
	}
	source := &blockSource{ctx: ctx, store: s, values: v}
	if v.n > int64(l.sorted) {
		return newSelection(source, v.n, l, 0)
	}
	all := s.sorting()
	all.keys = slices.Grow(all.keys[:0], int(v.n))
	err := source.scan(func(values []float64) {
		for _, v := range values {
			all.keys = append(all.keys, keyOf(v))
		}
	}, func(c counted) {
		for range c.count {
			all.keys = append(all.keys, keyOf(c.value))
		}
	})
	all.sort()
	return all, err
}

package dataset_test

import (
	"testing"

	"github.com/leeway-dev/leeway/registry/dataset"
)

// Whatever the bytes, they are described or refused.
func FuzzArrow(f *testing.F) {
	s := newSample(20)
	rec := s.record()
	for _, b := range [][]byte{parquetOf(f, rec, 10), arrowOf(f, rec, false), arrowOf(f, rec, true)} {
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, format := range []dataset.Format{dataset.Parquet, dataset.Arrow} {
			source := dataset.Memory("f", b)
			source.Format = format
			p, _, err := dataset.Profile(t.Context(), []dataset.Source{source}, dataset.Options{Workers: 1})
			if err != nil {
				continue
			}
			if _, err := p.Encode(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

package dataset_test

import (
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/dataset"
)

// Whatever the bytes, they are described or refused.
func FuzzParquet(f *testing.F) {
	b := parquetOf(f, newSample(20).record(), 10)
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Fuzz(func(t *testing.T, b []byte) { describeOrRefuse(t, b, dataset.Parquet) })
}

func FuzzArrow(f *testing.F) {
	rec := newSample(20).record()
	for _, b := range [][]byte{arrowOf(f, rec, false), arrowOf(f, rec, true)} {
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) { describeOrRefuse(t, b, dataset.Arrow) })
}

// Lengths in a broken stream don't take memory that its bytes don't.
func TestArrowLengthsAreBoundedByTheFile(t *testing.T) {
	source := dataset.Memory("f", []byte("\xff\xff\xff\xff\x00\x00\x00\x7f rest of it"))
	source.Format = dataset.Arrow
	_, _, err := dataset.Profile(t.Context(), []dataset.Source{source}, dataset.Options{Workers: 1})
	if err == nil || !strings.Contains(err.Error(), "exceeds limit") {
		t.Errorf("error %v", err)
	}
}

func describeOrRefuse(t *testing.T, b []byte, format dataset.Format) {
	source := dataset.Memory("f", b)
	source.Format = format
	p, _, err := dataset.Profile(t.Context(), []dataset.Source{source}, dataset.Options{Workers: 1})
	if err != nil {
		return
	}
	if _, err := p.Encode(); err != nil {
		t.Fatal(err)
	}
}

package dataset_test

import (
	"bytes"
	"encoding/binary"
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
	if err == nil || !strings.Contains(err.Error(), "bytes of metadata at byte 8 of 19") {
		t.Errorf("error %v", err)
	}
}

// A list in the schema that claims to be longer than the file is refused before room is made for it.
func TestArrowSchemaIsBounded(t *testing.T) {
	rec := newSample(20).record()
	refused := 0
	for _, stream := range []bool{false, true} {
		good := arrowOf(t, rec, stream)
		end := len(good)
		if stream { // the schema is its first message
			end = 8 + int(binary.LittleEndian.Uint32(good[4:]))
		}
		for at := 8; at+4 <= end; at += 4 {
			b := bytes.Clone(good)
			binary.LittleEndian.PutUint32(b[at:], 0x7fff_0000)
			source := dataset.Memory("f", b)
			source.Format = dataset.Arrow
			if _, _, err := dataset.Profile(t.Context(), []dataset.Source{source}, dataset.Options{Workers: 1}); err != nil && strings.Contains(err.Error(), "schema is broken") {
				refused++
			}
		}
	}
	if refused < 5 {
		t.Errorf("%d lengths were refused", refused)
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

package unpack_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/leeway-dev/leeway/sidecar/unpack"
)

// pool is a Room of n bytes that says what was lent at most.
type pool struct{ n, lent, most int }

func (p *pool) Grow(buf []byte, n int) ([]byte, bool) {
	if p.lent+n > p.n {
		return buf, false
	}
	p.lent += n
	p.most = max(p.most, p.lent)
	larger := append(make([]byte, 0, n), buf...)
	p.Release(buf)
	return larger, true
}

func (p *pool) Release(buf []byte) { p.lent -= cap(buf) }

// packed writes a body in every coding.
func packed(t testing.TB, body []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	write := func(name string, open func(io.Writer) io.WriteCloser) {
		var b bytes.Buffer
		w := open(&b)
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
	}
	write("gzip", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	write("deflate", func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	write("Deflate", func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 6); return f }) // raw
	write("ZSTD", func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z })        // size not known
	z, _ := zstd.NewWriter(nil)
	out["zstd"] = z.EncodeAll(body, nil)
	return out
}

func TestUnpack(t *testing.T) {
	var u unpack.Unpacker
	rng := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 300<<10)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for _, body := range [][]byte{nil, []byte("{}"), bytes.Repeat([]byte("12.5,"), 20_000), bytes.Repeat([]byte("1,"), 200_000), noise} {
		for name, b := range packed(t, body) {
			room := &pool{n: 4 << 20}
			got, err := u.Unpack(unpack.Of([]byte(name)), b, 1<<20, room)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s of %d bytes: got %d, %v", name, len(body), len(got), err)
			}
			if room.Release(got); room.lent != 0 {
				t.Errorf("%s of %d bytes: %d were not given back", name, len(body), room.lent)
			}
			if len(body) == 0 {
				continue
			}
			if _, err := u.Unpack(unpack.Of([]byte(name)), b, len(body)-1, room); !errors.Is(err, unpack.ErrTooLarge) {
				t.Errorf("%s of %d bytes, one too many: %v", name, len(body), err)
			}
			if _, err := u.Unpack(unpack.Of([]byte(name)), b, 1<<20, &pool{}); !errors.Is(err, unpack.ErrNoRoom) {
				t.Errorf("%s of %d bytes without room: %v", name, len(body), err)
			}
			for _, cut := range []int{1, len(b) / 2, len(b) - 1} {
				if _, err := u.Unpack(unpack.Of([]byte(name)), b[:cut], 1<<20, room); !errors.Is(err, unpack.ErrBroken) {
					t.Errorf("%s of %d bytes, cut at %d: %v", name, len(body), cut, err)
				}
			}
			if room.lent != 0 {
				t.Errorf("%s of %d bytes, refused: %d were not given back", name, len(body), room.lent)
			}
		}
	}
	for _, name := range []string{"br", "gzip, gzip", "compress"} {
		if unpack.Of([]byte(name)) != unpack.Unknown {
			t.Errorf("%s is known", name)
		}
	}
}

// A bomb of 16 MiB is cut off, and costs neither that nor a megabyte.
func TestBomb(t *testing.T) {
	bombs := packed(t, make([]byte, 16<<20))
	var u unpack.Unpacker
	for name, b := range bombs {
		if len(b) > 1<<20 {
			t.Fatalf("%s: %d bytes are no bomb", name, len(b))
		}
		room := &pool{n: 2 << 20}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := u.Unpack(unpack.Of([]byte(name)), b, 800<<10, room)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, unpack.ErrTooLarge) || room.lent != 0 {
			t.Errorf("%s: %v, %d bytes not given back", name, err, room.lent)
		}
		t.Logf("%s: %d bytes allocated, %d of them lent at once", name, after.TotalAlloc-before.TotalAlloc, room.most)
		if n := after.TotalAlloc - before.TotalAlloc; n > 3<<20 || room.most > 1<<20 {
			t.Errorf("%s: allocated %d bytes, %d of them lent at once", name, n, room.most)
		}
	}
}

func TestPauses(t *testing.T) {
	n := 0
	u := unpack.Unpacker{Pause: func() { n++ }}
	if _, err := u.Unpack(unpack.Gzip, packed(t, make([]byte, 100<<10))["gzip"], 1<<20, &pool{n: 1 << 20}); err != nil || n < 12 {
		t.Errorf("%d pauses, %v", n, err)
	}
}

func FuzzUnpack(f *testing.F) {
	for name, b := range packed(f, []byte(`{"instances":[[1,2.5,"x"]]}`)) {
		f.Add(strings.ToLower(name), b)
	}
	var u unpack.Unpacker
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		room := &pool{n: 1 << 20}
		out, err := u.Unpack(unpack.Of([]byte(name)), body, 10_000, room)
		if err == nil && len(out) > 10_000 {
			t.Errorf("%d bytes came out", len(out))
		}
		if room.Release(out); room.lent != 0 {
			t.Errorf("%d bytes were not given back", room.lent)
		}
	})
}

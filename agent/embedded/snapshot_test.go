package embedded_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/leeway-dev/leeway/agent/embedded"
)

// minutes appends a sample a minute, from so long ago until so long ago; the value
// is the minute.
func (e *engine) minutes(t *testing.T, now time.Time, from, to time.Duration, series ...string) {
	t.Helper()
	for ago := from; ago > to; ago -= time.Minute {
		at := now.Add(-ago)
		e.append(t, at, float64(at.Unix()/60), series...)
	}
}

// held is how many samples of a series an engine has in the last twelve hours. Each
// must be there once, with its own value.
func (e *engine) held(t *testing.T, now time.Time, node string) int {
	t.Helper()
	code, body := e.get(t, fmt.Sprintf(`/api/v1/query?query=m{node="%s"}[12h]&time=%d`, node, now.Unix()))
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	var last int64
	n := 0
	_, values, _ := strings.Cut(body, `"values":[[`)
	for pair := range strings.SplitSeq(values, "],[") {
		var at float64
		var minute int64
		if _, err := fmt.Sscanf(pair, `%g,"%d"`, &at, &minute); err != nil {
			continue
		}
		if minute <= last || int64(at)/60 != minute {
			t.Errorf("node %s: at %g the sample is %d, after %d", node, at, minute, last)
		}
		last = minute
		n++
	}
	return n
}

func (e *engine) snapshot(t *testing.T, since time.Time) []byte {
	t.Helper()
	s, err := e.Snapshot(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := errors.Join(s.Write(&b), s.Close()); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) < s.Bytes {
		t.Errorf("%d bytes were written, and %d said", b.Len(), s.Bytes)
	}
	return b.Bytes()
}

func (e *engine) restore(t *testing.T, snapshot []byte) embedded.Restored {
	t.Helper()
	res, err := e.Restore(t.Context(), bytes.NewReader(snapshot))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// A replica that was away for hours, or has lost its volume, gets from another what
// it has missed, and loses nothing of its own: not at once, nor over a restart.
func TestSnapshotIsRestored(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	first := start(t, embedded.Config{DataDir: t.TempDir()})
	first.minutes(t, now, 11*time.Hour, 5*time.Hour, "__name__", "m", "node", "n1")

	// The one that stayed has a block already, a head, and what came late.
	stayed := start(t, embedded.Config{DataDir: t.TempDir()})
	stayed.restore(t, first.snapshot(t, time.Time{}))
	stayed.minutes(t, now, 5*time.Hour, 0, "__name__", "m", "node", "n1")
	stayed.minutes(t, now, 2*time.Hour, time.Hour, "__name__", "m", "node", "late")

	dir := t.TempDir()
	away := start(t, embedded.Config{DataDir: dir})
	if got := away.Newest(); !got.IsZero() {
		t.Errorf("an empty storage has samples of %s", got)
	}
	away.minutes(t, now, 11*time.Hour, 10*time.Hour, "__name__", "m", "node", "n1")
	away.stop()
	away = start(t, embedded.Config{DataDir: dir})
	newest := now.Add(-10*time.Hour - time.Minute + time.Minute)
	if got := away.Newest(); newest.Sub(got) < 0 || newest.Sub(got) > time.Minute {
		t.Errorf("the newest sample is of %s; want %s", got, newest)
	}
	// Meanwhile the agents send again, and it has series of its own.
	away.minutes(t, now, 30*time.Minute, 0, "__name__", "m", "node", "n1")
	away.minutes(t, now, 30*time.Minute, 0, "__name__", "m", "node", "own")
	res := away.restore(t, stayed.snapshot(t, away.Newest()))
	if res.Blocks < 2 || res.Bytes == 0 || res.Through.Before(now.Add(-2*time.Minute)) {
		t.Errorf("restored %+v; want the block, the head's and what came late, up to now", res)
	}
	for _, when := range []string{"restored", "started again"} {
		for node, want := range map[string]int{"n1": 11 * 60, "late": 60, "own": 30} {
			if got := away.held(t, now, node); got != want {
				t.Errorf("%s: %d samples of %s; want %d", when, got, node, want)
			}
		}
		away.stop()
		away = start(t, embedded.Config{DataDir: dir})
	}
	if again := away.restore(t, stayed.snapshot(t, now.Add(-time.Minute))); again.Blocks != 1 {
		t.Errorf("restored %+v; want the head's block alone, for it ends later", again)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*.tmp*"))
	if more, _ := filepath.Glob(filepath.Join(dir, "snapshot-*")); err != nil || len(left)+len(more) > 0 {
		t.Errorf("%v and %v are left, %v", left, more, err)
	}
}

// One is given at a time, and one that was cut short leaves nothing behind.
func TestSnapshotsOneAtATime(t *testing.T) {
	dir := t.TempDir()
	e := start(t, embedded.Config{DataDir: dir})
	s, err := e.Snapshot(t.Context(), time.Time{})
	if err != nil {
		t.Fatal("of an empty storage:", err)
	}
	if _, err := e.Snapshot(t.Context(), time.Time{}); !errors.Is(err, embedded.ErrBusy) {
		t.Errorf("the second: %v", err)
	}
	var empty bytes.Buffer
	if err := errors.Join(s.Write(&empty), s.Close()); err != nil {
		t.Fatal(err)
	}
	if res := e.restore(t, empty.Bytes()); res.Blocks != 0 {
		t.Errorf("%+v of nothing", res)
	}
	if s, err = e.Snapshot(t.Context(), time.Time{}); err != nil {
		t.Errorf("after that: %v", err)
	} else if err := s.Close(); err != nil {
		t.Error(err)
	}
	e.stop()
	if err := os.Mkdir(filepath.Join(dir, "snapshot-of-a-run-that-was-killed"), 0o750); err != nil {
		t.Fatal(err)
	}
	start(t, embedded.Config{DataDir: dir})
	if left, err := filepath.Glob(filepath.Join(dir, "snapshot-*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// What isn't a block, or not whole, is refused, and what came before it stays.
func TestRestoreRefuses(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	first := start(t, embedded.Config{DataDir: t.TempDir()})
	first.minutes(t, now, 3*time.Hour, 2*time.Hour, "__name__", "m", "node", "n1")
	second := start(t, embedded.Config{DataDir: t.TempDir()})
	second.restore(t, first.snapshot(t, time.Time{}))
	second.minutes(t, now, time.Hour, 0, "__name__", "m", "node", "n1")
	whole := second.snapshot(t, time.Time{}) // two blocks

	change := func(f func(i int, h *tar.Header, b []byte) []byte) []byte {
		t.Helper()
		var out bytes.Buffer
		w, r := tar.NewWriter(&out), tar.NewReader(bytes.NewReader(whole))
		for i := 0; ; i++ {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			b, readErr := io.ReadAll(r)
			if err := errors.Join(err, readErr); err != nil {
				t.Fatal(err)
			}
			b = f(i, h, b)
			h.Size = int64(len(b))
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	in := func(name string, f func(b []byte) []byte) []byte { // the second block
		seen := 0
		return change(func(_ int, h *tar.Header, b []byte) []byte {
			if strings.HasSuffix(h.Name, name) {
				if seen++; seen == 2 {
					return f(b)
				}
			}
			return b
		})
	}
	for _, c := range []struct {
		name     string
		snapshot []byte
		blocks   int
		want     string
	}{
		{"whole", whole, 2, ""},
		{"cut short", whole[:len(whole)*3/4], 1, "unexpected EOF"},
		{"no tar", []byte(strings.Repeat("x", 2000)), 0, "archive/tar"},
		{"a flipped bit in a chunk", in("chunks/000001", func(b []byte) []byte {
			b[len(b)-20] ^= 1
			return b
		}), 1, "checksum"},
		{"no index", in("index", func([]byte) []byte { return nil }), 1, "block "},
		{"another block's meta.json", in("meta.json", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"ulid": "01`), []byte(`"ulid": "00`), 1)
		}), 1, "is of block 00"},
		{"from the future", in("meta.json", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"maxTime": 1`), []byte(`"maxTime": 9`), 1)
		}), 1, "now is"},
		{"an enormous meta.json", in("meta.json", func([]byte) []byte { return make([]byte, 2<<20) }), 1, "at most"},
		{"somewhere else", change(func(i int, h *tar.Header, b []byte) []byte {
			if i == 0 {
				h.Name = "../../etc/passwd"
			}
			return b
		}), 0, "no file of a block"},
		{"another file", change(func(i int, h *tar.Header, b []byte) []byte {
			if i == 0 {
				h.Name = strings.Replace(h.Name, "chunks/", "wal/", 1)
			}
			return b
		}), 0, "no file of a block"},
		{"a link", change(func(i int, h *tar.Header, b []byte) []byte {
			if i == 0 {
				h.Typeflag, h.Linkname, b = tar.TypeSymlink, "/etc/passwd", nil
			}
			return b
		}), 0, "no file of a block"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			e := start(t, embedded.Config{DataDir: dir})
			res, err := e.Restore(t.Context(), bytes.NewReader(c.snapshot))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v; want %q", err, c.want)
			}
			if res.Blocks != c.blocks {
				t.Errorf("%d blocks are there; want %d", res.Blocks, c.blocks)
			}
			if got := e.held(t, now, "n1"); got != 60*c.blocks {
				t.Errorf("%d samples; want %d", got, 60*c.blocks)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "tsdb", "*.tmp*")); err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte{})
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"chunks/000001", "index", "meta.json"} {
		if err := w.WriteHeader(&tar.Header{Name: "01HZX0000000000000000000AA/" + name, Mode: 0o640, Size: 2}); err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write([]byte("{}")); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	e, err := embedded.New(embedded.Config{DataDir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = e.Close() })
	f.Fuzz(func(t *testing.T, snapshot []byte) {
		if res, err := e.Restore(t.Context(), bytes.NewReader(snapshot)); err == nil && res.Blocks > 0 {
			t.Errorf("took %+v", res)
		}
	})
}

// What a copy costs both sides, by the series in the head, of 60 samples each.
func BenchmarkSnapshot(b *testing.B) {
	for _, series := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("series=%d", series), func(b *testing.B) {
			open := func() *embedded.Engine {
				e, err := embedded.New(embedded.Config{DataDir: b.TempDir()})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = e.Close() })
				return e
			}
			from, now := open(), time.Now()
			for minute := range 60 {
				app := from.AppenderV2(b.Context())
				for i := range series {
					ls := labels.FromStrings("__name__", "m_total", "pod", fmt.Sprint("pod-", i))
					if _, err := app.Append(0, ls, 0, now.Add(time.Duration(minute-60)*time.Minute).UnixMilli(), float64(i+minute), nil, nil, storage.AOptions{}); err != nil {
						b.Fatal(err)
					}
				}
				if err := app.Commit(); err != nil {
					b.Fatal(err)
				}
			}
			var size int64
			b.ReportAllocs()
			for b.Loop() {
				s, err := from.Snapshot(b.Context(), time.Time{})
				if err != nil {
					b.Fatal(err)
				}
				r, w := io.Pipe()
				go func() { w.CloseWithError(s.Write(w)) }()
				res, err := open().Restore(b.Context(), r)
				if err := errors.Join(err, s.Close()); err != nil {
					b.Fatal(err)
				}
				size = res.Bytes
			}
			b.ReportMetric(float64(size)/float64(series), "B/series")
		})
	}
}

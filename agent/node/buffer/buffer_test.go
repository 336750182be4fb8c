package buffer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leeway-dev/leeway/agent/node/buffer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.UnixMilli(1_700_000_000_000)

func open(t *testing.T, c buffer.Config) *buffer.Buffer {
	t.Helper()
	b, err := buffer.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func reader(t *testing.T, b *buffer.Buffer, name string) *buffer.Reader {
	t.Helper()
	r, err := b.Reader(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func put(t *testing.T, b *buffer.Buffer, from, to int, step time.Duration) {
	t.Helper()
	for i := from; i < to; i++ {
		rec := buffer.Record{Time: start.Add(time.Duration(i) * step), Samples: 10, Body: fmt.Appendf(nil, "record %d", i)}
		if err := b.Append(rec); err != nil {
			t.Fatal(err)
		}
	}
}

// take reads and acknowledges n records and says which they were.
func take(t *testing.T, r *buffer.Reader, n int) string {
	t.Helper()
	var got []string
	for range n {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		rec, err := r.Next(ctx)
		cancel()
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		got = append(got, strings.TrimPrefix(string(rec.Body), "record "))
		r.Ack()
	}
	return strings.Join(got, " ")
}

func TestReadersHaveTheirOwnPositions(t *testing.T) {
	b := open(t, buffer.Config{Dir: t.TempDir(), SegmentBytes: 100})
	fast, slow := reader(t, b, "a"), reader(t, b, "b")
	put(t, b, 0, 12, time.Second)
	if got := take(t, fast, 12); got != "0 1 2 3 4 5 6 7 8 9 10 11" {
		t.Errorf("fast: %s", got)
	}
	if got := take(t, slow, 3); got != "0 1 2" {
		t.Errorf("slow: %s", got)
	}
	if n, since := slow.Behind(); n != 90 || !since.Equal(start.Add(2*time.Second)) {
		t.Errorf("slow is behind by %d samples since %v", n, since)
	}
	if n, _ := fast.Behind(); n != 0 {
		t.Errorf("fast is behind by %d", n)
	}
	if _, err := b.Reader("a"); err == nil {
		t.Error("a name was given twice")
	}
}

func TestNextRepeatsUntilAck(t *testing.T) {
	b := open(t, buffer.Config{Dir: t.TempDir()})
	r := reader(t, b, "a")
	put(t, b, 0, 2, time.Second)
	for range 2 {
		rec, err := r.Next(t.Context())
		if err != nil || string(rec.Body) != "record 0" || rec.Samples != 10 || !rec.Time.Equal(start) {
			t.Fatalf("%+v, %v", rec, err)
		}
	}
	r.Ack()
	r.Ack() // one record is acknowledged once
	if got := take(t, r, 1); got != "1" {
		t.Errorf("got %s", got)
	}
}

func TestNextWaitsAndEnds(t *testing.T) {
	b := open(t, buffer.Config{Dir: t.TempDir()})
	r := reader(t, b, "a")
	got := make(chan error, 1)
	go func() {
		_, err := r.Next(t.Context())
		got <- err
	}()
	put(t, b, 0, 1, time.Second)
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	r.Ack()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	go func() {
		_, err := r.Next(t.Context())
		got <- err
	}()
	b.Close()
	if err := <-got; !errors.Is(err, buffer.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := b.Append(buffer.Record{}); !errors.Is(err, buffer.ErrClosed) {
		t.Errorf("append: %v", err)
	}
}

func TestRestart(t *testing.T) {
	cfg := buffer.Config{Dir: t.TempDir(), SegmentBytes: 100}
	b := open(t, cfg)
	r := reader(t, b, "http://c-0:9096/x") // any name makes a file name
	put(t, b, 0, 10, time.Second)
	take(t, r, 7)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, cfg)
	r = reader(t, b, "http://c-0:9096/x")
	if n, _ := r.Behind(); n != 30 {
		t.Errorf("behind by %d samples; want 30", n)
	}
	put(t, b, 10, 12, time.Second)
	if got := take(t, r, 5); got != "7 8 9 10 11" {
		t.Errorf("after a restart: %s", got)
	}
	if got := take(t, reader(t, b, "new"), 3); got != "0 1 2" {
		t.Errorf("a new replica begins with %s", got)
	}
}

func TestCrashInTheMiddleOfAWrite(t *testing.T) {
	for _, cut := range []int64{1, 10, 25} {
		dir := t.TempDir()
		b := open(t, buffer.Config{Dir: dir})
		put(t, b, 0, 3, time.Second)
		b.Close()
		path := filepath.Join(dir, "0000000000000001.seg")
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, info.Size()-cut); err != nil {
			t.Fatal(err)
		}
		b = open(t, buffer.Config{Dir: dir})
		put(t, b, 3, 4, time.Second)
		r := reader(t, b, "a")
		if got := take(t, r, 3); got != "0 1 3" {
			t.Errorf("cut by %d: %s", cut, got)
		}
		r.Close()
	}
}

func TestDamageCostsTheSegment(t *testing.T) {
	dir := t.TempDir()
	b := open(t, buffer.Config{Dir: dir})
	put(t, b, 0, 3, time.Second)
	b.Close()
	path := filepath.Join(dir, "0000000000000001.seg")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 0xff // in the second record
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	b = open(t, buffer.Config{Dir: dir})
	put(t, b, 3, 4, time.Second)
	r := reader(t, b, "a")
	if got := take(t, r, 2); got != "0 3" {
		t.Errorf("got %s", got)
	}
	if r.Dropped() != 20 {
		t.Errorf("dropped %d samples; want 20", r.Dropped())
	}
	r.Close()
}

func TestOldRecordsAreDroppedAndCounted(t *testing.T) {
	b := open(t, buffer.Config{Dir: t.TempDir(), MaxAge: 10 * time.Minute})
	away, here := reader(t, b, "away"), reader(t, b, "here")
	put(t, b, 0, 5, time.Minute)
	take(t, away, 2)
	take(t, here, 5)
	for i := 5; i < 30; i++ {
		put(t, b, i, i+1, time.Minute)
		take(t, here, 1)
	}
	if here.Dropped() != 0 {
		t.Errorf("a reader that keeps up lost %d samples", here.Dropped())
	}
	rec, err := away.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	newest := start.Add(29 * time.Minute)
	if age := newest.Sub(rec.Time); age > 11*time.Minute || age < 9*time.Minute {
		t.Errorf("the oldest record is %s old; want about 10m", age)
	}
	left, _ := away.Behind()
	if got := 20 + away.Dropped() + left; got != 300 {
		t.Errorf("acknowledged 20, dropped %d, left %d: want 300 in all", away.Dropped(), left)
	}
	away.Ack() // of a record that is there
	if n, _ := away.Behind(); n != left-10 {
		t.Errorf("%d left after Ack; want %d", n, left-10)
	}
}

func TestBytesAreBounded(t *testing.T) {
	dir := t.TempDir()
	b := open(t, buffer.Config{Dir: dir, MaxBytes: 2000, SegmentBytes: 200})
	r := reader(t, b, "a")
	for i := range 200 {
		put(t, b, i, i+1, time.Millisecond)
		if b.Bytes() > 2000+300 {
			t.Fatalf("%d bytes", b.Bytes())
		}
	}
	if r.Dropped() == 0 {
		t.Error("nothing was counted as dropped")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(files) > 12 {
		t.Errorf("%d segments are left, %v", len(files), err)
	}
	if err := b.Append(buffer.Record{Body: make([]byte, 17<<20)}); err == nil {
		t.Error("a record without bounds was taken")
	}
}

// A record that is dropped while it is being sent is not acknowledged into the
// next segment.
func TestDropWhileHeld(t *testing.T) {
	b := open(t, buffer.Config{Dir: t.TempDir(), MaxAge: time.Minute})
	r := reader(t, b, "a")
	put(t, b, 0, 1, time.Hour)
	if _, err := r.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, b, 1, 3, time.Hour)
	r.Ack()
	if got := take(t, r, 1); got != "2" {
		t.Errorf("got %s", got)
	}
	if r.Dropped() != 20 {
		t.Errorf("dropped %d; want 20", r.Dropped())
	}
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

// TestMain lets the tests' program be the upstream too.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "upstream" {
		fmt.Fprintln(os.Stderr, serve(os.Args[2]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func begun(t *testing.T, pace string) string {
	t.Helper()
	p, addr, err := self("upstream", pace)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return addr
}

// serving is Go's server, for both protocols.
func serving(t *testing.T, handler http.HandlerFunc) (addr string) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// A large request is answered by the upstream, and by Go's own server, whose windows have to be waited for.
func TestLoad(t *testing.T) {
	other := serving(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if want := map[int]int{1: 2680 * columns * 4, 2: 2680 * columns * 8}[r.ProtoMajor]; err == nil && len(b) < want {
			t.Errorf("a request of %d bytes, want at least %d", len(b), want)
		}
		w.Write(newAnswer2().message)
		if r.ProtoMajor == 2 {
			w.Header().Set(http.TrailerPrefix+"grpc-status", "0")
		}
	})
	for name, addr := range map[string]string{"upstream": begun(t, "fast"), "net/http": other} {
		for _, w := range []wire{http1, grpc} {
			t.Run(fmt.Sprint(name, ", ", w), func(t *testing.T) {
				r, err := w.traffic(3, 2680).run(context.Background(), addr, 200*time.Millisecond)
				if err != nil {
					t.Fatal(r, err)
				}
			})
		}
	}
}

// At a constant rate no more requests are sent, and an upstream that sleeps answers them after that time.
func TestPaced(t *testing.T) {
	addr := begun(t, "sleep:2ms")
	for _, w := range []wire{http1, grpc} {
		load := w.traffic(20, 1)
		load.perS = 500
		r, err := load.run(context.Background(), addr, 400*time.Millisecond)
		if err != nil || r.n > 220 || r.p50 < 2000 {
			t.Errorf("%s: %+v, %v", w, r, err)
		}
	}
}

// An error is no answer.
func TestRefused(t *testing.T) {
	addr := serving(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	for _, w := range []wire{http1, grpc} {
		if r, err := w.traffic(1, 1).run(context.Background(), addr, 50*time.Millisecond); err == nil {
			t.Errorf("%s: %+v", w, r)
		}
	}
}

// Frames are the same however they come.
func TestFrames(t *testing.T) {
	var wire []byte
	wire = appendSettings(wire, 1<<20)
	wire = appendFrame(wire, frameHeaders, flagHeaders, 1, []byte("block"))
	wire = appendFrame(wire, frameData, flagEnd, 1, bytes.Repeat([]byte("x"), 300))
	wire = appendWindow(wire, 0, 7)
	wire = appendFrame(wire, frameSettings, flagAck, 0, nil)
	for _, size := range []int{1, 2, 9, 10, 100, len(wire)} {
		var f frames
		var said []string
		for b := wire; len(b) > 0; b = b[min(size, len(b)):] {
			f.take(b[:min(size, len(b))], func(f *frame) error {
				said = append(said, fmt.Sprintf("%d %d %d %d %x", f.kind, f.flags, f.stream, f.length, f.payload))
				return nil
			})
		}
		want := "[4 0 0 6 000400100000 1 4 1 5 626c6f636b 0 1 1 300  8 0 0 4 00000007 4 1 0 0 ]"
		if got := fmt.Sprint(said); got != want {
			t.Errorf("in pieces of %d: %s, want %s", size, got, want)
		}
	}
}

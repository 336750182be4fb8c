package relay_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/relay"
)

// closedPort is an address where nothing listens.
func closedPort(t *testing.T) string {
	l := listen(t)
	l.Close()
	return l.Addr().String()
}

func TestRefused(t *testing.T) { each(t, testRefused) }

func testRefused(t *testing.T, portable bool) {
	upstream := closedPort(t)
	var mu sync.Mutex
	reasons := map[relay.Reason]int{}
	var statuses statusSink
	_, addr := start(t, portable, upstream, func() relay.Follower { return follow.New(&statuses) }, func(r relay.Reason) { mu.Lock(); reasons[r]++; mu.Unlock() })

	for _, c := range []struct{ method, send string }{
		{"GET", "GET / HTTP/1.1\r\nHost: m\r\n\r\n"},
		{"POST", "POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("b", 300000)},
		{"HEAD", "HEAD / HTTP/1.1\r\n\r\n"},
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, c.send)
		req, _ := http.NewRequest(c.method, "/", nil)
		resp, err := http.ReadResponse(bufio.NewReader(conn), req)
		if err != nil {
			t.Fatalf("%s: %v", c.method, err)
		}
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode != 502 || err != nil {
			t.Errorf("%s: status %d, %v", c.method, resp.StatusCode, err)
		}
		var e struct{ Error string }
		if c.method == "HEAD" {
			if len(body) > 0 {
				t.Errorf("HEAD got a body")
			}
		} else if err := json.Unmarshal(body, &e); err != nil || !strings.Contains(e.Error, "leeway-sidecar") || !strings.Contains(e.Error, upstream) || bytes.Count(body, []byte("\n")) != 1 {
			t.Errorf("%s: body %q, %v", c.method, body, err)
		}
		conn.Close()
	}
	conn, _ := net.Dial("tcp", addr)
	io.WriteString(conn, "\x16\x03\x01")
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if b, _ := io.ReadAll(conn); len(b) > 0 {
		t.Errorf("a TLS client got %q", b)
	}
	conn.Close()
	mu.Lock()
	defer mu.Unlock()
	if reasons[relay.ReasonRefused] != 4 {
		t.Errorf("reasons %v, want 4 × refused", reasons)
	}
	for until := time.Now().Add(5 * time.Second); statuses.count(502) < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("the follower saw %d answers of 502, want 3", statuses.count(502))
		}
	}
}

type statusSink struct {
	ignore
	mu   sync.Mutex
	seen []int
}

func (s *statusSink) Done(e *follow.Exchange) {
	s.mu.Lock()
	s.seen = append(s.seen, e.Status)
	s.mu.Unlock()
}

func (s *statusSink) count(status int) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.seen {
		if v == status {
			n++
		}
	}
	return n
}

// A request under way is answered; the connection that is idle then ends with a FIN, and nobody can connect any more.
func TestShutdown(t *testing.T) { each(t, testShutdown) }

func testShutdown(t *testing.T, portable bool) {
	hold := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-hold; io.WriteString(w, "late") }))
	defer up.Close()
	r, addr := start(t, portable, up.Listener.Addr().String(), nil, nil)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: m\r\n\r\n")
	time.Sleep(50 * time.Millisecond)
	done := make(chan error, 1)
	go func() { done <- r.Shutdown(context.Background()) }()
	select {
	case err := <-done:
		t.Fatalf("shut down with a request under way: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if c, err := net.Dial("tcp", addr); err != nil {
		t.Errorf("no new connections while draining: %v", err)
	} else {
		c.Close()
	}
	close(hold)
	b, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(b), "late") {
		t.Errorf("got %q, %v", b, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("still listening")
	}
}

func TestShutdownGrace(t *testing.T) { each(t, testShutdownGrace) }

func testShutdownGrace(t *testing.T, portable bool) {
	l := listen(t) // accepts, never answers
	r, addr := start(t, portable, l.Addr().String(), nil, nil)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: m\r\n\r\n")
	time.Sleep(50 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := r.Shutdown(ctx); err == nil {
		t.Error("a request was under way, but Shutdown says that all is well")
	}
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); ending(err) != "reset" {
		t.Errorf("the client saw %v, want a reset", err)
	}
}

// A client that asks for much and reads nothing stops its own connection only.
func TestSlowReader(t *testing.T) { each(t, testSlowReader) }

func testSlowReader(t *testing.T, portable bool) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 1024 {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}))
	defer up.Close()
	_, addr := start(t, portable, up.Listener.Addr().String(), nil, nil)
	slow, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	io.WriteString(slow, "GET / HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
	time.Sleep(100 * time.Millisecond)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != 64<<20 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	resp.Body.Close()
	if n, err := io.Copy(io.Discard, slow); n < 64<<20 || err != nil {
		t.Errorf("the slow reader got %d bytes, %v", n, err)
	}
}

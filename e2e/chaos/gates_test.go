package chaos_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestGate tries what the others rely on: a gate lets through what it should,
// and nothing else.
func TestGate(t *testing.T) {
	var taken atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodGet {
			taken.Add(1)
		}
		_, _ = w.Write(append([]byte("took "), b...))
	}))
	defer server.Close()
	g, err := newAPIGate(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer g.server.CloseClientConnections()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	put := func() (string, error) {
		r, err := http.NewRequest(http.MethodPut, "https://"+g.Addr().String()+"/x", strings.NewReader("this"))
		if err != nil {
			t.Fatal(err)
		}
		r.GetBody = nil // one attempt
		answer, err := client.Do(r)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		return string(b), err
	}
	want := func(when string, passes bool, times int64) {
		t.Helper()
		said, err := put()
		if passes != (err == nil && said == "took this") || taken.Load() != times {
			t.Errorf("%s: %q, %v; %d writes have arrived, want %d", when, said, err, taken.Load(), times)
		}
	}
	want("open", true, 1)
	g.set(true, false, 0)
	want("cut", false, 1)
	g.open()
	want("open again", true, 2)
	g.set(false, true, 0)
	want("stalled", false, 2)
	g.open()
	client.CloseIdleConnections()
	time.Sleep(50 * time.Millisecond) // for what was stalled to be given up
	before := taken.Load()
	began := time.Now()
	g.set(false, false, 100*time.Millisecond)
	want("slow", true, before+1)
	if time.Since(began) < 100*time.Millisecond {
		t.Error("it was not slow")
	}
	g.open()

	sprung := 0
	any := func(*http.Request) bool { return true }
	g.arm(&trap{matches: any, spring: func() { sprung++ }})
	want("trapped before", false, before+1)
	g.arm(&trap{matches: any, after: true, spring: func() { sprung++ }})
	want("trapped after", false, before+2)
	want("no trap is left", true, before+3)
	if sprung != 2 {
		t.Errorf("%d traps were sprung, want 2", sprung)
	}
}

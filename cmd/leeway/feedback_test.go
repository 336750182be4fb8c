package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leeway-dev/leeway/agent/feedback"
)

// labelServer is the real handler behind a network that misbehaves by the first
// part of the path.
type labelServer struct {
	*prometheus.Registry
	handler http.Handler
	dir     string
	calls   atomic.Int64
}

// newLabelServer serves $FEEDBACK for a script in dir.
func newLabelServer(e *testscript.Env) error {
	s := &labelServer{Registry: prometheus.NewRegistry(), dir: e.WorkDir}
	var err error
	if s.handler, err = feedback.New(feedback.Config{Registerer: s.Registry}); err != nil {
		return err
	}
	mux := http.NewServeMux()
	for path, serve := range map[string]http.HandlerFunc{
		"": s.handler.ServeHTTP, "/guarded": s.guarded, "/flaky": s.flaky, "/lossy": s.lossy, "/stuck": s.stuck,
		"/slow":  s.slow,
		"/other": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"ok"}`) },
		"/small": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "too much", http.StatusRequestEntityTooLarge)
		},
	} {
		mux.HandleFunc("POST "+path+"/leeway/v1/feedback", serve)
	}
	server := httptest.NewServer(mux)
	e.Defer(func() { server.CloseClientConnections(); server.Close() })
	e.Setenv("FEEDBACK", server.URL)
	e.Values["labels"] = s
	return nil
}

// guarded wants a token.
func (s *labelServer) guarded(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer letmein" {
		http.Error(w, "unauthenticated: send a Kubernetes token", http.StatusUnauthorized)
		return
	}
	s.handler.ServeHTTP(w, r)
}

// flaky is away at first, then breaks off, then serves.
func (s *labelServer) flaky(w http.ResponseWriter, r *http.Request) {
	switch s.calls.Add(1) {
	case 1:
		http.Error(w, "not yet", http.StatusServiceUnavailable)
	case 2:
		panic(http.ErrAbortHandler)
	default:
		s.handler.ServeHTTP(w, r)
	}
}

// lossy counts, but its first answer is lost.
func (s *labelServer) lossy(w http.ResponseWriter, r *http.Request) {
	if s.calls.Add(1) > 1 {
		s.handler.ServeHTTP(w, r)
		return
	}
	s.handler.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// stuck serves twice and then does not answer; the file "stuck" says so.
func (s *labelServer) stuck(w http.ResponseWriter, r *http.Request) {
	if s.calls.Add(1) <= 2 {
		s.handler.ServeHTTP(w, r)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // else nobody notices that the client went
	_ = os.WriteFile(s.dir+"/stuck", nil, 0o600)
	<-r.Context().Done()
}

// slow takes its time; the file "slow" says that rows came.
func (s *labelServer) slow(w http.ResponseWriter, r *http.Request) {
	_ = os.WriteFile(s.dir+"/slow", nil, 0o600)
	time.Sleep(300 * time.Millisecond)
	s.handler.ServeHTTP(w, r)
}

// labels FILE N writes N rows of labels.
func labels(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	b.WriteString("id,score,truth,at,model_version,receipt,n\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,%d.5,%d,2026-01-02 03:04:%02d,v%d,1.eta.3.mjx08awe.%d,2\n", i, i, i, i%60, 3+i%2, i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

// counted METRIC N says how much the controller counted, over all versions.
func counted(ts *testscript.TestScript, _ bool, args []string) {
	families, err := ts.Value("labels").(*labelServer).Gather()
	ts.Check(err)
	var sum float64
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == args[0] {
				sum += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	if got := strconv.FormatFloat(sum, 'g', -1, 64); got != args[1] {
		ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
	}
}

// await FILE waits until there is one.
func await(ts *testscript.TestScript, _ bool, args []string) {
	for range 3000 {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s does not come", args[0])
}

func TestPlainTime(t *testing.T) {
	for in, want := range map[string]string{
		"2026-01-02 03:04:05":         "2026-01-02T03:04:05Z",
		"2026-01-02 03:04:05.25":      "2026-01-02T03:04:05.25Z",
		"2026-01-02 03:04:05 UTC":     "2026-01-02T03:04:05Z",
		" 2026-01-02T03:04:05":        "2026-01-02T03:04:05Z",
		"2026-01-02 03:04:05+01":      "2026-01-02T03:04:05+01:00",
		"2026-01-02 03:04:05.5+01:30": "2026-01-02T03:04:05.5+01:30",
		"2026-01-02":                  "2026-01-02T00:00:00Z",
		"2026-01-02T03:04:05Z":        "2026-01-02T03:04:05Z",
		"1767366245":                  "1767366245",
		"yesterday":                   "yesterday",
		"":                            "",
	} {
		if got := plainTime(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestPlainVersion(t *testing.T) {
	for in, want := range map[string]string{"7": "7", "v7": "7", "v": "v", "v7b": "v7b", "vv7": "vv7", "": ""} {
		if got := plainVersion(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

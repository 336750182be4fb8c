package guard_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/external"
	"github.com/leeway-dev/leeway/agent/guard"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/rules/promapi"
)

// server is a Prometheus over a world, by HTTP. What breaks it is set by name.
type server struct {
	*world
	clock     time.Duration // how far its clock is ahead
	evaluated time.Duration // how long ago the rules were
	lastError string
	warning   string
	unloaded  bool                // no rules
	cluster   string              // label of its alerts; empty: none
	answer    http.HandlerFunc    // in place of every answer
	value     func(string) string // what becomes of each value
	none      bool                // no series at all
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.answer != nil {
		s.answer(w, r)
		return
	}
	var data any
	switch r.URL.Path {
	case "/api/v1/query":
		data = s.query(r)
	case "/api/v1/rules":
		data = map[string]any{"groups": s.groups()}
	default:
		http.NotFound(w, r)
		return
	}
	out := map[string]any{"status": "success", "data": data}
	if s.warning != "" {
		out["warnings"] = []string{s.warning}
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (s *server) query(r *http.Request) any {
	if r.FormValue("query") == "time()" {
		now := float64(s.now.Add(s.clock).UnixMilli()) / 1000
		return map[string]any{"resultType": "scalar", "result": []any{now, fmt.Sprintf("%f", now)}}
	}
	at, _ := strconv.ParseFloat(r.FormValue("time"), 64)
	vector, err := s.Query(r.Context(), r.FormValue("query"), s.now)
	if err != nil || s.none {
		vector = nil
	}
	result := []any{}
	for _, x := range vector {
		value := strconv.FormatFloat(x.F, 'g', -1, 64)
		if s.value != nil {
			value = s.value(value)
		}
		result = append(result, map[string]any{"metric": x.Metric.Map(), "value": []any{at, value}})
	}
	return map[string]any{"resultType": "vector", "result": result}
}

func (s *server) groups() []any {
	if s.unloaded {
		return []any{}
	}
	var alerts []any
	for _, a := range s.alerts {
		if s.cluster != "" {
			a.Labels["cluster"] = s.cluster
		}
		alerts = append(alerts, map[string]any{"labels": a.Labels, "annotations": a.Annotations, "state": a.State, "activeAt": a.ActiveAt, "value": "2e-01"})
	}
	return []any{map[string]any{
		"name": "leeway-errors", "interval": 1, "lastEvaluation": s.now.Add(-s.evaluated),
		"rules": []any{map[string]any{"type": "alerting", "name": "LeewayErrors", "labels": map[string]string{"leeway_cause": "errors"},
			"health": "ok", "lastError": s.lastError, "alerts": alerts}},
	}}
}

// external makes the loop read a server.
func (w *world) external(matcher string) *server {
	w.t.Helper()
	s := &server{world: w}
	h := httptest.NewServer(s)
	w.t.Cleanup(h.Close)
	matchers, err := promapi.ParseMatchers(matcher)
	if err != nil {
		w.t.Fatal(err)
	}
	source, err := external.New(external.Config{
		Server: promapi.Config{URL: h.URL, Matchers: matchers, Timeout: 300 * time.Millisecond, MaxBytes: 64 << 10},
		Now:    func() time.Time { return w.now },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.source = source
	w.loop = w.newLoop(w.client)
	return s
}

// A server that fails in any way makes the guard blind, and nothing is done
// though an alert fires. The last row is the check on the others: nothing is
// wrong there, and the same alert is acted upon.
func TestExternalFailuresAreBlindness(t *testing.T) {
	tests := []struct {
		name   string
		fault  func(*server)
		reason string
	}{
		{"gone", func(s *server) {
			s.answer = func(w http.ResponseWriter, _ *http.Request) {
				c, _, _ := w.(http.Hijacker).Hijack()
				c.Close()
			}
		}, "source_unreachable"},
		{"silent", func(s *server) {
			s.answer = func(_ http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm() // with the body read, the end of the connection is seen
				<-r.Context().Done()
			}
		}, "source_unreachable"},
		{"error", func(s *server) {
			s.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusUnprocessableEntity)
				fmt.Fprint(w, `{"status":"error","errorType":"execution","error":"query timed out"}`)
			}
		}, "source_unreachable"},
		{"a page for people", func(s *server) {
			s.answer = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>please log in</html>") }
		}, "source_unreachable"},
		{"elsewhere", func(s *server) {
			s.answer = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }
		}, "source_unreachable"},
		{"endless", func(s *server) {
			s.answer = func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"status":"success","data":"` + string(make([]byte, 1<<20)) + `"}`))
			}
		}, "source_unreachable"},
		{"partial, Thanos", func(s *server) { s.warning = "No StoreAPIs matched for this query" }, "source_unreachable"},
		{"partial, VictoriaMetrics", func(s *server) {
			s.answer = func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, `{"status":"success","isPartial":true,"data":{"resultType":"vector","result":[]}}`)
			}
		}, "source_unreachable"},
		{"clock an hour ahead", func(s *server) { s.clock = time.Hour }, "source_unreachable"},
		{"clock an hour behind", func(s *server) { s.clock = -time.Hour }, "source_unreachable"},
		{"evaluated an hour ago", func(s *server) { s.evaluated = time.Hour }, "source_unreachable"},
		{"evaluated in an hour", func(s *server) { s.evaluated = -time.Hour }, "source_unreachable"},
		{"rule in error", func(s *server) { s.lastError = "many-to-many matching not allowed" }, "source_unreachable"},
		{"no rules", func(s *server) { s.unloaded = true }, "source_unreachable"},
		{"alerts of no cluster", func(s *server) { s.cluster = "" }, "source_unreachable"},
		{"NaN", func(s *server) { s.value = func(string) string { return "NaN" } }, "no_data"},
		{"empty", func(s *server) { s.none = true }, "no_data"},
		{"no number", func(s *server) { s.value = func(string) string { return "many" } }, "source_unreachable"},
		{"alerts of another cluster", func(s *server) { s.cluster = "us-1" }, "healthy"},
		{"a remark", func(s *server) { s.warning = "PromQL info: metric might not be a counter" }, ""},
		{"nothing", func(*server) {}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.external(`cluster="eu-1"`)
			s.cluster = "eu-1"
			w.pass(40)
			w.wantPhase(v1alpha1.Watching, "healthy")
			tt.fault(s)
			w.alert("errors", "", "10s", "1", "")
			w.tick(3)
			if tt.reason == "" {
				if ds := w.decisions(); len(ds) != 1 {
					t.Errorf("nothing is wrong, and the alert was not decided on: %s", describe(ds))
				}
				return
			}
			phase := v1alpha1.Held
			if tt.reason == "healthy" {
				phase = v1alpha1.Watching
			}
			w.wantPhase(phase, tt.reason)
			if ds := w.decisions(); len(ds) != 0 {
				t.Error(describe(ds))
			}
			w.wantServes("1")
		})
	}
}

var _ guard.Source = (*external.Source)(nil)

package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/leeway-dev/leeway/agent/embedded"
)

// sample is one sample of the series m{node=…}.
type sample struct {
	node string
	at   time.Time
	v    float64
}

func (s sample) job() string {
	if s.node == "peer" {
		return "leeway-controller"
	}
	return "leeway-node"
}

func body(t *testing.T, samples ...sample) []byte {
	t.Helper()
	symbols := writev2.NewSymbolTable()
	var req writev2.Request
	for _, s := range samples {
		ls := labels.FromStrings("__name__", "m_total", "node", s.node, "job", s.job())
		req.Timeseries = append(req.Timeseries, writev2.TimeSeries{
			LabelsRefs: symbols.SymbolizeLabels(ls, nil),
			Samples:    []writev2.Sample{{Value: s.v, Timestamp: s.at.UnixMilli()}},
			Metadata:   writev2.Metadata{Type: writev2.Metadata_METRIC_TYPE_COUNTER, HelpRef: symbols.Symbolize("Rows.")},
		})
	}
	req.Symbols = symbols.Symbols()
	raw, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (e *engine) write(t *testing.T, raw []byte) (code int, written, message string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(snappy.Encode(nil, raw)))
	r.Header.Set("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
	r.Header.Set("Content-Encoding", "snappy")
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	return w.Code, w.Header().Get("X-Prometheus-Remote-Write-Samples-Written"), strings.TrimSpace(w.Body.String())
}

func TestRemoteWrite(t *testing.T) {
	reg := prometheus.NewRegistry()
	e := start(t, embedded.Config{DataDir: t.TempDir(), Registerer: reg})
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name    string
		samples []sample
		code    int
		written string
		message string
	}{
		{"two nodes", []sample{{"n1", now, 5}, {"n2", now, 50}}, 204, "2", ""},
		{"a peer controller", []sample{{"peer", now, 1}}, 204, "1", ""},
		{"sent twice", []sample{{"n1", now, 5}, {"n2", now, 50}}, 204, "2", ""},
		{"an hour late", []sample{{"n1", ago(time.Hour), 3}}, 204, "1", ""},
		{"late and twice", []sample{{"n1", ago(time.Hour), 3}, {"n1", ago(30 * time.Minute), 4}}, 204, "2", ""},
		{"another value for the same time", []sample{{"n1", now, 6}, {"n1", ago(20 * time.Minute), 4.5}}, 400, "1", "1 of 2 samples refused"},
		{"a day late", []sample{{"n1", ago(24 * time.Hour), 1}, {"n3", now, 1}}, 400, "1", "1 of 2 samples refused"},
		{"from next year", []sample{{"n1", now.Add(365 * 24 * time.Hour), 1}, {"n4", now, 1}}, 400, "1", "after the controller's clock"},
	} {
		code, written, message := e.write(t, body(t, c.samples...))
		if code != c.code || written != c.written || !strings.Contains(message, c.message) {
			t.Errorf("%s: %d, %s written, %q", c.name, code, written, message)
		}
	}
	v, err := e.Query(t.Context(), `count_over_time(m_total{node="n1"}[2h])`, now)
	if err != nil || len(v) != 1 || v[0].F != 4 {
		t.Errorf("n1 has %v, %v; want 4 samples", v, err)
	}
	var nodes []string
	for _, s := range e.Sources() {
		nodes = append(nodes, s.Node)
		if s.Node == "n1" && !s.Newest.Equal(now.Truncate(time.Millisecond)) {
			t.Errorf("newest of n1 is %v; want %v", s.Newest, now)
		}
	}
	if got := fmt.Sprint(nodes); got != "[n1]" { // a request comes from one node, its first
		t.Errorf("sources %s", got)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP leeway_controller_refused_samples_total Samples refused by remote write, by reason.
# TYPE leeway_controller_refused_samples_total counter
leeway_controller_refused_samples_total{reason="duplicate"} 1
leeway_controller_refused_samples_total{reason="forbidden"} 0
leeway_controller_refused_samples_total{reason="foreign"} 0
leeway_controller_refused_samples_total{reason="future"} 1
leeway_controller_refused_samples_total{reason="invalid"} 0
leeway_controller_refused_samples_total{reason="too_old"} 1
`), "leeway_controller_refused_samples_total"); err != nil {
		t.Error(err)
	}
	if _, got := e.get(t, "/api/v1/metadata"); !strings.Contains(got, `"m_total":[{"type":"counter","help":"Rows.","unit":""}]`) {
		t.Errorf("metadata %s", got)
	}
}

func TestSeriesAreAdmittedFirst(t *testing.T) {
	e := start(t, embedded.Config{DataDir: t.TempDir(), Admit: func(_ context.Context, ls labels.Labels) error {
		if ls.Get("node") != "n1" {
			return errors.New("not your node")
		}
		return nil
	}})
	now := time.Now()
	if code, _, message := e.write(t, body(t, sample{"n1", now, 1}, sample{"n2", now, 1})); code != http.StatusForbidden || message != "not your node" {
		t.Errorf("%d %s", code, message)
	}
	if v, err := e.Query(t.Context(), "m_total", now); err != nil || len(v) != 0 {
		t.Errorf("part of a forbidden request was stored: %v %v", v, err)
	}
	if code, _, _ := e.write(t, body(t, sample{"n1", now, 1})); code != http.StatusNoContent {
		t.Errorf("what is admitted: %d", code)
	}
}

// What one series is refused for is not what the others of its request are. A
// series of a pod that nobody knows any more goes on, and no new one begins.
func TestSeriesAreRefusedAlone(t *testing.T) {
	reg := prometheus.NewRegistry()
	refuse := map[string]error{}
	e := start(t, embedded.Config{DataDir: t.TempDir(), Registerer: reg, Admit: func(_ context.Context, ls labels.Labels) error {
		return refuse[ls.Get("node")]
	}})
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for i, c := range []struct {
		refuse  map[string]error
		samples []sample
		code    int
		written string
	}{
		{nil, []sample{{"n1", ago(time.Minute), 1}}, 204, "1"},
		{map[string]error{"n1": fmt.Errorf("no: %w", embedded.ErrSeries)}, []sample{{"n1", now, 1}, {"n2", now, 1}}, 400, "1"},
		{map[string]error{"n1": embedded.ErrNewSeries, "n3": embedded.ErrNewSeries}, []sample{{"n1", now, 2}, {"n3", now, 1}}, 400, "1"},
		{map[string]error{"n3": errors.Join(embedded.ErrNewSeries, embedded.ErrLater)}, []sample{{"n3", now, 1}, {"n4", now, 1}}, 503, "0"},
		{map[string]error{"n1": errors.Join(embedded.ErrNewSeries, embedded.ErrLater)}, []sample{{"n1", ago(time.Second), 2}}, 204, "1"},
	} {
		refuse = c.refuse
		if code, written, message := e.write(t, body(t, c.samples...)); code != c.code || written != c.written {
			t.Errorf("%d: %d, %s written, %q", i, code, written, message)
		}
	}
	v, err := e.Query(t.Context(), `count_over_time(m_total[2m])`, now)
	got := map[string]float64{}
	for _, s := range v {
		got[s.Metric.Get("node")] = s.F
	}
	if want := (map[string]float64{"n1": 3, "n2": 1}); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("stored %v, %v; want %v", got, err, want)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP leeway_controller_refused_samples_total Samples refused by remote write, by reason.
# TYPE leeway_controller_refused_samples_total counter
leeway_controller_refused_samples_total{reason="duplicate"} 0
leeway_controller_refused_samples_total{reason="forbidden"} 0
leeway_controller_refused_samples_total{reason="foreign"} 2
leeway_controller_refused_samples_total{reason="future"} 0
leeway_controller_refused_samples_total{reason="invalid"} 0
leeway_controller_refused_samples_total{reason="too_old"} 0
`), "leeway_controller_refused_samples_total"); err != nil {
		t.Error(err)
	}
}

func TestBrokenWrites(t *testing.T) {
	e := start(t, embedded.Config{DataDir: t.TempDir()})
	noName := writev2.Request{Symbols: []string{"", "a", "b"}, Timeseries: []writev2.TimeSeries{{LabelsRefs: []uint32{1, 2}, Samples: []writev2.Sample{{Value: 1, Timestamp: 1}}}}}
	outside := writev2.Request{Symbols: []string{""}, Timeseries: []writev2.TimeSeries{{LabelsRefs: []uint32{7, 8}, Samples: []writev2.Sample{{Value: 1, Timestamp: 1}}}}}
	for name, req := range map[string]*writev2.Request{"no name": &noName, "symbols that are not there": &outside} {
		raw, err := req.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if code, _, _ := e.write(t, raw); code != http.StatusBadRequest {
			t.Errorf("%s: %d", name, code)
		}
	}
	if code, _, _ := e.write(t, []byte("not a request")); code != http.StatusBadRequest {
		t.Errorf("garbage: %d", code)
	}
	r := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(snappy.Encode(nil, nil)))
	r.Header.Set("Content-Type", "application/x-protobuf")
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("version 1.0 of the protocol: %d", w.Code)
	}
}

func FuzzRemoteWrite(f *testing.F) {
	f.Add([]byte("\x22\x00"))
	e, err := embedded.New(embedded.Config{DataDir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close() })
	f.Fuzz(func(t *testing.T, raw []byte) {
		(&engine{Engine: e}).write(t, raw)
	})
}

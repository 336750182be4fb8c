package own_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"

	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/node/own"
)

func openTSDB(t *testing.T) *embedded.Engine {
	t.Helper()
	e, err := embedded.New(embedded.Config{DataDir: t.TempDir(), EvaluationInterval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func query(t *testing.T, e *embedded.Engine, expr string, at time.Time) map[string]float64 {
	t.Helper()
	v, err := e.Query(t.Context(), expr, at)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, s := range v {
		got[s.Metric.String()] = s.F
	}
	return got
}

func TestOwnMetricsInTheTSDB(t *testing.T) {
	reg := prometheus.NewRegistry()
	rows := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leeway_rows_total"}, []string{"namespace"})
	latency := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "leeway_lag_seconds", Buckets: []float64{0.5, 2}})
	other := prometheus.NewGauge(prometheus.GaugeOpts{Name: "go_something"})
	reg.MustRegister(rows, latency, other)
	e, peer := openTSDB(t), openTSDB(t)
	w := own.New(own.Config{
		Gatherer: reg, To: []storage.AppendableV2{e, peer},
		Labels: map[string]string{"pod": "c-0", "namespace": "leeway-system"},
	})
	latency.Observe(1)
	write := func(at time.Time) {
		t.Helper()
		if err := w.Write(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	t0 := time.Now()
	write(t0.Add(500 * time.Millisecond))
	rows.WithLabelValues("ml").Add(40) // appears with its first value
	write(t0.Add(2 * time.Second))
	rows.WithLabelValues("ml").Add(2)
	write(t0.Add(3 * time.Second))
	at := t0.Add(3 * time.Second)
	for _, db := range []*embedded.Engine{e, peer} {
		if diff := cmp.Diff(map[string]float64{`{__name__="leeway_rows_total", namespace="ml", pod="c-0"}`: 42}, query(t, db, "leeway_rows_total", at)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]float64{
			`{__name__="leeway_lag_seconds_bucket", le="0.5", namespace="leeway-system", pod="c-0"}`:  0,
			`{__name__="leeway_lag_seconds_bucket", le="2.0", namespace="leeway-system", pod="c-0"}`:  1,
			`{__name__="leeway_lag_seconds_bucket", le="+Inf", namespace="leeway-system", pod="c-0"}`: 1,
		}, query(t, db, "leeway_lag_seconds_bucket", at)); diff != "" {
			t.Error(diff)
		}
		// All 42, not the 2 after the first sample: the zero at the counter's birth is stored.
		if got := query(t, db, "round(max_over_time(leeway_rows_total[1m]) - min_over_time(leeway_rows_total[1m]))", at); got[`{namespace="ml", pod="c-0"}`] != 42 {
			t.Errorf("the counter rose by %v; want 42", got)
		}
		if got := query(t, db, `{__name__="go_something"}`, at); len(got) != 0 {
			t.Errorf("metrics of libraries are stored: %v", got)
		}
	}
	rows.Reset()
	write(t0.Add(4 * time.Second))
	if got := query(t, e, "leeway_rows_total", t0.Add(4*time.Second)); len(got) != 0 {
		t.Errorf("a series that ended goes on: %v", got)
	}
}

func TestOneCollectorThatFails(t *testing.T) {
	reg := prometheus.NewRegistry()
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "leeway_x"})
	reg.MustRegister(g, failing{})
	e := openTSDB(t)
	w := own.New(own.Config{Gatherer: reg, To: []storage.AppendableV2{e}})
	now := time.Now()
	if err := w.Write(t.Context(), now); err == nil {
		t.Error("a collector that fails was not reported")
	}
	if got := query(t, e, "leeway_x", now); len(got) != 1 {
		t.Errorf("what could be gathered was not stored: %v", got)
	}
}

// failing is a collector that can't tell its value.
type failing struct{}

func (failing) Describe(chan<- *prometheus.Desc) {}

func (failing) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(prometheus.NewDesc("leeway_broken", "", nil, nil), errors.New("broken"))
}

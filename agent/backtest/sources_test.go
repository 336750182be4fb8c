package backtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/leeway-dev/leeway/agent/backtest"
	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dataset"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
	"github.com/leeway-dev/leeway/rules"
)

const values = `
scrapeInterval: 1s
clocks:
  page: {enabled: false}
  act: {windows: [20s], minEffectiveRows: 20, history: false, lastWeek: false}
  slow: {enabled: false}
clustering: {assumed: 1}
errors: {enabled: false}
latency: {enabled: false}
noData: {enabled: false}
quality: {enabled: false}
brokenInput: {enabled: false}
unknown: {enabled: false}
`

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// numbers are rows of x: trained is what the version has seen, and a drift of one
// half of its range comes after 40 of 80 seconds.
func numbers(timed bool) string {
	var b strings.Builder
	if timed {
		b.WriteString("at,x\n")
	} else {
		b.WriteString("x\n")
	}
	for i := range 1600 {
		x := float64(i*77%200) / 100
		if timed {
			if i >= 800 {
				x = 1 + x/2
			}
			fmt.Fprintf(&b, "%s,", begin.Add(time.Duration(i)*50*time.Millisecond+time.Millisecond).Format("2006-01-02T15:04:05.000Z"))
		}
		fmt.Fprintf(&b, "%g\n", x)
	}
	return b.String()
}

func version(t *testing.T) registry.Version {
	t.Helper()
	p, _, err := dataset.FromCSV("train", strings.NewReader(numbers(false)), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	packed, err := registry.Pack(b)
	if err != nil {
		t.Fatal(err)
	}
	return registry.Version{Model: "m", Number: 1, Spec: registryv1.ModelVersionSpec{Model: "m", Version: 1, Profile: packed}}
}

func openRows(t *testing.T, v registry.Version) *backtest.CSV {
	t.Helper()
	h, _, err := backtest.OpenCSV(t.Context(), backtest.CSVConfig{
		Name: "rows", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(numbers(true))), nil },
		Time: "at", Version: "1", Namespace: "ml", Model: "m", Versions: []registry.Version{v}, Interval: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Rows, the TSDB that their counters were stored in, and the server on top of it
// give the same alerts and decisions.
func TestSourcesAgree(t *testing.T) {
	v := version(t)
	end := begin.Add(80 * time.Second)
	dir := t.TempDir()
	engine, err := embedded.New(embedded.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	store(t, engine, openRows(t, v), end)
	refusals := 1
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "" || password != "" {
			t.Error("asked with credentials that nobody gave")
		}
		if q := r.FormValue("query"); refusals > 0 && strings.Contains(q, "observations") && strings.HasSuffix(q, "h]") {
			refusals--
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, `{"status":"error","errorType":"execution","error":"query processing would load too many samples"}`)
			return
		}
		engine.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()

	files := render(t)
	run := func(h backtest.History, rows backtest.Rows) *backtest.Result {
		t.Helper()
		res, err := backtest.Run(t.Context(), backtest.Config{
			History: h, Rows: rows, Rules: files, From: begin, To: end, ScrapeInterval: time.Second, Dir: t.TempDir(),
			Guards: []backtest.Guarded{{Guard: backtest.DefaultGuard("ml", "m"), Versions: []registry.Version{v}, AllVersions: true}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	csv := openRows(t, v)
	want := run(csv, csv)
	if len(want.Alerts) != 1 || want.Alerts[0].Alert != "LeewayInputDrift" || want.Alerts[0].Ended != nil {
		t.Fatalf("alerts %+v", want.Alerts)
	}
	if d := want.Decisions; len(d) != 1 || d[0].Spec.Cause != "input_drift" {
		t.Fatalf("decisions %+v", d)
	}
	folder, span, err := backtest.OpenTSDB(t.Context(), filepath.Join(dir, "tsdb"), t.TempDir(), backtest.Query{})
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if !span.From.Equal(begin) || !span.To.Equal(end) || len(span.Models) != 1 {
		t.Errorf("span %+v", span)
	}
	prom, _, err := backtest.OpenPrometheus(t.Context(), server.URL, server.Client(), backtest.Query{Namespace: "ml"}, begin.Add(-time.Minute), end)
	if err != nil {
		t.Fatal(err)
	}
	for what, h := range map[string]backtest.History{"TSDB": folder, "Prometheus": prom} {
		got := run(h, nil)
		if diff := cmp.Diff(want.Alerts, got.Alerts); diff != "" {
			t.Errorf("%s: alerts differ from those of the rows (-rows +got): %s", what, diff)
		}
		if len(got.Decisions) != 1 || said(got) != said(want) {
			t.Errorf("%s: decided %s, of the rows %s", what, said(got), said(want))
		}
	}
	if refusals != 0 {
		t.Error("the server was never asked for too much")
	}
}

func said(r *backtest.Result) string {
	var all []string
	for _, d := range r.Decisions {
		all = append(all, fmt.Sprint(d.Spec.DecidedAt.UTC(), d.Spec.Cause, d.Spec.Action, d.Spec.Reason, d.Spec.To))
	}
	return strings.Join(all, "; ")
}

// Rows from before are no increase of the first counters.
func TestRowsFromTheMiddle(t *testing.T) {
	h := openRows(t, version(t))
	requests := map[int64]float64{}
	for at := begin.Add(40 * time.Second); at.Before(begin.Add(42 * time.Second)); at = at.Add(time.Second) {
		err := h.Read(t.Context(), backtest.Query{}, at, at.Add(time.Second), func(ls labels.Labels, ms int64, v float64) error {
			if ls.Get(model.MetricNameLabel) == "leeway_request_duration_seconds_count" {
				requests[ms/1000-begin.Unix()] = v
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[int64]float64{40: 0, 41: 20, 42: 40}, requests); diff != "" {
		t.Error(diff)
	}
}

// A server that answers in part, or none, is no calm past.
func TestPrometheusRefused(t *testing.T) {
	for name, answer := range map[string]string{
		"a warning":   `{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["store gateway down"]}`,
		"an error":    `{"status":"error","errorType":"bad_data","error":"no"}`,
		"another one": `hello`,
		"nothing":     `{"status":"success","data":{"resultType":"vector","result":[]}}`,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
		if _, _, err := backtest.OpenPrometheus(t.Context(), s.URL, s.Client(), backtest.Query{}, begin, begin.Add(time.Hour)); err == nil {
			t.Errorf("%s: no error", name)
		}
		s.Close()
	}
}

func render(t *testing.T) map[string][]byte {
	t.Helper()
	v, err := rules.ParseValues([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	files, err := rules.Render(v)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func store(t *testing.T, engine *embedded.Engine, h *backtest.CSV, end time.Time) {
	t.Helper()
	app := engine.AppenderV2(context.Background())
	err := h.Read(t.Context(), backtest.Query{}, begin, end, func(ls labels.Labels, at int64, v float64) error {
		_, err := app.Append(0, ls, 0, at, v, nil, nil, storage.AppendV2Options{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

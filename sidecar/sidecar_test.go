package sidecar_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trained is an encoded profile of 400 rows: numbers a and b, category c, prediction y.
func trained(t testing.TB, seed int) []byte {
	t.Helper()
	var csv strings.Builder
	csv.WriteString("a,b,c,y\n")
	for i := range 400 {
		fmt.Fprintf(&csv, "%d,%g,%s,%d\n", i%100+seed, float64(i)/4, []string{"x", "y", "z"}[i%3], i%50)
	}
	p, _, err := profile.FromCSV("train.csv", strings.NewReader(csv.String()), profile.CSVOptions{Prediction: "y"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// model answers V1 and V2 with one prediction of 7 for each row, and 500 where the query says so.
func model(t testing.TB) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Query().Has("fail") {
			http.Error(w, `{"error":"asked for"}`, 500)
			return
		}
		var in struct {
			Instances []any
			Inputs    []struct{ Shape []int }
		}
		json.Unmarshal(body, &in)
		n := len(in.Instances)
		if len(in.Inputs) > 0 {
			n = in.Inputs[0].Shape[0]
		}
		data := strings.TrimSuffix(strings.Repeat("7,", n), ",")
		if strings.HasPrefix(r.URL.Path, "/v1") {
			fmt.Fprintf(w, `{"predictions":[%s]}`, data)
		} else {
			fmt.Fprintf(w, `{"model_name":"m","outputs":[{"name":"output-0","shape":[%d],"datatype":"FP64","data":[%s]}]}`, n, data)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// running is a sidecar under test.
type running struct {
	t              testing.TB
	traffic, admin string
	client         *http.Client
	stop           func() error
}

func start(t testing.TB, cfg sidecar.Config) *running {
	t.Helper()
	cfg.Listen, cfg.AdminListen, cfg.Model, cfg.Version = "127.0.0.1:0", "127.0.0.1:0", "m", "3"
	cfg.Log = zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	if cfg.CaptureBudget == 0 {
		cfg.CaptureBudget = 1 << 20
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 64 << 10
	}
	if cfg.Grace == 0 {
		cfg.Grace = 2 * time.Second
	}
	s, err := sidecar.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r := &running{t: t, traffic: "http://" + s.Addr().String(), admin: "http://" + s.AdminAddr().String(), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: 10 * time.Second}}
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *running) do(method, url, body string, header ...string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// metrics scrapes: series without the common labels → value.
func (r *running) metrics() map[string]float64 {
	r.t.Helper()
	_, text := r.do("GET", r.admin+"/metrics", "")
	m := map[string]float64{}
	for line := range strings.Lines(text) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		if strings.HasPrefix(line, "leeway_") && !strings.Contains(series, `model_name="m",model_version="3"`) {
			r.t.Errorf("without the common labels: %s", line)
		}
		series = strings.ReplaceAll(series, `model_name="m",model_version="3"`, "")
		series = strings.ReplaceAll(strings.ReplaceAll(series, ",,", ","), "{,", "{")
		m[strings.TrimSuffix(strings.TrimSuffix(series, ","), "{")], _ = strconv.ParseFloat(value, 64)
	}
	return m
}

// eventually waits for observations, which are made off the request path.
func (r *running) eventually(want map[string]float64) {
	r.t.Helper()
	var have map[string]float64
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		have = r.metrics()
		same := true
		for k, v := range want {
			got, ok := have[k]
			same = same && ok && got == v
		}
		if same {
			return
		}
	}
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			r.t.Errorf("%s: %v (there: %v), want %v", k, got, ok, v)
		}
	}
}

// sum adds up the series that start so.
func sum(m map[string]float64, prefix string) (v float64, n int) {
	for k, x := range m {
		if strings.HasPrefix(k, prefix) {
			v += x
			n++
		}
	}
	return v, n
}

func v2(rows ...string) string {
	return fmt.Sprintf(`{"inputs":[{"name":"x","shape":[%d,3],"datatype":"FP64","data":[%s]}]}`, len(rows), strings.Join(rows, ","))
}

func TestEverythingStartsAtZero(t *testing.T) {
	r := start(t, sidecar.Config{Upstream: model(t).URL, SampleRatio: 1, Profile: trained(t, 0)})
	m := r.metrics()
	for _, p := range []string{"v1", "v2", "other"} {
		for _, c := range []string{"2xx", "3xx", "4xx", "5xx"} {
			k := fmt.Sprintf(`leeway_request_duration_seconds_count{code="%s",protocol="%s"`, c, p)
			found := false
			for series, v := range m {
				if strings.HasPrefix(series, "leeway_request_duration_seconds_count{") && strings.Contains(series, `code="`+c+`"`) && strings.Contains(series, `protocol="`+p+`"`) {
					found = v == 0
				}
			}
			if !found {
				t.Errorf("no %s at 0", k)
			}
		}
	}
	for prefix, least := range map[string]int{`leeway_feature_observations_total{`: 30, `leeway_prediction_observations_total{`: 15, `leeway_captures_total{`: 10, `leeway_upstream_errors_total{`: 5, `leeway_opaque_connections_total{`: 10} {
		if v, n := sum(m, prefix); v != 0 || n < least {
			t.Errorf("%s: %d series that add up to %v, want at least %d, all 0", prefix, n, v, least)
		}
	}
	for _, column := range []string{`feature_reference_ratio{bin="`, `prediction_reference_ratio{bin="`} {
		if v, n := sum(m, "leeway_"+column); n == 0 || math.Abs(v-math.Round(v)) > 1e-9 {
			t.Errorf("%s: %d series that add up to %v", column, n, v)
		}
	}
	if m[`leeway_feature_reference_samples{feature="a"`] != 400 {
		t.Errorf("reference samples: %v", m[`leeway_feature_reference_samples{feature="a"`])
	}
	if _, n := sum(m, "leeway_feature_bin_info{"); n < 30 {
		t.Errorf("%d series of bin_info", n)
	}
}

func TestCountsEqualRowsSent(t *testing.T) {
	r := start(t, sidecar.Config{Upstream: model(t).URL, SampleRatio: 1, Profile: trained(t, 0)})
	const each = 50
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range each {
				row := fmt.Sprintf(`%d,%d,"x"`, i, i)
				for url, body := range map[string]string{
					"/v2/models/m/infer":            v2(row, row),
					"/v1/models/m:predict":          `{"instances":[[` + row + `],[1000,null,"new"]]}`,
					"/v2/models/m/infer?fail":       v2(row),
					"/v1/models/m:predict?x=object": `{"instances":[{"a":1,"c":"y","extra":1}]}`,
					"/v2/models/m/infer?unreadable": `{"inputs":[`,
				} {
					r.do("POST", r.traffic+url, body)
				}
			}
		})
	}
	wg.Wait()
	n := float64(4 * each)
	r.eventually(map[string]float64{
		`leeway_captures_total{result="observed"`:                        4 * n,
		`leeway_captures_total{result="unparsable"`:                      n,
		`leeway_feature_observations_total{bin="missing",feature="b"`:    2 * n, // null, and absent from the object
		`leeway_feature_observations_total{bin="far_over",feature="a"`:   n,
		`leeway_feature_observations_total{bin="unseen",feature="c"`:     n,
		`leeway_unknown_column_values_total`:                             n,
		`leeway_request_duration_seconds_count{code="5xx",protocol="v2"`: n,
		`leeway_request_duration_seconds_count{code="2xx",protocol="v1"`: 2 * n,
		`leeway_requests_in_flight`:                                      0,
	})
	m := r.metrics()
	if v, _ := sum(m, "leeway_opaque_connections_total{"); v != 0 {
		t.Errorf("%v connections could not be followed", v)
	}
	rows := 2*n + 2*n + n + n
	for _, f := range []string{"a", "b", "c"} {
		total := 0.0
		for k, v := range m {
			if strings.HasPrefix(k, "leeway_feature_observations_total{") && strings.Contains(k, `feature="`+f+`"`) {
				total += v
			}
		}
		if total != rows {
			t.Errorf("feature %s has %v values, want %v: one for each row", f, total, rows)
		}
	}
	// Of the unreadable request the answer still counts: it holds no rows.
	if v, _ := sum(m, "leeway_prediction_observations_total{"); v != rows-n {
		t.Errorf("%v predictions, want %v: none for failed requests", v, rows-n)
	}
	status, body := r.do("GET", r.admin+"/profile?window=5m", "")
	live, err := profile.Parse([]byte(body))
	if status != 200 || err != nil {
		t.Fatalf("/profile: %d, %v", status, err)
	}
	if live.Rows != int64(rows) || live.Features[1].Missing != int64(2*n) || len(live.Features[0].Sketch) == 0 {
		t.Errorf("live profile: %d rows, %d without b; want %v, %v", live.Rows, live.Features[1].Missing, rows, 2*n)
	}
	if _, body := r.do("GET", r.admin+"/profile?from="+time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)+"&to="+time.Now().Add(-time.Minute).UTC().Format(time.RFC3339), ""); !strings.Contains(body, `"rows":0`) {
		t.Errorf("a window of the past: %.200s", body)
	}
}

func TestNoRoomHurtsNobody(t *testing.T) {
	for _, c := range []struct {
		name, body, result string
		header             []string
		cfg                sidecar.Config
	}{
		{"budget", v2(`1,2,"x"`), "dropped_budget", nil, sidecar.Config{CaptureBudget: 1, SampleRatio: 1}},
		{"length", v2(`1,2,"` + strings.Repeat("x", 5000) + `"`), "too_large", nil, sidecar.Config{MaxBody: 4 << 10, SampleRatio: 1}},
		{"encoding", v2(`1,2,"x"`), "skipped_encoding", []string{"Content-Encoding", "gzip"}, sidecar.Config{SampleRatio: 1}},
		{"binary", v2(`1,2,"x"`), "unsupported", []string{"Inference-Header-Content-Length", "10"}, sidecar.Config{SampleRatio: 1}},
		{"sample", v2(`1,2,"x"`), "skipped_sample", nil, sidecar.Config{SampleRatio: 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Upstream, c.cfg.Profile = model(t).URL, trained(t, 0)
			r := start(t, c.cfg)
			for range 20 {
				if status, body := r.do("POST", r.traffic+"/v2/models/m/infer", c.body, c.header...); status != 200 || !strings.Contains(body, "[7]") {
					t.Fatalf("%d %s", status, body)
				}
			}
			r.eventually(map[string]float64{`leeway_captures_total{result="` + c.result + `"`: 20, `leeway_request_duration_seconds_count{code="2xx",protocol="v2"`: 20})
			if v, _ := sum(r.metrics(), "leeway_feature_observations_total{"); v != 0 {
				t.Errorf("%v values counted", v)
			}
		})
	}
}

// Chunked bodies have no length to refuse by: they are cut off as they grow.
func TestChunkedTooLarge(t *testing.T) {
	r := start(t, sidecar.Config{Upstream: model(t).URL, Profile: trained(t, 0), SampleRatio: 1, MaxBody: 4 << 10})
	req, _ := http.NewRequest("POST", r.traffic+"/v2/models/m/infer", io.MultiReader(strings.NewReader(v2(`1,2,"x"`)), bytes.NewReader(bytes.Repeat([]byte(" "), 100<<10))))
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	r.eventually(map[string]float64{`leeway_captures_total{result="too_large"`: 1})
	if v, _ := sum(r.metrics(), "leeway_prediction_observations_total{"); v != 1 {
		t.Errorf("%v predictions, want 1: the answer can be read", v)
	}
}

func TestReferenceRules(t *testing.T) {
	one, two := trained(t, 0), trained(t, 5)
	digest := profile.Digest(one)
	type put struct {
		body   []byte
		status int
		say    string
	}
	for _, c := range []struct {
		name, digest string
		puts         []put
	}{
		{"stamped", digest, []put{{two, 422, "wrong digest"}, {one, 200, `"result":"taken","verified":true`}, {one, 200, `"result":"already","verified":true`}, {two, 422, "wrong digest"}}},
		{"first taken", "", []put{{[]byte("{}"), 400, "error"}, {one, 200, `"result":"taken","verified":false`}, {one, 200, `"result":"already"`}, {two, 409, digest}}},
		{"too large", "", []put{{make([]byte, profile.MaxBytes+1), 413, "at most"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, sidecar.Config{Upstream: model(t).URL, SampleRatio: 1, ProfileDigest: c.digest})
			if status, body := r.do("GET", r.admin+"/profile", ""); status != 404 || !strings.Contains(body, "no reference") {
				t.Errorf("/profile: %d %s", status, body)
			}
			r.do("POST", r.traffic+"/v2/models/m/infer", v2(`1,2,"x"`))
			r.eventually(map[string]float64{`leeway_model_info{reference="none"`: 0 + 1, `leeway_captures_total{result="no_reference"`: 1, `leeway_request_duration_seconds_count{code="2xx",protocol="v2"`: 1})
			for i, p := range c.puts {
				if status, body := r.do("PUT", r.admin+"/reference", string(p.body)); status != p.status || !strings.Contains(body, p.say) {
					t.Errorf("PUT %d: %d %s, want %d %s", i, status, body, p.status, p.say)
				}
			}
			if c.name == "too large" {
				return
			}
			m := r.metrics()
			if m[`leeway_model_info{reference="`+digest[:19]+`"`] != 1 {
				t.Error("leeway_model_info does not name the reference")
			}
			if _, n := sum(m, "leeway_feature_reference_ratio"); n > 0 {
				t.Error("the reference's own series are the controller's where a profile is pushed")
			}
			if _, n := sum(m, "leeway_feature_observations_total{"); n == 0 {
				t.Error("no bins at 0 after the push")
			}
		})
	}
}

func TestUpstreamFailures(t *testing.T) {
	up := model(t)
	up.Close()
	r := start(t, sidecar.Config{Upstream: up.URL, SampleRatio: 1})
	status, body := r.do("POST", r.traffic+"/v2/models/m/infer", v2(`1,2,"x"`))
	if status != 502 || !strings.Contains(body, "leeway-sidecar") || !strings.Contains(body, strings.TrimPrefix(up.URL, "http://")) {
		t.Errorf("%d %s", status, body)
	}
	r.eventually(map[string]float64{`leeway_upstream_errors_total{reason="refused"`: 1, `leeway_request_duration_seconds_count{code="5xx",protocol="v2"`: 1, `leeway_requests_in_flight`: 0})

	crash := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }))
	defer crash.Close()
	r = start(t, sidecar.Config{Upstream: crash.URL, SampleRatio: 1})
	if resp, err := r.client.Post(r.traffic+"/v2/models/m/infer", "", strings.NewReader(v2(`1,2,"x"`))); err == nil {
		resp.Body.Close()
		t.Errorf("a server that hangs up was answered for: %d", resp.StatusCode)
	}
	r.eventually(map[string]float64{`leeway_upstream_errors_total{reason="closed"`: 1, `leeway_request_duration_seconds_count{code="5xx",protocol="v2"`: 1})
}

func TestExpositionFormats(t *testing.T) {
	r := start(t, sidecar.Config{Upstream: model(t).URL, SampleRatio: 1})
	for accept, want := range map[string]string{
		"application/openmetrics-text; version=1.0.0":                                                "application/openmetrics-text",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited": "application/vnd.google.protobuf",
	} {
		req, _ := http.NewRequest("GET", r.admin+"/metrics", nil)
		req.Header.Set("Accept", accept)
		resp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || !strings.HasPrefix(got, want) || len(b) == 0 {
			t.Errorf("%s: %d %s", accept, resp.StatusCode, got)
		}
	}
}

func TestDrain(t *testing.T) {
	hold := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-hold }))
	defer up.Close()
	r := start(t, sidecar.Config{Upstream: up.URL, SampleRatio: 1, Grace: 5 * time.Second})
	if status, _ := r.do("GET", r.admin+"/readyz", ""); status != 200 {
		t.Fatalf("readyz %d", status)
	}
	answered := make(chan int, 1)
	go func() { status, _ := r.do("GET", r.traffic+"/", ""); answered <- status }()
	r.eventually(map[string]float64{`leeway_requests_in_flight`: 1})
	drained := make(chan int, 1)
	go func() { status, _ := r.do("POST", r.admin+"/drain", ""); drained <- status }()
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if status, _ := r.do("GET", r.admin+"/readyz", ""); status == 503 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("still ready while draining")
		}
	}
	select {
	case <-drained:
		t.Error("drained with a request under way")
	case <-time.After(50 * time.Millisecond):
	}
	close(hold)
	if a, d := <-answered, <-drained; a != 200 || d != 200 {
		t.Errorf("request %d, drain %d", a, d)
	}
	if status, _ := r.do("GET", r.admin+"/healthz", ""); status != 200 {
		t.Errorf("healthz %d", status)
	}
}

func TestProfileWindows(t *testing.T) {
	r := start(t, sidecar.Config{Upstream: model(t).URL, SampleRatio: 1, Profile: trained(t, 0)})
	for query, want := range map[string]int{
		"": 200, "?window=30m": 200, "?window=24h": 200, "?from=2026-01-01T00:00:00Z": 200, "?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00.5%2B01:00": 200,
		"?window=25h": 400, "?window=-1s": 400, "?window=x": 400, "?window=1m&from=2026-01-01T00:00:00Z": 400, "?to=2026-01-01T00:00:00Z": 400,
		"?from=yesterday": 400, "?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": 400,
	} {
		if status, body := r.do("GET", r.admin+"/profile"+query, ""); status != want {
			t.Errorf("%s: %d %.200s, want %d", query, status, body, want)
		}
	}
}

func TestRefusedConfig(t *testing.T) {
	good := sidecar.Config{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Upstream: "http://127.0.0.1:1", Model: "m", SampleRatio: 1, CaptureBudget: 1, MaxBody: 1, Log: zaptest.NewLogger(t)}
	for say, change := range map[string]func(*sidecar.Config){
		"name is missing": func(c *sidecar.Config) { c.Model = "" },
		"upstream":        func(c *sidecar.Config) { c.Upstream = "https://h" },
		"host:port":       func(c *sidecar.Config) { c.Upstream = "http://h/path" },
		"sample ratio":    func(c *sidecar.Config) { c.SampleRatio = 2 },
		"protocol":        func(c *sidecar.Config) { c.Protocol = "mlflow" },
		"64 hexadecimal":  func(c *sidecar.Config) { c.ProfileDigest = "sha256:abc" },
		"more than 0":     func(c *sidecar.Config) { c.MaxBody = 0 },
		"not a valid":     func(c *sidecar.Config) { c.Profile = []byte("nonsense") },
		"wrong digest": func(c *sidecar.Config) {
			c.Profile = trained(t, 0)
			c.ProfileDigest = "sha256:" + strings.Repeat("0", 64)
		},
		"listen": func(c *sidecar.Config) { c.Listen = "256.0.0.1:0" },
	} {
		cfg := good
		change(&cfg)
		if _, err := sidecar.New(cfg); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
	}
}

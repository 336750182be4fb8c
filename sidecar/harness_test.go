package sidecar_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/sidecar"
)

func TestMain(m *testing.M) {
	if asked := os.Getenv(childVar); asked != "" {
		if err := child(asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// each runs a test with an event loop and with goroutines.
func each(t *testing.T, test func(t *testing.T, portable bool)) {
	t.Run("loop", func(t *testing.T) { test(t, false) })
	t.Run("goroutines", func(t *testing.T) { test(t, true) })
}

// trained is an encoded profile of 400 rows: numbers a and b, category c, prediction y.
func trained(t testing.TB, seed int) []byte {
	t.Helper()
	b, err := train(seed)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func train(seed int) ([]byte, error) {
	var csv strings.Builder
	csv.WriteString("a,b,c,y\n")
	for i := range 400 {
		fmt.Fprintf(&csv, "%d,%g,%s,%d\n", i%100+seed, float64(i)/4, []string{"x", "y", "z"}[i%3], i%50)
	}
	p, _, err := dataset.FromCSV("train.csv", strings.NewReader(csv.String()), dataset.Options{Predictions: []string{"y"}})
	if err != nil {
		return nil, err
	}
	return p.Encode()
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
	sidecar        *sidecar.Sidecar
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
	r := &running{t: t, traffic: "http://" + s.Addr().String(), admin: "http://" + s.AdminAddr().String(), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: 10 * time.Second}, sidecar: s}
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

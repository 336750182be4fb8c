package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/agent/feedback"
	"github.com/leeway-dev/leeway/sidecar"
)

// serveWith runs a sidecar with flags and environment in front of upstream, and returns its address.
func serveWith(t *testing.T, upstream string, env map[string]string, args ...string) string {
	t.Helper()
	o, err := parse(env, append(args, "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--upstream="+upstream)...)
	if err != nil {
		t.Fatal(err)
	}
	o.Log = zap.NewNop()
	s, err := sidecar.New(o.Config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Addr().String()
}

// predict asks for one prediction and returns the receipt that comes with it.
func predict(t *testing.T, addr string) string {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: tr}).Post("http://"+addr+"/v1/models/eta:predict", "application/json", strings.NewReader(`{"instances":[[1,2]]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != `{"predictions":[10]}` {
		t.Fatalf("%q, %v", body, err)
	}
	return resp.Header.Get("Leeway-Receipt")
}

// A label that comes back with its receipt counts for the model and version that predicted, once.
func TestReceiptsComeBackWithLabels(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"predictions":[10]}`) }))
	defer up.Close()
	reg := prometheus.NewRegistry()
	h, err := feedback.New(feedback.Config{Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	send := func(receipt string) (a feedback.Answer) {
		body := fmt.Sprintf(`{"namespace":"ml","receipt":%q,"predicted":10,"actual":12}`, receipt)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/leeway/v1/feedback", strings.NewReader(body)))
		if err := json.Unmarshal(w.Body.Bytes(), &a); w.Code != 200 || err != nil {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		return a
	}
	for version, env := range map[string]map[string]string{"3": {"LEEWAY_RECEIPTS": "true"}, "4": nil} {
		args := []string{"--model=eta", "--version=" + version}
		if env == nil {
			args = append(args, "--receipts")
		}
		addr := serveWith(t, up.URL, env, args...)
		first, second := predict(t, addr), predict(t, addr)
		for i, c := range []struct {
			receipt             string
			accepted, duplicate int
		}{{first, 1, 0}, {second, 1, 0}, {first, 0, 1}} {
			if a := send(c.receipt); a.Accepted != c.accepted || a.Duplicate != c.duplicate {
				t.Errorf("version %s, %d: %+v", version, i, a)
			}
		}
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP leeway_feedback_duplicate_rows_total Rows of feedback whose receipt had been counted before.
# TYPE leeway_feedback_duplicate_rows_total counter
leeway_feedback_duplicate_rows_total 2
# HELP leeway_feedback_rows_total Labelled predictions of numbers.
# TYPE leeway_feedback_rows_total counter
leeway_feedback_rows_total{model_name="eta",model_version="3",namespace="ml"} 2
leeway_feedback_rows_total{model_name="eta",model_version="4",namespace="ml"} 2
`), "leeway_feedback_duplicate_rows_total", "leeway_feedback_rows_total"); err != nil {
		t.Error(err)
	}
}

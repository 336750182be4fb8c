package sidecar_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/leeway-dev/leeway/registry/receipt"
	"github.com/leeway-dev/leeway/sidecar"
)

// receiptsOf sends a request and returns the receipts of its answer.
func (r *running) receiptsOf(t *testing.T, client *http.Client, method, path, contentType, body string) []string {
	t.Helper()
	req, err := http.NewRequest(method, r.traffic+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	return resp.Header.Values("Leeway-Receipt")
}

func TestReceipts(t *testing.T) { each(t, testReceipts) }

// Answers of inference requests have receipts, whether they are observed or not; nothing else has.
func testReceipts(t *testing.T, portable bool) {
	up := model(t)
	for name, cfg := range map[string]sidecar.Config{
		"observed":    {Profile: trained(t, 0), SampleRatio: 1},
		"sampled out": {Profile: trained(t, 0), SampleRatio: 0},
		"unobserved":  {},
	} {
		cfg.Portable, cfg.Upstream, cfg.Receipts = portable, up.URL, true
		r := start(t, cfg)
		seen := map[string]bool{}
		for _, c := range []struct {
			method, path, contentType, body string
			want                            int
		}{
			{"POST", "/v2/models/m/infer", "application/json", v2(`1,2,"x"`), 1},
			{"POST", "/v1/models/m:predict", "application/json", `{"instances":[[1,2,"x"]]}`, 1},
			{"POST", "/invocations", "text/csv", "1,2,x\n", 1},
			{"POST", "/v2/models/m/infer?fail", "application/json", v2(`1,2,"x"`), 0},
			{"GET", "/v2/models/m/infer", "", "", 0},
			{"POST", "/v2/models/m/explain", "application/json", "{}", 0},
		} {
			got := r.receiptsOf(t, r.client, c.method, c.path, c.contentType, c.body)
			if len(got) != c.want {
				t.Errorf("%s: %s %s: receipts %q, want %d", name, c.method, c.path, got, c.want)
				continue
			}
			for _, text := range got {
				n, err := receipt.Parse(text)
				if err != nil || n.Model != "m" || n.Version != "3" || time.Since(n.Time).Abs() > time.Minute || seen[text] {
					t.Errorf("%s: %q: %+v, %v, again: %v", name, text, n, err, seen[text])
				}
				seen[text] = true
			}
		}
		if name == "observed" {
			r.eventually(map[string]float64{
				`leeway_captures_total{result="observed"`:                           3, // the answer to CSV is none
				`leeway_request_duration_seconds_count{code="2xx",protocol="v2"`:    1,
				`leeway_request_duration_seconds_count{code="5xx",protocol="v2"`:    1,
				`leeway_request_duration_seconds_count{code="2xx",protocol="csv"`:   1,
				`leeway_request_duration_seconds_count{code="2xx",protocol="other"`: 2,
			})
		}
	}
}

// HTTP/2, and with it gRPC, has no status lines, and gets no receipts.
func TestReceiptsNotOnHTTP2(t *testing.T) {
	up := unencrypted(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	r := start(t, sidecar.Config{Upstream: up.URL, SampleRatio: 1, Receipts: true})
	if got := r.receiptsOf(t, http2Client(t), "POST", "/v2/models/m/infer", "application/json", v2(`1,2,"x"`)); len(got) > 0 {
		t.Errorf("receipts %q", got)
	}
	r.eventually(map[string]float64{`leeway_request_duration_seconds_count{code="2xx",protocol="v2"`: 1})
	r.followed()
}

// A receipt of the model server's stays, behind the sidecar's.
func TestReceiptsOfTheServer(t *testing.T) { each(t, testReceiptsOfTheServer) }

func testReceiptsOfTheServer(t *testing.T, portable bool) {
	const own = "1.other.1.mjx08awe.z"
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Leeway-Receipt", own)
	}))
	defer up.Close()
	r := start(t, sidecar.Config{Portable: portable, Upstream: up.URL, Receipts: true})
	got := r.receiptsOf(t, r.client, "POST", "/v2/models/m/infer", "application/json", v2(`1,2,"x"`))
	if len(got) != 2 || got[1] != own || !strings.HasPrefix(got[0], "1.m.3.") {
		t.Errorf("receipts %q", got)
	}
}

func TestReceiptsRefused(t *testing.T) {
	good := sidecar.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Upstream: "http://127.0.0.1:1", Model: "m", Receipts: true,
		CaptureBudget: 1, MaxBody: 1, Log: zaptest.NewLogger(t),
	}
	for say, change := range map[string]func(*sidecar.Config){
		"set the version":   func(*sidecar.Config) {},
		"use shorter names": func(c *sidecar.Config) { c.Version, c.Model = "3", strings.Repeat("m", 120) },
	} {
		cfg := good
		change(&cfg)
		if _, err := sidecar.New(cfg); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", say, err)
		}
	}
}

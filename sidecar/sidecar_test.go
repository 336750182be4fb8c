package sidecar_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar"
)

func TestReferenceRules(t *testing.T) { each(t, testReferenceRules) }

func testReferenceRules(t *testing.T, portable bool) {
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
		refused      string
	}{
		{"stamped", digest, []put{{two, 422, "wrong digest"}, {one, 200, `"result":"taken","verified":true`}, {one, 200, `"result":"already","verified":true`}, {two, 422, "wrong digest"}}, "digest"},
		{"first taken", "", []put{{[]byte("{}"), 400, "error"}, {one, 200, `"result":"taken","verified":false`}, {one, 200, `"result":"already"`}, {two, 409, digest}}, "other"},
		{"too large", "", []put{{make([]byte, profile.MaxBytes+1), 413, "at most"}}, "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, sidecar.Config{Portable: portable, Upstream: model(t).URL, SampleRatio: 1, ProfileDigest: c.digest})
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
			m := r.metrics()
			if n, _ := sum(m, `leeway_references_refused_total{reason="`+c.refused+`"`); n == 0 {
				t.Errorf("no reference was refused as %s", c.refused)
			}
			if c.name == "too large" {
				return
			}
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

func TestUpstreamFailures(t *testing.T) { each(t, testUpstreamFailures) }

func testUpstreamFailures(t *testing.T, portable bool) {
	up := model(t)
	up.Close()
	r := start(t, sidecar.Config{Portable: portable, Upstream: up.URL, SampleRatio: 1})
	status, body := r.do("POST", r.traffic+"/v2/models/m/infer", v2(`1,2,"x"`))
	if status != 502 || !strings.Contains(body, "leeway-sidecar") || !strings.Contains(body, strings.TrimPrefix(up.URL, "http://")) {
		t.Errorf("%d %s", status, body)
	}
	r.eventually(map[string]float64{`leeway_upstream_errors_total{reason="refused"`: 1, `leeway_request_duration_seconds_count{code="5xx",protocol="v2"`: 1, `leeway_requests_in_flight`: 0})

	crash := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }))
	defer crash.Close()
	r = start(t, sidecar.Config{Portable: portable, Upstream: crash.URL, SampleRatio: 1})
	if resp, err := r.client.Post(r.traffic+"/v2/models/m/infer", "", strings.NewReader(v2(`1,2,"x"`))); err == nil {
		resp.Body.Close()
		t.Errorf("a server that hangs up was answered for: %d", resp.StatusCode)
	}
	r.eventually(map[string]float64{`leeway_upstream_errors_total{reason="closed"`: 1, `leeway_request_duration_seconds_count{code="5xx",protocol="v2"`: 1})
}

func TestExpositionFormats(t *testing.T) { each(t, testExpositionFormats) }

func testExpositionFormats(t *testing.T, portable bool) {
	r := start(t, sidecar.Config{Portable: portable, Upstream: model(t).URL, SampleRatio: 1})
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

func TestDrain(t *testing.T) { each(t, testDrain) }

func testDrain(t *testing.T, portable bool) {
	hold := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-hold }))
	defer up.Close()
	r := start(t, sidecar.Config{Portable: portable, Upstream: up.URL, SampleRatio: 1, Grace: 5 * time.Second})
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

func TestProfileWindows(t *testing.T) { each(t, testProfileWindows) }

func testProfileWindows(t *testing.T, portable bool) {
	r := start(t, sidecar.Config{Portable: portable, Upstream: model(t).URL, SampleRatio: 1, Profile: trained(t, 0)})
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
		"max features":    func(c *sidecar.Config) { c.MaxFeatures = 1001 },
		"protocol":        func(c *sidecar.Config) { c.Protocol = "v3" },
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

package sidecar_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar"
)

func TestEverythingStartsAtZero(t *testing.T) { each(t, testEverythingStartsAtZero) }

func testEverythingStartsAtZero(t *testing.T, portable bool) {
	r := start(t, sidecar.Config{Portable: portable, Upstream: model(t).URL, SampleRatio: 1, Profile: trained(t, 0)})
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
	for _, reason := range []string{"vector", "size", "category", "column"} {
		if v, ok := m[`leeway_folded_values_total{reason="`+reason+`"`]; !ok || v != 0 {
			t.Errorf("folded for %s: %v, %v", reason, v, ok)
		}
	}
	for limit, want := range map[string]float64{
		"max_features": 500, "max_body_bytes": 64 << 10, "capture_budget_bytes": 1 << 20, "learn_budget_bytes": 0,
		"body_values": 1 << 20, "columns": 1000, "categories": 1000,
	} {
		if v := m[`leeway_sidecar_limit{limit="`+limit+`"`]; v != want {
			t.Errorf("limit %s: %v, want %v", limit, v, want)
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

func TestCountsEqualRowsSent(t *testing.T) { each(t, testCountsEqualRowsSent) }

func testCountsEqualRowsSent(t *testing.T, portable bool) {
	r := start(t, sidecar.Config{Portable: portable, Upstream: model(t).URL, SampleRatio: 1, Profile: trained(t, 0)})
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

func TestNoRoomHurtsNobody(t *testing.T) { each(t, testNoRoomHurtsNobody) }

func testNoRoomHurtsNobody(t *testing.T, portable bool) {
	for _, c := range []struct {
		name, body, result string
		header             []string
		cfg                sidecar.Config
	}{
		{"budget", v2(`1,2,"x"`), "dropped_budget", nil, sidecar.Config{CaptureBudget: 1, SampleRatio: 1}},
		{"length", v2(`1,2,"` + strings.Repeat("x", 5000) + `"`), "too_large", nil, sidecar.Config{MaxBody: 4 << 10, SampleRatio: 1}},
		{"encoding", v2(`1,2,"x"`), "skipped_encoding", []string{"Content-Encoding", "br"}, sidecar.Config{SampleRatio: 1}},
		{"one raw tensor", v2(`1,2,"x"`), "unsupported", []string{"Inference-Header-Content-Length", "0"}, sidecar.Config{SampleRatio: 1}},
		{"broken gzip", v2(`1,2,"x"`), "unparsable", []string{"Content-Encoding", "gzip"}, sidecar.Config{SampleRatio: 1}},
		{"sample", v2(`1,2,"x"`), "skipped_sample", nil, sidecar.Config{SampleRatio: 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Upstream, c.cfg.Profile, c.cfg.Portable = model(t).URL, trained(t, 0), portable
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
func TestChunkedTooLarge(t *testing.T) { each(t, testChunkedTooLarge) }

func testChunkedTooLarge(t *testing.T, portable bool) {
	r := start(t, sidecar.Config{Portable: portable, Upstream: model(t).URL, Profile: trained(t, 0), SampleRatio: 1, MaxBody: 4 << 10})
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

// Whoever reads the counts and profiles holds nobody up, and nothing is lost by it.
func TestReadWhileObserving(t *testing.T) { each(t, testReadWhileObserving) }

func testReadWhileObserving(t *testing.T, portable bool) {
	r := start(t, sidecar.Config{
		Portable: portable, Upstream: model(t).URL, SampleRatio: 1, Profile: trained(t, 0), CaptureBudget: 64 << 20,
	})
	stop := make(chan struct{})
	var readers, clients sync.WaitGroup
	for _, path := range []string{"/metrics", "/profile"} {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					r.do("GET", r.admin+path, "")
				}
			}
		})
	}
	const each = 200
	rows := slices.Repeat([]string{`1,2,"x"`}, 500)
	for range 3 {
		clients.Go(func() {
			for range each {
				if status, body := r.do("POST", r.traffic+"/v2/models/m/infer", v2(rows...)); status != 200 {
					t.Errorf("%d %s", status, body)
				}
			}
		})
	}
	clients.Wait()
	close(stop)
	readers.Wait()
	r.eventually(map[string]float64{
		`leeway_captures_total{result="observed"`:                        3 * each,
		`leeway_request_duration_seconds_count{code="2xx",protocol="v2"`: 3 * each,
		`leeway_feature_observations_total{bin="missing",feature="a"`:    0,
	})
	if v, _ := sum(r.metrics(), "leeway_feature_observations_total{"); v != 3*each*500*3 {
		t.Errorf("%v values, want %d", v, 3*each*500*3)
	}
}

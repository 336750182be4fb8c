package main

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

const said = `# HELP leeway_request_duration_seconds From the end of a request's head.
# TYPE leeway_request_duration_seconds histogram
leeway_request_duration_seconds_bucket{code="2xx",protocol="v2",le="0.1"} 60
leeway_request_duration_seconds_bucket{code="2xx",protocol="v2",le="1.0"} 90
leeway_request_duration_seconds_bucket{code="2xx",protocol="v2",le="+Inf"} 120
leeway_request_duration_seconds_sum{code="2xx",protocol="v2"} 30
leeway_request_duration_seconds_count{code="2xx",protocol="v2"} 120
leeway_request_duration_seconds_bucket{code="5xx",protocol="v2",le="0.1"} 0
leeway_request_duration_seconds_bucket{code="5xx",protocol="v2",le="1.0"} 0
leeway_request_duration_seconds_bucket{code="5xx",protocol="v2",le="+Inf"} 0
leeway_request_duration_seconds_sum{code="5xx",protocol="v2"} 0
leeway_request_duration_seconds_count{code="5xx",protocol="v2"} 0
leeway_captures_total{result="observed"} 120
leeway_model_info{model_name="m",model_version="1"} 1
`

// valuesOf reads an exposition.
func valuesOf(t *testing.T, body string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for l := range strings.Lines(body) {
		if l[0] == '#' {
			continue
		}
		i := strings.LastIndexByte(l, ' ')
		x, err := strconv.ParseFloat(strings.TrimSpace(l[i:]), 64)
		if err != nil {
			t.Fatal(l, err)
		}
		out[l[:i]] = x
	}
	return out
}

func TestPlayedSidecarCountsAsARealOne(t *testing.T) {
	e, err := newExposition("text/plain", []byte(said), 60)
	if err != nil {
		t.Fatal(err)
	}
	s := e.newSidecar(1)
	var before map[string]float64
	for at := range 20 {
		s.advance(float64(60 * at))
		var b bytes.Buffer
		s.write(&b)
		now := valuesOf(t, b.String())
		if len(now) != len(valuesOf(t, said)) || e.series != len(now) {
			t.Fatalf("%d series, want those of the pattern: %s", len(now), b.String())
		}
		bucket := func(code, le string) float64 {
			return now[`leeway_request_duration_seconds_bucket{code="`+code+`",protocol="v2",le="`+le+`"}`]
		}
		for _, code := range []string{"2xx", "5xx"} {
			if a, b, all := bucket(code, "0.1"), bucket(code, "1.0"), bucket(code, "+Inf"); a > b || b > all ||
				all != now[`leeway_request_duration_seconds_count{code="`+code+`",protocol="v2"}`] {
				t.Fatalf("buckets of %s are no histogram: %g, %g, %g", code, a, b, all)
			}
		}
		for name, x := range before {
			if now[name] < x {
				t.Fatalf("%s sank from %g to %g", name, x, now[name])
			}
		}
		before = now
	}
	if n := before[`leeway_captures_total{result="observed"}`]; n < 1500 || n > 3500 {
		t.Errorf("%g observed after 19 times 120", n)
	}
	if before[`leeway_request_duration_seconds_count{code="5xx",protocol="v2"}`] != 0 || before[`leeway_model_info{model_name="m",model_version="1"}`] != 1 {
		t.Error("what stood still has moved", before)
	}
}

// Without the buckets of the errors, their count must not be taken for another's.
func TestLeanKeepsWhatCountsAre(t *testing.T) {
	e, err := newExposition("text/plain", []byte(said), 60)
	if err != nil {
		t.Fatal(err)
	}
	s := e.lean().newSidecar(1)
	s.advance(600)
	var b bytes.Buffer
	s.write(&b)
	now := valuesOf(t, b.String())
	if len(now) != 8 || now[`leeway_request_duration_seconds_count{code="5xx",protocol="v2"}`] != 0 ||
		now[`leeway_request_duration_seconds_count{code="2xx",protocol="v2"}`] < 500 {
		t.Error(b.String())
	}
}

func TestLabelsAreAttached(t *testing.T) {
	got := labelsOf(`leeway_model_info{model_name="m",reference="none"} `, label{"pod", "p"}, label{"model_name", "other"})
	want := []label{{"__name__", "leeway_model_info"}, {"model_name", "other"}, {"pod", "p"}, {"reference", "none"}}
	if len(got) != len(want) {
		t.Fatal(got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Error(got, want)
		}
	}
}

func TestLiteralIsSnappy(t *testing.T) {
	in := bytes.Repeat([]byte("0123456789"), 20_000)
	out := literal(in)
	n, head := protowire.ConsumeVarint(out)
	if int(n) != len(in) {
		t.Fatal(n)
	}
	var back []byte
	for out = out[head:]; len(out) > 0; {
		size := int(out[1]) + int(out[2])<<8 + 1
		if out[0] != 61<<2 {
			t.Fatal(out[0])
		}
		back = append(back, out[3:3+size]...)
		out = out[3+size:]
	}
	if !bytes.Equal(in, back) {
		t.Error("not what was put in")
	}
}

func TestCallsAreReadByVerbAndResource(t *testing.T) {
	c, err := readCalls(`# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="status",verb="PUT",version="v1"} 2
apiserver_request_total{code="409",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="status",verb="PUT",version="v1"} 5
other_total{verb="LIST"} 9
`)
	if err != nil {
		t.Fatal(err)
	}
	if d := c.minus(calls{"LIST pods": 1}); d.String() != "PUT pods/status 7, LIST pods 2" || d.sum() != 9 {
		t.Error(d)
	}
}

// TestFourHoldTheSameSeries runs all that is real for half a minute: what is
// measured at scale is worth something only if all four have the series.
func TestFourHoldTheSameSeries(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds Kubernetes and Prometheus")
	}
	o := options{interval: 2 * time.Second, columns: 10, programs: os.Getenv("LEEWAY_SCALE_PROGRAMS"), say: t.Logf}
	h, err := holdSeries(t.Context(), o, 2000, 30*time.Second)
	if errors.Is(err, errNoPrometheus) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Log(h)
	if h.series < 1000 {
		t.Error("too few series", h.series)
	}
	for _, name := range []string{controller, prometheusServer, prometheusAgent} {
		// Rules record more, but the agent evaluates none.
		if h.says[name] < float64(h.series) || name == prometheusAgent && h.says[name] > float64(h.series) {
			t.Errorf("%s has %g series, %d are scraped", name, h.says[name], h.series)
		}
	}
	for name, r := range h.has {
		if r.live < 1e6 || r.anonymous < r.live || r.resident < r.anonymous {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if len(h.has) != 4 {
		t.Error(h.has)
	}
}

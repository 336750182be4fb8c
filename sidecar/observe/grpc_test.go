package observe

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

const (
	unaryCall  = "/inference.GRPCInferenceService/ModelInfer"
	streamCall = "/inference.GRPCInferenceService/ModelStreamInfer"
)

// observing is an observer with a reference whose parser does not run: what it would parse stays in its queue.
func observing(t *testing.T) (*Observer, *prometheus.Registry) {
	t.Helper()
	p, _, err := dataset.FromCSV("t.csv", strings.NewReader("a,y\n1,1\n2,2\n3,3\n"), dataset.Options{Predictions: []string{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewRegistry()
	o := New(Config{
		Protocol: protocol.Auto, SampleRatio: 1, Budget: 1 << 20, MaxBody: 1000,
		Metrics: metrics.New(r, protocol.V2, protocol.Other), Log: zap.NewNop(),
	})
	if _, err := o.SetReference(p, "sha256:1"); err != nil {
		t.Fatal(err)
	}
	return o, r
}

func message(body string) string {
	return string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body)))) + body
}

// exchange shows o a call, its bodies in pieces of n bytes.
func exchange(o *Observer, target, request, response string, status, n int) {
	e := &follow.Exchange{GRPC: true, Start: time.Now()}
	o.Request(e, follow.Head{
		Method: []byte("POST"), Target: []byte(target), ContentType: []byte("application/grpc"), Length: -1,
	})
	for b := range slices.Chunk([]byte(request), n) {
		o.RequestBody(e, b)
	}
	e.Complete, e.Status = true, 200
	o.Response(e, follow.Head{Length: -1})
	for b := range slices.Chunk([]byte(response), n) {
		o.ResponseBody(e, b)
	}
	e.Status, e.End = status, time.Now()
	o.Done(e)
}

// seen is a record that waits for the parser.
type seen struct {
	Request, Response             string
	RequestResult, ResponseResult metrics.Result
	Predicted                     bool
}

func queued(o *Observer) (all []seen) {
	for len(o.queue) > 0 {
		r := <-o.queue
		request, response := r.request, r.response
		all = append(all, seen{string(request.buf), string(response.buf), request.result, response.result, r.predicted})
		o.forget(r)
	}
	return all
}

func TestMessages(t *testing.T) {
	const refused = metrics.Observed // of a record that is a response alone
	ask, answer, long := message("ask"), message("\x12answer"), strings.Repeat("x", 1001)
	for _, c := range []struct {
		name, target, request, response string
		status                          int
		want                            []seen
	}{
		{"unary", unaryCall, ask, answer, 200, []seen{{"ask", "\x12answer", "", "", true}}},
		{"empty", unaryCall, message(""), message(""), 200, []seen{{"", "", "", "", true}}},
		{"failed late", unaryCall, ask, answer, 500, []seen{{"ask", "\x12answer", "", "", false}}},
		{"compressed", unaryCall, "\x01" + ask[1:], "\x01" + answer[1:], 200,
			[]seen{{"", "", metrics.Encoded, metrics.Encoded, true}}},
		{"too large", unaryCall, message(long), answer, 200, []seen{{"", "\x12answer", metrics.TooLarge, "", true}}},
		{"two", unaryCall, ask + ask, answer, 200, []seen{{"", "\x12answer", metrics.Unparsable, "", true}}},
		{"none", unaryCall, "", answer, 200, []seen{{"", "\x12answer", metrics.Unparsable, "", true}}},
		{"half", unaryCall, ask[:7], answer[:3], 200, []seen{{"", "", metrics.Unparsable, metrics.Unparsable, true}}},
		{"stream", streamCall, ask + message("") + ask, answer + message("\x0aerror") + answer, 200, []seen{
			{"ask", "", "", "", false}, {"", "", "", "", false}, {"ask", "", "", "", false},
			{"", "\x12answer", refused, "", true}, {"", "\x12answer", refused, "", true},
		}},
		{"stream, refused", streamCall, message(long) + "\x01" + ask[1:], "", 200,
			[]seen{{"", "", metrics.TooLarge, "", false}, {"", "", metrics.Encoded, "", false}}},
		{"stream, cut off", streamCall, ask + ask[:6], answer[:6], 500, []seen{{"ask", "", "", "", false}}},
		{"another", "/grpc.health.v1.Health/Check", ask, answer, 200, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, n := range []int{1, 2, 7, 1 << 20} {
				o, _ := observing(t)
				exchange(o, c.target, c.request, c.response, c.status, n)
				if d := cmp.Diff(c.want, queued(o)); d != "" {
					t.Errorf("in pieces of %d (-want +got):\n%s", n, d)
				}
				if used := o.budget.used.Load(); used != 0 {
					t.Errorf("in pieces of %d: %d bytes are still lent", n, used)
				}
			}
		})
	}
}

// What real clients and servers said: two requests of two rows, the second compressed.
func TestRealMessages(t *testing.T) {
	csv := "a,b,c,y\n1,1,1,1\n2,2,2,2\n3,3,3,3\n"
	p, _, err := dataset.FromCSV("t.csv", strings.NewReader(csv), dataset.Options{Predictions: []string{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []string{"kserve", "mlserver"} {
		o, _ := observing(t)
		o.reference.Store(nil)
		if _, err := o.SetReference(p, "sha256:2"); err != nil {
			t.Fatal(err)
		}
		p := follow.New(o)
		for i, show := range []func([]byte, time.Time){p.Request, p.Response} {
			b, err := os.ReadFile("../follow/testdata/" + server + "/grpc." + []string{"c2s", "s2c"}[i] + ".bin")
			if err != nil {
				t.Fatal(err)
			}
			show(b, time.Now())
		}
		for len(o.queue) > 0 {
			o.parse(<-o.queue, nil, false)
		}
		counted := func(c *columns) (n int64) {
			for _, bins := range c.counts {
				for _, v := range bins {
					n += v
				}
			}
			return n
		}
		r := o.reference.Load()
		r.settled()
		r.unlock()
		if counted(r.features) != 12 || counted(r.outputs) != 4 {
			t.Errorf("%s: %d values of features and %d of predictions", server, counted(r.features), counted(r.outputs))
		}
	}
}

// counts are the durations by protocol and code that are not 0.
func counts(t *testing.T, r *prometheus.Registry) map[string]uint64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]uint64{}
	for _, f := range families {
		for _, x := range f.Metric {
			if n := x.GetHistogram().GetSampleCount(); n > 0 {
				m[x.Label[1].GetValue()+" "+x.Label[0].GetValue()] = n
			}
		}
	}
	return m
}

// A stream counts its requests, not itself.
func TestStreamLatency(t *testing.T) {
	ask, answer, failed := message("ask"), message("\x12answer"), message("\x0aerror")
	for _, c := range []struct {
		name, request, response string
		status                  int
		want                    map[string]uint64
	}{
		{"answered", ask + ask, answer + answer, 200, map[string]uint64{"v2 2xx": 2}},
		{"more answers than requests", ask, answer + answer + answer, 200, map[string]uint64{"v2 2xx": 1}},
		{"errors", ask + ask, answer + failed, 200, map[string]uint64{"v2 2xx": 1, "v2 5xx": 1}},
		{"left unanswered", ask + ask + ask, answer, 503, map[string]uint64{"v2 2xx": 1, "v2 5xx": 2}},
		{"failed with nothing to answer", ask, answer, 503, map[string]uint64{"v2 2xx": 1, "v2 5xx": 1}},
		{"nothing", "", "", 200, map[string]uint64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, r := observing(t)
			exchange(o, streamCall, c.request, c.response, c.status, 5)
			if d := cmp.Diff(c.want, counts(t, r)); d != "" {
				t.Errorf("durations (-want +got):\n%s", d)
			}
		})
	}
}

// Without a reference, messages of a stream are counted, and those that come after it are observed.
func TestStreamAcrossReference(t *testing.T) {
	o, r := observing(t)
	reference := o.reference.Swap(nil)
	e := &follow.Exchange{GRPC: true, Start: time.Now()}
	o.Request(e, follow.Head{
		Method: []byte("POST"), Target: []byte(streamCall), ContentType: []byte("application/grpc"), Length: -1,
	})
	o.RequestBody(e, []byte(message("before")))
	o.reference.Store(reference)
	o.RequestBody(e, []byte(message("after")))
	o.Done(e)
	if d := cmp.Diff([]seen{{Request: "after"}}, queued(o)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	want := "# HELP leeway_requests_in_flight Requests whose response has not ended.\n" +
		"# TYPE leeway_requests_in_flight gauge\nleeway_requests_in_flight 0\n"
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), "leeway_requests_in_flight"); err != nil {
		t.Error(err)
	}
}

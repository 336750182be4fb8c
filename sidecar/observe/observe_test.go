package observe_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/observe"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

func reference(t *testing.T) *profile.Profile {
	t.Helper()
	p, _, err := dataset.FromCSV("train.csv", strings.NewReader("a,y\n1,1\n2,2\n3,3\n"), dataset.Options{Predictions: []string{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// setUp returns an observer whose parser is not running yet.
func setUp(t *testing.T, budget int64) (*observe.Observer, *prometheus.Registry) {
	t.Helper()
	r := prometheus.NewRegistry()
	o := observe.New(observe.Config{Protocol: protocol.Auto, SampleRatio: 1, Budget: budget, MaxBody: 1 << 20, Metrics: metrics.New(r, protocol.V1, protocol.V2, protocol.Other), Log: zap.NewNop()})
	r.MustRegister(observe.NewCollector(o, false))
	return o, r
}

// pass shows one exchange to a follower of o.
func pass(o *observe.Observer, request, response string) {
	passAt(o, request, response, time.Now())
}

func passAt(o *observe.Observer, request, response string, at time.Time) {
	p := follow.New(o)
	p.Request([]byte(request), at)
	p.Response([]byte(response), at)
	p.ClientEnd(at)
}

const (
	ask   = "POST /v1/models/m:predict HTTP/1.1\r\nContent-Length: 19\r\n\r\n{\"instances\":[[2]]}"
	reply = "HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{\"predictions\":[1]}"
)

func drain(o *observe.Observer) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o.Run(ctx)
}

func captures(t *testing.T, r *prometheus.Registry, result metrics.Result) (v float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "leeway_captures_total" && m.Label[0].GetValue() == string(result) {
				v = m.Counter.GetValue()
			}
		}
	}
	return v
}

// With a parser that stands still the queue fills up; nothing waits for it, and all is accounted for.
func TestQueueFull(t *testing.T) {
	o, r := setUp(t, 64<<20)
	if _, err := o.SetReference(reference(t), "sha256:1"); err != nil {
		t.Fatal(err)
	}
	const n = 3000
	for range n {
		pass(o, ask, reply)
	}
	drain(o)
	seen, dropped := captures(t, r, metrics.Observed), captures(t, r, metrics.Budget)
	if seen == 0 || dropped == 0 || seen+dropped != n {
		t.Errorf("%v observed and %v dropped of %v", seen, dropped, n)
	}
}

// Memory that was lent comes back: a budget for one exchange is enough for any number, one after the other.
func TestBudgetComesBack(t *testing.T) {
	o, r := setUp(t, 8<<10)
	if _, err := o.SetReference(reference(t), "sha256:1"); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		for cut := 1; cut < len(ask); cut += 17 { // connections that end in the middle
			p := follow.New(o)
			p.Request([]byte(ask[:cut]), time.Now())
			p.ClientEnd(time.Now())
			drain(o)
		}
		pass(o, ask, reply)
		pass(o, ask, reply[:len(reply)-5])
		drain(o)
	}
	if got := captures(t, r, metrics.Observed); got != 100 {
		t.Errorf("%v observed, want 100", got)
	}
	if got := captures(t, r, metrics.Budget); got != 0 {
		t.Errorf("%v dropped", got)
	}
}

// A step may be paused, and other exchanges pass meanwhile.
func TestStep(t *testing.T) {
	o, r := setUp(t, 64<<20)
	if _, err := o.SetReference(reference(t), "sha256:1"); err != nil {
		t.Fatal(err)
	}
	rows := strings.TrimSuffix(strings.Repeat("[2],", 5000), ",")
	body := fmt.Sprintf(`{"instances":[%s]}`, rows)
	pass(o, fmt.Sprintf("POST /v1/models/m:predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", len(body), body), reply)
	pauses := 0
	pause := func() {
		if pauses++; pauses < 5 {
			pass(o, ask, reply)
		}
	}
	for i := range 5 {
		if got := o.Queued(); i > 0 && got != 5-i {
			t.Errorf("%d queued after %d steps", got, i)
		}
		if !o.Step(pause) {
			t.Fatalf("step %d did nothing", i)
		}
	}
	if pauses < 10 || o.Step(pause) || o.Queued() != 0 {
		t.Errorf("%d pauses, %d queued", pauses, o.Queued())
	}
	if got := captures(t, r, metrics.Observed); got != 5 {
		t.Errorf("%v observed, want 5", got)
	}
}

// What passes over and over again is to be no work for the garbage collector.
func TestAllocations(t *testing.T) {
	o, _ := setUp(t, 64<<20)
	if _, err := o.SetReference(reference(t), "sha256:1"); err != nil {
		t.Fatal(err)
	}
	p, request, response, at := follow.New(o), []byte(ask), []byte(reply), time.Now()
	allocated := testing.AllocsPerRun(1000, func() {
		p.Request(request, at)
		p.Response(response, at)
		o.Step(nil)
	})
	if limit := 3.0; allocated >= limit { // the parser's: one for each body
		t.Errorf("%v allocations for each exchange, want less than %v", allocated, limit)
	}
}

// Packing a slice of the live profile takes long, so a step leaves that to Tend, and stops when it doesn't come.
func TestTend(t *testing.T) {
	o, r := setUp(t, 64<<20)
	if _, err := o.SetReference(reference(t), "sha256:1"); err != nil {
		t.Fatal(err)
	}
	none := func() {}
	begun := time.Now()
	passAt(o, ask, reply, begun)
	if !o.Step(none) {
		t.Fatal("the first step did nothing")
	}
	n := 1.0
	for ; ; n++ {
		passAt(o, ask, reply, begun.Add(time.Duration(n)*10*time.Second))
		if !o.Step(none) {
			break
		}
		if n > 10 {
			t.Fatal("a step packed a slice")
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { o.Tend(ctx); close(done) }()
	for until := time.Now().Add(5 * time.Second); !o.Step(none); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("nobody packed the slices")
		}
	}
	cancel()
	<-done
	if got := captures(t, r, metrics.Observed); got != n+1 || o.Queued() != 0 {
		t.Errorf("%v observed, want %v", got, n+1)
	}
}

func TestSecondReference(t *testing.T) {
	o, _ := setUp(t, 1<<20)
	for i, c := range []struct {
		digest string
		taken  bool
		fails  bool
	}{{"sha256:1", true, false}, {"sha256:1", false, false}, {"sha256:2", false, true}} {
		taken, err := o.SetReference(reference(t), c.digest)
		if taken != c.taken || (err != nil) != c.fails {
			t.Errorf("%d: taken %v, %v", i, taken, err)
		}
	}
}

func TestLint(t *testing.T) {
	o, r := setUp(t, 1<<20)
	if _, err := o.SetReference(reference(t), "sha256:1"); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

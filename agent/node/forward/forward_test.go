package forward_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage"
	"go.uber.org/goleak"

	"github.com/leeway-dev/leeway/agent/node/buffer"
	"github.com/leeway-dev/leeway/agent/node/forward"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replica is a controller that can be away.
type replica struct {
	*httptest.Server

	mu       sync.Mutex
	status   int // 0: take it
	values   map[float64]int
	largest  int
	requests int
	tokens   map[string]bool
	running  int
	together int
}

func startReplica(t *testing.T) *replica {
	r := &replica{values: map[float64]int{}, tokens: map[string]bool{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *replica) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.requests++
	r.running++
	r.together = max(r.together, r.running)
	r.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	if err != nil {
		return
	}
	r.tokens[req.Header.Get("Authorization")] = true
	raw, err := snappy.Decode(nil, body)
	var write writev2.Request
	if err == nil {
		err = write.Unmarshal(raw)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch r.status {
	case 0:
	case http.StatusBadRequest:
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", strconv.Itoa(len(write.Timeseries)-1))
		http.Error(w, "one is too old", r.status)
		return
	default:
		http.Error(w, "away", r.status)
		return
	}
	r.largest = max(r.largest, len(write.Timeseries))
	for _, ts := range write.Timeseries {
		for _, s := range ts.Samples {
			r.values[s.Value]++
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *replica) set(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *replica) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.values)
}

func (r *replica) seen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// run starts a forwarder and returns what stops it.
func run(t *testing.T, cfg forward.Config) (*forward.Forwarder, func()) {
	t.Helper()
	cfg.Role = "node"
	f, err := forward.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- f.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return f, stop
}

// write commits samples with the values from … to-1.
func write(t *testing.T, f storage.AppendableV2, from, to int) {
	t.Helper()
	app := f.AppenderV2(t.Context())
	for i := from; i < to; i++ {
		ls := labels.FromStrings("__name__", "m", "i", strconv.Itoa(i))
		if _, err := app.Append(0, ls, 0, time.Now().UnixMilli(), float64(i), nil, nil, storage.AOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 10 s: %s", what)
}

func TestReplicaAwayAndBack(t *testing.T) {
	a, b := startReplica(t), startReplica(t)
	reg := prometheus.NewRegistry()
	f, _ := run(t, forward.Config{
		Buffer:   buffer.Config{Dir: t.TempDir()},
		Replicas: []forward.Replica{{Name: "a", URL: a.URL}, {Name: "b", URL: b.URL}}, Registerer: reg,
	})
	write(t, f, 0, 10)
	eventually(t, "both have the first", func() bool { return a.count() == 10 && b.count() == 10 })
	b.set(http.StatusServiceUnavailable)
	for i := 10; i < 100; i++ {
		write(t, f, i, i+1)
	}
	eventually(t, "the one that is here has all", func() bool { return a.count() == 100 })
	if n := b.count(); n != 10 {
		t.Errorf("the one that is away has %d", n)
	}
	if n := f.Behind()["b"]; n != 90 {
		t.Errorf("%d wait for the one that is away; want 90", n)
	}
	b.set(0)
	eventually(t, "the one that was away has what it missed", func() bool { return b.count() == 100 })
	b.mu.Lock()
	if b.together > 1 {
		t.Errorf("%d requests at once to a replica that came back", b.together)
	}
	b.mu.Unlock()
	eventually(t, "counted", func() bool {
		n, err := testutil.GatherAndCount(reg, "leeway_node_forward_sent_samples_total")
		return err == nil && n == 2 && f.Behind()["b"] == 0
	})
}

func TestAwayReplicaIsNotStormed(t *testing.T) {
	b := startReplica(t)
	b.set(http.StatusForbidden) // a role that is missing, say: nothing may be lost for it
	f, _ := run(t, forward.Config{
		Buffer:   buffer.Config{Dir: t.TempDir()},
		Replicas: []forward.Replica{{Name: "b", URL: b.URL}}, Grace: time.Millisecond,
	})
	for i := range 200 {
		write(t, f, i, i+1)
	}
	time.Sleep(1500 * time.Millisecond)
	if n := b.seen(); n < 2 || n > 8 {
		t.Errorf("%d requests in 1.5 s to a replica that refuses; want a few", n)
	}
	if f.Behind()["b"] != 200 {
		t.Errorf("%d wait; want 200", f.Behind()["b"])
	}
}

func TestRequestsAreBounded(t *testing.T) {
	a := startReplica(t)
	f, _ := run(t, forward.Config{Buffer: buffer.Config{Dir: t.TempDir()}, Replicas: []forward.Replica{{Name: "a", URL: a.URL}}})
	write(t, f, 0, 4321)
	eventually(t, "all", func() bool { return a.count() == 4321 })
	if a.largest != 2000 {
		t.Errorf("the largest request has %d samples; want 2000", a.largest)
	}
}

func TestRefusedForGood(t *testing.T) {
	a := startReplica(t)
	a.set(http.StatusBadRequest)
	reg := prometheus.NewRegistry()
	f, stop := run(t, forward.Config{
		Buffer: buffer.Config{Dir: t.TempDir()}, Replicas: []forward.Replica{{Name: "a", URL: a.URL}}, Registerer: reg,
	})
	write(t, f, 0, 5)
	eventually(t, "given up", func() bool { return f.Behind()["a"] == 0 })
	stop()
	got := map[string]float64{}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			key := family.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() == "reason" {
					key += " " + l.GetValue()
				}
			}
			got[key] = m.GetCounter().GetValue()
		}
	}
	if got["leeway_node_forward_sent_samples_total"] != 4 || got["leeway_node_forward_dropped_samples_total refused"] != 1 {
		t.Errorf("4 were taken and 1 refused, counted %v", got)
	}
}

func TestRestartGoesOnWhereItWas(t *testing.T) {
	a := startReplica(t)
	cfg := forward.Config{Buffer: buffer.Config{Dir: t.TempDir()}, Replicas: []forward.Replica{{Name: "a", URL: a.URL}}, Grace: 10 * time.Millisecond}
	f, stop := run(t, cfg)
	write(t, f, 0, 10)
	eventually(t, "the first", func() bool { return a.count() == 10 })
	a.set(http.StatusBadGateway)
	write(t, f, 10, 20)
	eventually(t, "an attempt", func() bool { return a.seen() >= 2 })
	stop()
	a.set(0)
	f, stop = run(t, cfg)
	write(t, f, 20, 30)
	eventually(t, "what was left and what is new", func() bool { return a.count() == 30 })
	stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	for v, n := range a.values {
		if n > 1 {
			t.Errorf("value %g was sent %d times over a clean restart", v, n)
		}
	}
}

func TestWhatIsLeftIsSentAtTheEnd(t *testing.T) {
	a := startReplica(t)
	f, stop := run(t, forward.Config{Buffer: buffer.Config{Dir: t.TempDir()}, Replicas: []forward.Replica{{Name: "a", URL: a.URL}}})
	for i := range 50 {
		write(t, f, i, i+1)
	}
	stop()
	if n := a.count(); n != 50 {
		t.Errorf("%d of 50 were sent", n)
	}
}

func TestTokenIsReadForEachRequest(t *testing.T) {
	a := startReplica(t)
	file := filepath.Join(t.TempDir(), "token")
	put := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("one")
	f, stop := run(t, forward.Config{
		Buffer: buffer.Config{Dir: t.TempDir()}, Replicas: []forward.Replica{{Name: "a", URL: a.URL}}, TokenFile: file,
	})
	write(t, f, 0, 1)
	eventually(t, "the first", func() bool { return a.count() == 1 })
	put("two")
	write(t, f, 1, 2)
	eventually(t, "the second", func() bool { return a.count() == 2 })
	stop()
	if !a.tokens["Bearer one"] || !a.tokens["Bearer two"] {
		t.Errorf("tokens seen: %v", a.tokens)
	}
}

func TestRollbackSendsNothing(t *testing.T) {
	a := startReplica(t)
	f, stop := run(t, forward.Config{Buffer: buffer.Config{Dir: t.TempDir()}, Replicas: []forward.Replica{{Name: "a", URL: a.URL}}})
	app := f.AppenderV2(t.Context())
	if _, err := app.Append(0, labels.FromStrings("__name__", "m"), 0, 1, 1, nil, nil, storage.AOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := app.Rollback(); err != nil {
		t.Fatal(err)
	}
	write(t, f, 7, 8)
	stop()
	if a.count() != 1 || a.values[7] != 1 {
		t.Errorf("got %v", a.values)
	}
}

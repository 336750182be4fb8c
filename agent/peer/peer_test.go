package peer_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage"
	"go.uber.org/zap/zaptest"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/node/forward"
	"github.com/leeway-dev/leeway/agent/peer"
)

// controllerToken confirms any token as that of a controller.
type controllerToken struct{}

func (controllerToken) Create(_ context.Context, r *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	r.Status = authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: r.Spec.Audiences, User: authenticationv1.UserInfo{
		Username: "system:serviceaccount:leeway-system:leeway-controller",
		Extra:    map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/pod-name": {"leeway-controller-1"}},
	}}
	return r, nil
}

func openEngine(t *testing.T, dir string) *embedded.Engine {
	t.Helper()
	e, err := embedded.New(embedded.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// fill appends a sample a minute of leeway_model_info, of a pod.
func fill(t *testing.T, e *embedded.Engine, pod string, from, to time.Time) {
	t.Helper()
	ls := labels.FromStrings("__name__", "leeway_model_info", "job", "leeway-sidecar", "namespace", "ml", "pod", pod, "node", "n1", "model_name", "churn", "model_version", "2")
	app := e.AppenderV2(t.Context())
	for ; from.Before(to); from = from.Add(time.Minute) {
		if _, err := app.Append(0, ls, 0, from.UnixMilli(), 1, nil, nil, storage.AOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

// replica is one that others can ask, by the rights of a controller.
type replica struct {
	*httptest.Server
	away  atomic.Bool  // it answers 503
	short atomic.Int32 // so many answers break off
}

func newReplica(t *testing.T, e *embedded.Engine) *replica {
	t.Helper()
	authority, err := auth.New(auth.Config{Tokens: controllerToken{}})
	if err != nil {
		t.Fatal(err)
	}
	h, r := http.NewServeMux(), &replica{}
	h.Handle("GET "+peer.SnapshotPath, authority.Snapshots(peer.Snapshots(e, zaptest.NewLogger(t))))
	h.Handle("/api/v1/", authority.Queries(e.Handler()))
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case r.away.Load():
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		case r.short.Add(-1) >= 0:
			w = short{w, new(int)}
		}
		h.ServeHTTP(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

// short is an answer that breaks off.
type short struct {
	http.ResponseWriter
	n *int
}

func (s short) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s short) Write(b []byte) (int, error) {
	if *s.n += len(b); *s.n > 20_000 {
		return 0, errors.New("the network is gone")
	}
	return s.ResponseWriter.Write(b)
}

func others(t *testing.T, url string) peer.Peers {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return peer.Peers{TokenFile: token, All: []forward.Replica{{Name: "leeway-controller-0", URL: url}}}
}

func catchUp(t *testing.T, e *embedded.Engine, url string, now time.Time) *peer.CatchUp {
	t.Helper()
	c, err := peer.NewCatchUp(peer.CatchUpConfig{Engine: e, Peers: others(t, url), Now: now, Every: 5 * time.Millisecond, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func samples(t *testing.T, e *embedded.Engine, now time.Time) int {
	t.Helper()
	v, err := e.Query(t.Context(), `sum(count_over_time(leeway_model_info[1d]))`, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(v) == 0 {
		return 0
	}
	return int(v[0].F)
}

// A replica whose volume was lost, or that was away for long, copies what it has
// missed, over a way that breaks off and a peer that is away at first, and is busy
// until it has.
func TestCatchUp(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	there := openEngine(t, t.TempDir())
	fill(t, there, "churn-a", now.Add(-10*time.Hour), now)
	for _, c := range []struct {
		name  string
		has   time.Duration // it was there until so long ago; 0: never
		short int32         // so many answers break off
		busy  bool
		want  int
	}{
		{"lost volume", 0, 0, true, 600},
		{"away for hours", 8 * time.Hour, 0, true, 600},
		{"broken off", 0, 1, true, 600},
		{"away for minutes", 10 * time.Minute, 0, false, 590},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newReplica(t, there)
			server.short.Store(c.short)
			dir := t.TempDir()
			if c.has > 0 {
				before, err := embedded.New(embedded.Config{DataDir: dir})
				if err != nil {
					t.Fatal(err)
				}
				fill(t, before, "churn-a", now.Add(-10*time.Hour), now.Add(-c.has))
				if err := before.Close(); err != nil {
					t.Fatal(err)
				}
			}
			e := openEngine(t, dir)
			up := catchUp(t, e, server.URL, now)
			if up.Busy() != c.busy {
				t.Errorf("catching up: %t before it has begun", !c.busy)
			}
			run(t, up)
			for up.Busy() || samples(t, e, now) == 0 {
				time.Sleep(time.Millisecond)
			}
			if got := samples(t, e, now); got != c.want {
				t.Errorf("%d samples; want %d", got, c.want)
			}
		})
	}
}

// run runs until the test ends.
func run(t *testing.T, up *peer.CatchUp) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- up.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A peer that is away is asked again and again; meanwhile this one may lead.
func TestCatchUpWaits(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	there := openEngine(t, t.TempDir())
	fill(t, there, "churn-a", now.Add(-time.Hour), now)
	server := newReplica(t, there)
	server.away.Store(true)
	e := openEngine(t, t.TempDir())
	up := catchUp(t, e, server.URL, now)
	run(t, up)
	for up.Busy() {
		time.Sleep(time.Millisecond)
	}
	server.away.Store(false)
	for deadline := time.Now().Add(10 * time.Second); samples(t, e, now) != 60; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d samples; want 60", samples(t, e, now))
		}
	}
}

// A replica that was stopped for hours, and goes on, copies as one that was away.
func TestCatchUpAfterAStop(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	there := openEngine(t, t.TempDir())
	fill(t, there, "churn-a", now.Add(-3*time.Hour), now)
	server := newReplica(t, there)
	e := openEngine(t, t.TempDir())
	fill(t, e, "churn-a", now.Add(-3*time.Hour), now.Add(-150*time.Minute))
	up := catchUp(t, e, server.URL, time.Time{}) // nothing was to be copied when it began
	push(t, e, now.Add(-150*time.Minute))
	run(t, up)
	time.Sleep(50 * time.Millisecond) // some looks
	if got := samples(t, e, now); got != 30 {
		t.Fatalf("%d samples before; want 30", got)
	}
	push(t, e, now) // the first that comes after the stop
	for deadline := time.Now().Add(10 * time.Second); samples(t, e, now) != 180; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d samples; want 180", samples(t, e, now))
		}
	}
}

// What was on its way to the peer, and had come to this replica before its disk was
// lost, is waited for.
func TestCatchUpWaitsForWhatIsOnItsWay(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	there := openEngine(t, t.TempDir())
	fill(t, there, "churn-a", now.Add(-time.Hour), now.Add(-time.Minute))
	push(t, there, time.Now().Add(-2*time.Second))
	server := newReplica(t, there)
	e := openEngine(t, t.TempDir())
	up := catchUp(t, e, server.URL, now)
	run(t, up)
	time.Sleep(300 * time.Millisecond)
	if !up.Busy() {
		t.Fatal("it didn't wait")
	}
	fill(t, there, "churn-a", now.Add(-time.Minute), now)
	push(t, there, time.Now())
	for deadline := time.Now().Add(10 * time.Second); up.Busy(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it waits for ever")
		}
	}
	if got := samples(t, e, now); got != 60 {
		t.Errorf("%d samples; want 60", got)
	}
}

// push writes a sample as a node agent does.
func push(t *testing.T, e *embedded.Engine, at time.Time) {
	t.Helper()
	symbols := writev2.NewSymbolTable()
	req := writev2.Request{Timeseries: []writev2.TimeSeries{{
		LabelsRefs: symbols.SymbolizeLabels(labels.FromStrings("__name__", "up", "job", "leeway-node", "node", "n1"), nil),
		Samples:    []writev2.Sample{{Value: 1, Timestamp: at.UnixMilli()}},
	}}}
	req.Symbols = symbols.Symbols()
	raw, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(snappy.Encode(nil, raw)))
	r.Header.Set("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
	r.Header.Set("Content-Encoding", "snappy")
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	if w.Code/100 != 2 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

// While another replica may come back, it can't be said whether it remembers a pod;
// after that nobody does.
func TestOthersRemember(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	there := openEngine(t, t.TempDir())
	fill(t, there, "churn-a", now.Add(-2*time.Hour), now.Add(-time.Hour))
	server := newReplica(t, there)
	clock := now
	m := peer.NewMemory(others(t, server.URL), func() time.Time { return clock })
	since := now.Add(-3 * time.Hour)
	want := []auth.Seen{{Node: "n1", Model: "churn", Version: "2"}}
	for pod, want := range map[string][]auth.Seen{"churn-a": want, "churn-b": nil, `"} or {x="`: nil} {
		if got, err := m.Seen(t.Context(), "ml", pod, since); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", pod, got, err, want)
		}
	}
	if got, err := m.Seen(t.Context(), "ml", "churn-a", now.Add(-30*time.Minute)); err != nil || len(got) > 0 {
		t.Errorf("one that is gone for long: %v, %v", got, err)
	}
	server.Close()
	for _, c := range []struct {
		after time.Duration
		err   bool
	}{{0, true}, {time.Second, true}, {10 * time.Second, true}, {16 * time.Second, false}, {time.Hour, false}} {
		clock = now.Add(c.after)
		if got, err := m.Seen(t.Context(), "ml", "churn-a", since); (err != nil) != c.err || len(got) > 0 {
			t.Errorf("%s after the other went away: %v, %v", c.after, got, err)
		}
	}
}

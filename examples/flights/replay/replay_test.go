package replay_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/examples/flights/data"
	"github.com/leeway-dev/leeway/examples/flights/model"
	"github.com/leeway-dev/leeway/examples/flights/replay"
	"github.com/leeway-dev/leeway/examples/flights/serve"
)

// wait gives a busy machine time.
func wait(t *testing.T, until func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !until(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited for a minute")
		}
	}
}

func TestReplayKeepsScore(t *testing.T) {
	flights, err := data.Load()
	if err != nil {
		t.Fatal(err)
	}
	rows, held := data.Winter.Split(flights, 1)
	m, err := model.Train(rows)
	if err != nil {
		t.Fatal(err)
	}
	good := serve.Handler(m, "flights", "7")
	m2 := *m
	m2.FailRatio = 1
	bad := serve.Handler(&m2, "flights", "8")
	var mode atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch mode.Load() {
		case 0:
			good.ServeHTTP(w, r)
		case 1:
			bad.ServeHTTP(w, r)
		default:
			http.Error(w, "bad gateway", http.StatusBadGateway)
		}
	}))
	defer server.Close()
	var labels, labelled atomic.Int64
	r := replay.New(replay.Config{URL: server.URL + "/v2/models/flights/infer", Rate: 400, Workers: 4,
		ConnectionFor: 200 * time.Millisecond, Timeout: time.Second, LabelDelay: 100 * time.Millisecond,
		Feedback: func(_ context.Context, l []replay.Label) { labels.Add(int64(len(l))) },
		Rows:     func(_ context.Context, _ time.Time, f []data.Flight) { labelled.Add(int64(len(f))) },
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	r.Send(held)
	wait(t, func() bool { return labels.Load() >= 300 && labels.Load() == labelled.Load() })
	s := r.Score(time.Time{}, time.Now(), "7")
	if s.Requests < 300 || s.Lost+s.Faulty > 0 || s.MAE < 5 || s.MAE > 9 {
		t.Errorf("with a good server: %+v", s)
	}
	for i, want := range []string{"faulty", "lost"} {
		mode.Store(int32(i + 1))
		time.Sleep(100 * time.Millisecond) // what was under way before is answered
		from := time.Now()
		wait(t, func() bool { return r.Score(from, time.Now(), "").Requests >= 50 })
		s := r.Score(from, time.Now(), "")
		if got := map[string]int{"faulty": s.Faulty, "lost": s.Lost}[want]; got != s.Requests {
			t.Errorf("want every request %s, got %+v", want, s)
		}
		if (want == "faulty") == r.FirstFault(from).IsZero() {
			t.Errorf("first fault when %s: %v", want, r.FirstFault(from))
		}
	}
	cancel()
	<-done
}

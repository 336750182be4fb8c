package relay_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/observe"
	"github.com/leeway-dev/leeway/sidecar/protocol"
	"github.com/leeway-dev/leeway/sidecar/relay"
)

const captureBudget = 1 << 20

// observed starts a relay as the sidecar has it: every connection followed, every body that can be read counted into
// the bins of a profile. When the test ends, nothing of that may be left.
func observed(t testing.TB, portable bool, upstream string) (through string, seen *atomic.Int64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	m := metrics.New(registry, protocol.Kinds(protocol.Auto)...)
	o := observe.New(observe.Config{
		Protocol: protocol.Auto, SampleRatio: 1, Budget: captureBudget, MaxBody: 64 << 10, Metrics: m, Log: zap.NewNop(),
	})
	if _, err := o.SetReference(trained(t), "sha256:test"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if portable {
		done := make(chan struct{})
		go func() { o.Run(ctx); close(done) }()
		t.Cleanup(func() { cancel(); <-done; settled(t, o, registry) })
	} else {
		t.Cleanup(func() { cancel(); o.Run(ctx); settled(t, o, registry) })
	}
	seen = new(atomic.Int64)
	follower := func() relay.Follower { return follow.New(counted{o, seen}) }
	_, through = run(t, relay.Config{
		Upstream: upstream, NewFollower: follower, Failed: m.UpstreamError, Work: o, Portable: portable,
	})
	return through, seen
}

// counted is an observer, and how many answered exchanges it was told of.
type counted struct {
	*observe.Observer
	answered *atomic.Int64
}

func (c counted) Done(e *follow.Exchange) {
	if e.Outcome == follow.Answered {
		c.answered.Add(1)
	}
	c.Observer.Done(e)
}

// trained is a profile of the columns a, b, c and y.
func trained(t testing.TB) *profile.Profile {
	t.Helper()
	var csv strings.Builder
	csv.WriteString("a,b,c,y\n")
	for i := range 200 {
		fmt.Fprintf(&csv, "%d,%g,%d,%d\n", i%100, float64(i)/4, i%7, i%50)
	}
	p, _, err := dataset.FromCSV("train.csv", strings.NewReader(csv.String()), dataset.Options{Predictions: []string{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// settled: no request is in flight, and all memory has been given back.
func settled(t testing.TB, o *observe.Observer, registry *prometheus.Registry) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, v := range f.Metric {
			switch f.GetName() {
			case "leeway_requests_in_flight":
				if n := v.Gauge.GetValue(); n != 0 {
					t.Errorf("%v requests in flight", n)
				}
			case "leeway_captures_total", "leeway_opaque_connections_total":
				if n := v.Counter.GetValue(); n > 0 {
					t.Logf("%s %s: %v", f.GetName(), v.Label[0].GetValue(), n)
				}
			}
		}
	}
	if !o.Reserve(captureBudget) {
		t.Error("captured bytes were not given back")
	}
}

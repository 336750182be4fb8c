package observe

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// A panic while one body is parsed costs that body; the parser goes on. (Inside, because nothing from outside is known to panic.)
func TestPanicIsRecovered(t *testing.T) {
	o := New(Config{Budget: 1 << 20, MaxBody: 1 << 20, SampleRatio: 1, Metrics: metrics.New(prometheus.NewRegistry(), protocol.V1), Log: zap.NewNop()})
	ref := &reference{recorder: new(profile.Recorder), features: new(columns), outputs: new(columns)}
	ref.features.definitions = make([]profile.Column, 1) // without the rest
	broken := &record{kind: protocol.V1, reference: ref}
	if got := o.half(broken, &capture{buf: []byte(`{"instances":[["a"]]}`)}, false); got != metrics.Panicked {
		t.Errorf("result %q, want %q", got, metrics.Panicked)
	}
	o.parse(broken, nil, false)
	if !ref.mu.TryLock() {
		t.Error("the lock was lost with the panic")
	}
}

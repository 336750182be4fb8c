package forward

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/agent/node/buffer"
)

// Replica is one receiver. Its name is the key of its position in the buffer, so
// it must stay the same when the address changes.
type Replica struct {
	Name string // e.g. leeway-controller-0
	URL  string // e.g. http://leeway-controller-0.leeway-controller.leeway-system:9096/api/v1/write
}

// Config of a Forwarder. Only Buffer.Dir, Replicas and Role must be set.
type Config struct {
	Role      string // node or controller: names the metrics leeway_<role>_forward_…
	Buffer    buffer.Config
	Replicas  []Replica
	TokenFile string // bearer token, read for each request; empty: none
	// MaxSamples bounds one request; 0 is 2,000.
	MaxSamples int
	// Timeout of one request; 0 is 5 s.
	Timeout time.Duration
	// Grace is for how long what is left is still sent when the context ends; 0 is 2 s.
	Grace      time.Duration
	Client     *http.Client          // nil: one with short dial time-outs and no proxy
	Registerer prometheus.Registerer // may be nil
	Logger     *zap.Logger           // nil: silent
	Now        func() time.Time      // nil: time.Now
}

func (c Config) withDefaults() Config {
	c.MaxSamples = cmp.Or(c.MaxSamples, 2000)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.Grace = cmp.Or(c.Grace, 2*time.Second)
	if c.Client == nil {
		c.Client = NewClient()
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// NewClient is for connections inside the cluster: it goes through no proxy and
// gives a pod that is gone up quickly.
func NewClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConns:        16,
		MaxIdleConnsPerHost: 2,
		IdleConnTimeout:     time.Minute,
	}}
}

// Forwarder is a storage that is read by the controller replicas.
type Forwarder struct {
	cfg      Config
	buffer   *buffer.Buffer
	senders  []*sender
	metrics  *metrics
	encoders sync.Pool
}

// New opens the buffer. Samples may be appended at once; Run sends them.
func New(cfg Config) (*Forwarder, error) {
	cfg = cfg.withDefaults()
	b, err := buffer.Open(cfg.Buffer)
	if err != nil {
		return nil, err
	}
	f := &Forwarder{cfg: cfg, buffer: b, encoders: sync.Pool{New: func() any { return newEncoder() }}}
	f.metrics = newMetrics(cfg.Role, func() float64 { return float64(b.Bytes()) })
	if cfg.Registerer != nil {
		if err := f.metrics.register(cfg.Registerer); err != nil {
			b.Close()
			return nil, fmt.Errorf("forward: metrics: %w", err)
		}
	}
	for _, replica := range cfg.Replicas {
		if err := f.addSender(replica); err != nil {
			b.Close()
			return nil, err
		}
	}
	return f, nil
}

func (f *Forwarder) addSender(replica Replica) error {
	reader, err := f.buffer.Reader(replica.Name)
	if err != nil {
		return err
	}
	f.metrics.sent.WithLabelValues(replica.Name)
	for _, reason := range []string{ReasonExpired, ReasonRefused} {
		f.metrics.dropped.WithLabelValues(replica.Name, reason)
	}
	f.senders = append(f.senders, &sender{
		replica: replica, reader: reader, cfg: &f.cfg, metrics: f.metrics,
		log: f.cfg.Logger.With(zap.String("replica", replica.Name)),
	})
	return nil
}

// Run sends until ctx ends and closes the buffer. Appending has to end before.
func (f *Forwarder) Run(ctx context.Context) error {
	var senders sync.WaitGroup
	for _, s := range f.senders {
		senders.Go(func() { s.run(ctx) })
	}
	done := make(chan struct{})
	go func() {
		senders.Wait()
		close(done)
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.observe(f.cfg.Now())
		case <-done:
			<-ctx.Done()
			f.cfg.Client.CloseIdleConnections()
			return f.buffer.Close()
		}
	}
}

func (f *Forwarder) observe(now time.Time) {
	for _, s := range f.senders {
		pending, since := s.reader.Behind()
		lag := 0.0
		if pending > 0 {
			lag = max(now.Sub(since).Seconds(), 0)
		}
		f.metrics.pending.WithLabelValues(s.replica.Name).Set(float64(pending))
		f.metrics.lag.WithLabelValues(s.replica.Name).Set(lag)
	}
}

// Behind says, by replica, how many samples wait for it.
func (f *Forwarder) Behind() map[string]int64 {
	behind := make(map[string]int64, len(f.senders))
	for _, s := range f.senders {
		behind[s.replica.Name], _ = s.reader.Behind()
	}
	return behind
}

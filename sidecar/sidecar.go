package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/observe"
	"github.com/leeway-dev/leeway/sidecar/protocol"
	"github.com/leeway-dev/leeway/sidecar/receipts"
	"github.com/leeway-dev/leeway/sidecar/relay"
)

// Config of a sidecar. Listen, Upstream, AdminListen, Model, CaptureBudget, MaxBody and Log are needed.
type Config struct {
	Listen, AdminListen string
	Upstream            string // http://host:port
	Model, Version      string // the labels model_name and model_version
	Protocol            string // "": auto
	Profile             []byte // an encoded profile; nil: none yet
	ProfileDigest       string // of the only profile that is taken; "": the first
	SampleRatio         float64
	CaptureBudget       int64
	MaxBody             int
	MaxFeatures         int           // values of a row without names; more are a vector. 0: 500
	Redact              []string      // columns whose categories are learned as hashes; nil: none
	LearnBudget         int64         // without a profile, for GET /profile?learned=true; 0: nothing is learned
	TLSCert, TLSKey     string        // files, for clients that speak TLS; "" both: they speak without
	TLSProtocols        []string      // that TLS offers (ALPN): "http/1.1", "h2", or both; nil: none
	Receipts            bool          // answers of inference requests get a receipt; needs Version
	Grace               time.Duration // for requests under way when the sidecar is told to stop
	Portable            bool          // relay with goroutines, also where there is an event loop
	Log                 *zap.Logger
}

// Sidecar is one relay with its observer and admin server. New listens, Run serves.
type Sidecar struct {
	cfg              Config
	upstream         string
	traffic, control net.Listener
	registry         *prometheus.Registry
	metrics          *metrics.Metrics
	observer         *observe.Observer
	issuer           *receipts.Issuer // nil: none are asked for
	relay            *relay.Relay
	draining         atomic.Bool
}

// New checks cfg, takes its profile if it has one, and begins to listen.
func New(cfg Config) (*Sidecar, error) {
	s := &Sidecar{cfg: cfg, registry: prometheus.NewRegistry()}
	kind, err := s.check()
	if err != nil {
		return nil, err
	}
	wrapped := prometheus.WrapRegistererWith(prometheus.Labels{"model_name": cfg.Model, "model_version": cfg.Version}, s.registry)
	m := metrics.New(wrapped, protocol.Kinds(kind)...)
	s.metrics = m
	s.observer = observe.New(observe.Config{Protocol: kind, SampleRatio: cfg.SampleRatio, Budget: cfg.CaptureBudget, MaxBody: cfg.MaxBody, MaxFeatures: s.cfg.MaxFeatures, Redact: cfg.Redact, LearnBudget: cfg.LearnBudget, Metrics: m, Log: cfg.Log})
	s.tellLimits(m)
	wrapped.MustRegister(observe.NewCollector(s.observer, cfg.Profile != nil && cfg.ProfileDigest == ""))
	s.registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if s.relay, err = s.forward(m); err != nil {
		return nil, err
	}
	if cfg.Profile != nil {
		if _, err := s.setReference(cfg.Profile); err != nil {
			return nil, fmt.Errorf("profile: %w", err)
		}
	}
	if s.traffic, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("listen for traffic: %w", err)
	}
	if s.control, err = net.Listen("tcp", cfg.AdminListen); err != nil {
		s.traffic.Close()
		return nil, fmt.Errorf("listen for admin: %w", err)
	}
	return s, nil
}

func (s *Sidecar) check() (protocol.Kind, error) {
	if s.cfg.Model == "" {
		return "", errors.New("the model's name is missing: set it, it is the label model_name")
	}
	if s.cfg.SampleRatio < 0 || s.cfg.SampleRatio > 1 {
		return "", fmt.Errorf("sample ratio %v: want 0 to 1", s.cfg.SampleRatio)
	}
	if s.cfg.MaxBody <= 0 || s.cfg.CaptureBudget <= 0 {
		return "", errors.New("the capture budget and the largest body must be more than 0; to observe nothing, set the sample ratio to 0")
	}
	if s.cfg.MaxFeatures == 0 {
		s.cfg.MaxFeatures = protocol.DefaultMaxFeatures
	}
	if n := s.cfg.MaxFeatures; n < 1 || n > profile.MaxColumns {
		return "", fmt.Errorf("max features %d: want 1 to %d", n, profile.MaxColumns)
	}
	if d := s.cfg.ProfileDigest; d != "" && !validDigest(d) {
		return "", fmt.Errorf("profile digest %q: want sha256: and 64 hexadecimal digits", d)
	}
	if err := s.checkTLS(); err != nil {
		return "", err
	}
	if s.cfg.Receipts {
		if err := s.issue(); err != nil {
			return "", err
		}
	}
	u, err := url.Parse(s.cfg.Upstream)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil {
		return "", fmt.Errorf("upstream %q: want http://host:port", s.cfg.Upstream)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	s.upstream = net.JoinHostPort(u.Hostname(), port)
	if s.cfg.Protocol == "" {
		return protocol.Auto, nil
	}
	return protocol.ParseKind(s.cfg.Protocol)
}

// tellLimits exports what is taken at most, to be seen beside what was folded.
func (s *Sidecar) tellLimits(m *metrics.Metrics) {
	m.Limit("max_features", int64(s.cfg.MaxFeatures))
	m.Limit("max_body_bytes", int64(s.cfg.MaxBody))
	m.Limit("capture_budget_bytes", s.cfg.CaptureBudget)
	m.Limit("learn_budget_bytes", s.cfg.LearnBudget)
	m.Limit("body_values", protocol.MaxValues)
	m.Limit("columns", profile.MaxColumns)
	m.Limit("categories", profile.MaxCategories)
}

func validDigest(d string) bool {
	if len(d) != len("sha256:")+64 || d[:7] != "sha256:" {
		return false
	}
	for _, c := range d[7:] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Addr is where traffic is taken, AdminAddr where the admin server listens.
func (s *Sidecar) Addr() net.Addr { return s.traffic.Addr() }

// AdminAddr is where the admin server listens.
func (s *Sidecar) AdminAddr() net.Addr { return s.control.Addr() }

// Run serves until ctx ends. Then it is no longer ready, answers what is under way, for at most the grace time, stops listening, and returns when everything has ended.
func (s *Sidecar) Run(ctx context.Context) error {
	observed := s.observe()
	admin := &http.Server{Handler: s.admin(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: zap.NewStdLog(s.cfg.Log)}
	failed := make(chan error, 2)
	served := make(chan struct{}, 2)
	serve := func(what string, f func() error) {
		defer func() { served <- struct{}{} }()
		if err := f(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("%s: %w", what, err)
		}
	}
	go serve("traffic", func() error { return s.relay.Serve(s.traffic) })
	go serve("admin", func() error { return admin.Serve(s.control) })
	s.cfg.Log.Info("serving", zap.Stringer("listen", s.Addr()), zap.Stringer("admin", s.AdminAddr()), zap.String("upstream", s.upstream),
		zap.String("model", s.cfg.Model), zap.String("version", s.cfg.Version))

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.draining.Store(true)
	grace, cancel := context.WithTimeout(context.Background(), s.cfg.Grace)
	defer cancel()
	if late := s.relay.Shutdown(grace); late != nil {
		s.cfg.Log.Warn("requests were still under way at the end of the grace time; their connections are reset", zap.Duration("grace", s.cfg.Grace))
	}
	last, cancelLast := context.WithTimeout(context.Background(), time.Second)
	defer cancelLast()
	if admin.Shutdown(last) != nil {
		admin.Close()
	}
	<-served
	<-served
	observed()
	s.cfg.Log.Info("stopped")
	return err
}

// observe has exchanges parsed until the returned function is called, which parses what is left. An event loop parses by
// itself when it has nothing to move.
func (s *Sidecar) observe() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.relay.Loop() {
			s.observer.Tend(ctx)
		}
		s.observer.Run(ctx)
	}()
	return func() { cancel(); <-done }
}

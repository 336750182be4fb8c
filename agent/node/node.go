package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/leeway-dev/leeway/agent/node/buffer"
	"github.com/leeway-dev/leeway/agent/node/forward"
	"github.com/leeway-dev/leeway/agent/node/own"
)

// Config of the node role. Node, Pods, Controllers and Dir must be set.
type Config struct {
	Node string // name of the node
	Pod  string // name of this pod, a label of its own metrics
	Pods PodAPI
	// Controllers are the replicas, each with a name that it keeps.
	Controllers []Controller
	// Dir holds the buffer; it should outlive a restart of the container.
	Dir         string
	BufferAge   time.Duration // 0 is 2 h
	BufferBytes int64         // 0 is 512 MiB
	TokenFile   string        // bearer token for the controllers; empty: none
	// ReferencesOnly leaves the scraping to somebody else: the sidecars get their
	// references, and that is all.
	ReferencesOnly bool
	// ScrapeInterval; 0 is 15 s.
	ScrapeInterval   time.Duration
	NativeHistograms bool // beside the classic ones
	Limits           Limits
	Registry         *prometheus.Registry // nil: a new one
	Logger           *zap.Logger          // nil: silent
	Client           *http.Client         // towards controllers and sidecars; nil: forward.NewClient
}

// Controller is one controller replica.
type Controller struct {
	Name string // leeway-controller-0
	URL  string // http://leeway-controller-0.leeway-controller.leeway-system:9096
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Node == "":
		return c, errors.New("node: no node name")
	case c.Pods == nil:
		return c, errors.New("node: no pod API")
	case len(c.Controllers) == 0:
		return c, errors.New("node: no controllers to push to")
	case c.Dir == "" && !c.ReferencesOnly:
		return c, errors.New("node: no directory for the buffer")
	}
	c.ScrapeInterval = cmp.Or(c.ScrapeInterval, 15*time.Second)
	c.Limits = c.Limits.withDefaults()
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Client == nil {
		c.Client = forward.NewClient()
	}
	return c, nil
}

// Agent is the node role.
type Agent struct {
	cfg        Config
	references *references
	metrics    *metrics

	// nil with ReferencesOnly
	forwarder *forward.Forwarder
	scraper   *scrape.Manager
	own       *own.Writer
}

// New opens the buffer and prepares all parts; Run starts them. One of the two
// has to be followed by the other: Run closes the buffer.
func New(cfg Config) (*Agent, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &Agent{cfg: cfg, metrics: newMetrics()}
	if err := a.metrics.register(cfg.Registry); err != nil {
		return nil, fmt.Errorf("node: metrics: %w", err)
	}
	if a.references, err = newReferences(cfg, a.metrics); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	if cfg.ReferencesOnly {
		return a, nil
	}
	if err := a.collect(); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	return a, nil
}

// collect prepares what scrapes, buffers and pushes.
func (a *Agent) collect() error {
	cfg := a.cfg
	log := slog.New(zapslog.NewHandler(cfg.Logger.Core(), zapslog.WithName("scrape")))
	scrapeCfg, err := scrapeConfig(cfg.ScrapeInterval, cfg.Limits, cfg.NativeHistograms, log)
	if err != nil {
		return err
	}
	if a.forwarder, err = newForwarder(cfg); err != nil {
		return err
	}
	if a.scraper, err = newScraper(a.forwarder, scrapeCfg, cfg.Registry, log); err != nil {
		return err
	}
	a.own = own.New(own.Config{
		Gatherer: cfg.Registry, To: []storage.AppendableV2{a.forwarder}, Interval: cfg.ScrapeInterval, Logger: cfg.Logger,
		Labels: map[string]string{"job": "leeway-node", "instance": cfg.Pod, "node": cfg.Node, "pod": cfg.Pod},
	})
	return nil
}

func newForwarder(cfg Config) (*forward.Forwarder, error) {
	replicas := make([]forward.Replica, 0, len(cfg.Controllers))
	for _, c := range cfg.Controllers {
		replicas = append(replicas, forward.Replica{Name: c.Name, URL: c.URL + "/api/v1/write"})
	}
	return forward.New(forward.Config{
		Role:     "node",
		Buffer:   buffer.Config{Dir: cfg.Dir, MaxAge: cfg.BufferAge, MaxBytes: cfg.BufferBytes},
		Replicas: replicas, TokenFile: cfg.TokenFile, Client: cfg.Client,
		Registerer: cfg.Registry, Logger: cfg.Logger,
	})
}

// Run works until ctx ends. What was scraped by then is still sent, for a moment.
func (a *Agent) Run(ctx context.Context) error {
	if a.cfg.ReferencesOnly {
		return a.runReferences(ctx)
	}
	// The forwarder is stopped last: the others append to it.
	forwarding, stopForwarding := context.WithCancel(context.WithoutCancel(ctx))
	forwarded := make(chan error, 1)
	go func() { forwarded <- a.forwarder.Run(forwarding) }()

	g, gctx := errgroup.WithContext(ctx)
	updates := make(chan map[string][]*targetgroup.Group)
	g.Go(func() error { return a.scraper.Run(updates) })
	g.Go(func() error {
		<-gctx.Done()
		a.scraper.Stop()
		return nil
	})
	g.Go(func() error { return a.references.run(gctx) })
	g.Go(func() error { return a.own.Run(gctx) })
	g.Go(func() error {
		return watchPods(gctx, a.cfg.Pods, a.cfg.Node, func(pods []*corev1.Pod) {
			a.update(gctx, updates, pods)
		})
	})
	err := g.Wait()
	stopForwarding()
	err = errors.Join(err, <-forwarded)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// runReferences follows the pods for the sake of their references alone.
func (a *Agent) runReferences(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.references.run(gctx) })
	g.Go(func() error {
		return watchPods(gctx, a.cfg.Pods, a.cfg.Node, func(pods []*corev1.Pod) {
			a.metrics.pods.Set(float64(len(pods)))
			a.references.set(pods)
		})
	})
	if err := g.Wait(); ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// update passes the pods on to both of their users.
func (a *Agent) update(ctx context.Context, to chan<- map[string][]*targetgroup.Group, pods []*corev1.Pod) {
	groups := targets(pods)
	a.metrics.pods.Set(float64(len(pods)))
	a.metrics.targets.Set(float64(len(groups[job][0].Targets)))
	a.references.set(pods)
	select {
	case to <- groups:
	case <-ctx.Done():
	}
}

// Behind says, by controller, how many samples wait for it.
func (a *Agent) Behind() map[string]int64 { return a.forwarder.Behind() }

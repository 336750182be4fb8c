package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/leeway-dev/leeway/agent/node"
)

// NodeConfig is what the node role needs. All but Logger must be set.
type NodeConfig struct {
	Listen         string // of probes and metrics
	Node, Pod      string // names
	DataDir        string // holds the buffer
	Controllers    []node.Controller
	TokenFile      string
	ScrapeInterval time.Duration
	ReferencesOnly bool // a Prometheus scrapes the sidecars
	Kubernetes     *rest.Config
	Logger         *zap.Logger
}

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch,roleName=leeway-node

// RunNode runs the node role until ctx ends.
func RunNode(ctx context.Context, c NodeConfig) error {
	clients, err := kubernetes.NewForConfig(c.Kubernetes)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	registry := newRegistry()
	a, err := node.New(node.Config{
		Node: c.Node, Pod: c.Pod, Pods: clients.CoreV1().Pods(""), Controllers: c.Controllers, Dir: c.DataDir,
		TokenFile: c.TokenFile, ScrapeInterval: c.ScrapeInterval, ReferencesOnly: c.ReferencesOnly, Registry: registry, Logger: c.Logger,
	})
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metricsHandler(registry))
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.Run(ctx) })
	g.Go(func() error { return listen(ctx, c.Listen, mux, c.Logger) })
	return ignoreEnd(g.Wait())
}

// ignoreEnd takes the end of the context for a good end.
func ignoreEnd(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(processCollectors()...)
	return r
}

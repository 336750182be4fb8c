package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/external"
	"github.com/leeway-dev/leeway/agent/node"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/artifact"
	"github.com/leeway-dev/leeway/registry/mlflow"
	"github.com/leeway-dev/leeway/registry/store"
	"github.com/leeway-dev/leeway/rules"
)

// ControllerConfig is what the controller role needs. All must be set but
// RulesDir, MLflow, AlertmanagerURLs, ExternalURL and Prometheus.
type ControllerConfig struct {
	Listen               string // of the API, probes and metrics
	Node, Pod, Namespace string // names
	DataDir              string // holds the TSDB, and the buffer towards the peers
	// RulesDir holds the rule files; empty: those that ship with Leeway.
	RulesDir string
	// Controllers are all replicas, this one among them.
	Controllers []node.Controller
	TokenFile   string
	// Registry is the URI of the registry; {namespace} is the guard's.
	Registry string
	// MLflow is what an MLflow server asks for, if the registry is one.
	MLflow mlflow.Credentials
	// ArtifactAllow says which artifacts the controller reads, to compare their
	// digest, and which registries of images it asks.
	ArtifactAllow artifact.Allow
	// Prometheus is the server that scrapes and evaluates the rules. Nil: this
	// replica does, and RulesDir, AlertmanagerURLs and ExternalURL are for that.
	Prometheus       *external.Config
	AlertmanagerURLs []string
	ExternalURL      string
	// GitHubURL is the REST API that trainings by workflow go to.
	GitHubURL      string
	ScrapeInterval time.Duration // of the node agents
	DecideInterval time.Duration
	LeaseDuration  time.Duration
	Kubernetes     *rest.Config
	Logger         *zap.Logger
}

// rulesDir is where the rules are read from. Those that ship are written out
// first, so that both kinds are read the same way.
func (c ControllerConfig) rulesDir() (string, error) {
	if c.RulesDir != "" {
		return c.RulesDir, nil
	}
	dir := filepath.Join(c.DataDir, "rules")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("agent: %w", err)
	}
	files, err := rules.Render(rules.Defaults())
	if err != nil {
		return "", fmt.Errorf("agent: %w", err)
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o640); err != nil {
			return "", fmt.Errorf("agent: %w", err)
		}
	}
	return dir, nil
}

func newScheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := store.AddToScheme(s); err != nil {
		return nil, err
	}
	return s, v1alpha1.AddToScheme(s)
}

// maxStores bounds the registries that are kept open.
const maxStores = 1000

// stores opens the registry of a namespace, once: a store remembers what it has
// read. Namespaces of one registry share it.
func (c ControllerConfig) stores(kube client.WithWatch) func(namespace string) (registry.Store, error) {
	var mu sync.Mutex
	opened := map[string]registry.Store{}
	return func(namespace string) (registry.Store, error) {
		mu.Lock()
		defer mu.Unlock()
		uri := store.InNamespace(c.Registry, namespace)
		if s := opened[uri]; s != nil {
			return s, nil
		}
		s, err := store.Open(context.Background(), uri, store.Options{
			Kube:   func() (client.WithWatch, string, error) { return kube, namespace, nil },
			MLflow: c.MLflow,
			Now:    time.Now,
		})
		if err != nil {
			return nil, err
		}
		if len(opened) == maxStores { // people may ask for any namespace
			clear(opened)
		}
		opened[uri] = s
		return s, nil
	}
}

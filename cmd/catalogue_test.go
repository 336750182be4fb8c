package cmd_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/agent/election"
	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/feedback"
	"github.com/leeway-dev/leeway/agent/guard"
	"github.com/leeway-dev/leeway/agent/node"
	"github.com/leeway-dev/leeway/agent/node/buffer"
	"github.com/leeway-dev/leeway/agent/node/forward"
	"github.com/leeway-dev/leeway/agent/peer"
	"github.com/leeway-dev/leeway/agent/reference"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/rules"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/observe"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// The catalogue that rules and dashboards are checked against says of every
// metric of Leeway's programs what their own registries say, and nothing else.
func TestCatalogueIsWhatIsExported(t *testing.T) {
	listed := map[string]rules.Metric{}
	for _, m := range rules.Catalogue() {
		if _, twice := listed[m.Name]; twice {
			t.Errorf("%s is listed twice", m.Name)
		}
		listed[m.Name] = m
	}
	exported := map[string]bool{}
	for from, registry := range registries(t) {
		for name, labels := range described(t, registry) {
			exported[name] = true
			m, ok := listed[name]
			if !ok {
				t.Errorf("%s, of the %s, is not in rules.Catalogue", name, from)
				continue
			}
			if from == "sidecar" && m.From == "controller" { // a stand-alone sidecar's reference: without a namespace
				labels = append(labels, "namespace")
			}
			want := slices.Clone(m.Labels)
			slices.Sort(want)
			slices.Sort(labels)
			if !slices.Equal(labels, want) || from != "sidecar" && m.From != from {
				t.Errorf("%s: the %s exports it with %q, the catalogue has %s and %q", name, from, labels, m.From, want)
			}
		}
	}
	for name := range listed {
		if !exported[name] {
			t.Errorf("%s is in the catalogue, and nothing exports it", name)
		}
	}
}

// registries are those of the programs, as they put them together.
func registries(t *testing.T) map[string]*prometheus.Registry {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]*prometheus.Registry{"sidecar": prometheus.NewRegistry(), "controller": prometheus.NewRegistry(), "node": prometheus.NewRegistry()}

	version := prometheus.WrapRegistererWith(prometheus.Labels{"model_name": "m", "model_version": "1"}, all["sidecar"])
	m := metrics.New(version, protocol.Kinds(protocol.Auto)...)
	must(version.Register(observe.NewCollector(observe.New(observe.Config{Protocol: protocol.Auto, Metrics: m, Log: zap.NewNop()}), true)))

	engine, err := embedded.New(embedded.Config{DataDir: t.TempDir(), Registerer: all["controller"]})
	must(err)
	t.Cleanup(func() { must(engine.Close()) })
	_, err = peer.NewCatchUp(peer.CatchUpConfig{Engine: engine, Registerer: all["controller"]})
	must(err)
	_, err = auth.New(auth.Config{Registerer: all["controller"]})
	must(err)
	_, err = feedback.New(feedback.Config{Registerer: all["controller"]})
	must(err)
	must(all["controller"].Register(reference.New()))
	must(all["controller"].Register(election.NewGauge()))
	kube := fakeclient.NewClientBuilder().Build()
	_, err = guard.New(guard.Config{
		Client: kube, Live: kube, Source: noSource{}, Registerer: all["controller"], Logger: zap.NewNop(),
		Store: func(string) (registry.Store, error) { return nil, nil },
		LiveProfile: func(context.Context, []corev1.Pod, time.Time, time.Time) (guard.LiveProfile, error) {
			return guard.LiveProfile{}, nil
		},
		CheckArtifact: func(context.Context, string, string) error { return nil },
		CanPatch:      func(context.Context, string) (bool, error) { return false, nil },
	})
	must(err)

	agent, err := node.New(node.Config{
		Node: "n", Pod: "p", Pods: fake.NewClientset().CoreV1().Pods(""), Controllers: []node.Controller{{Name: "c", URL: "http://127.0.0.1:1"}},
		Dir: t.TempDir(), Registry: all["node"],
	})
	must(err)
	peers, err := forward.New(forward.Config{
		Role: "controller", Buffer: buffer.Config{Dir: t.TempDir()}, Replicas: []forward.Replica{{Name: "c", URL: "http://127.0.0.1:1"}}, Registerer: all["controller"], Logger: zap.NewNop(),
	})
	must(err)
	ended, end := context.WithCancel(t.Context())
	end()
	must(agent.Run(ended))
	must(peers.Run(ended))
	return all
}

type noSource struct{ guard.Source }

var (
	fqName   = regexp.MustCompile(`fqName: "([^"]+)"`)
	constant = regexp.MustCompile(`constLabels: \{([^}]*)\}`)
	variable = regexp.MustCompile(`variableLabels: \{([^}]*)\}`)
)

// described are the labels of Leeway's metrics of a registry.
func described(t *testing.T, r *prometheus.Registry) map[string][]string {
	t.Helper()
	descriptions := make(chan *prometheus.Desc)
	go func() {
		r.Describe(descriptions)
		close(descriptions)
	}()
	out := map[string][]string{}
	for d := range descriptions {
		s := d.String()
		name := fqName.FindStringSubmatch(s)[1]
		if !strings.HasPrefix(name, "leeway_") {
			continue
		}
		labels := []string{}
		for _, part := range strings.Split(constant.FindStringSubmatch(s)[1], ",") {
			if label, _, ok := strings.Cut(part, "="); ok {
				labels = append(labels, label)
			}
		}
		for _, label := range strings.Split(variable.FindStringSubmatch(s)[1], ",") {
			if label != "" {
				labels = append(labels, label)
			}
		}
		out[name] = labels
	}
	if len(out) < 3 {
		t.Fatalf("only %d metrics described", len(out))
	}
	return out
}

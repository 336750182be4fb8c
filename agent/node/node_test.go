package node_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/leeway-dev/leeway/agent/embedded"
	"github.com/leeway-dev/leeway/agent/node"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sidecar is a pod's sidecar: it exports counters and takes a reference.
type sidecar struct {
	*httptest.Server
	rows *prometheus.CounterVec

	mu        sync.Mutex
	reference []byte
}

func startSidecar(t *testing.T) *sidecar {
	t.Helper()
	s := &sidecar{rows: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "leeway_feature_observations_total", Help: "Rows by bin.",
		// A pod that lies about where it is.
		ConstLabels: prometheus.Labels{"namespace": "kube-system", "model_name": "churn"},
	}, []string{"bin"})}
	reg := prometheus.NewRegistry()
	reg.MustRegister(s.rows)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("PUT /reference", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reference = body
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *sidecar) got() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.reference)
}

func (s *sidecar) pod(t *testing.T, name, digest string) *corev1.Pod {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(port)
	yes := true
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ml", Name: name, UID: "uid-" + "1",
			Labels:      map[string]string{node.ModelLabel: "churn", node.VersionLabel: "3", "pod-template-hash": "abc12"},
			Annotations: map[string]string{node.DigestAnnotation: digest},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "churn-abc12", Controller: &yes,
			}},
		},
		Spec: corev1.PodSpec{
			NodeName: "node-1",
			InitContainers: []corev1.Container{{
				Name: "leeway-sidecar", Ports: []corev1.ContainerPort{{Name: node.AdminPort, ContainerPort: int32(n)}},
			}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: host,
			InitContainerStatuses: []corev1.ContainerStatus{{
				Name: "leeway-sidecar", ContainerID: "containerd://1",
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
			}},
		},
	}
}

// controller is a replica: the embedded Prometheus and the registry's profiles.
type controller struct {
	*httptest.Server
	engine *embedded.Engine
}

func startController(t *testing.T, profile string) *controller {
	t.Helper()
	e, err := embedded.New(embedded.Config{DataDir: t.TempDir(), EvaluationInterval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/v1/", e.Handler())
	versions := startVersions(t)
	versions.register(t, profile)
	mux.Handle(api.Prefix, versions)
	c := &controller{httptest.NewServer(mux), e}
	t.Cleanup(func() {
		c.Close()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// versions is the registry as controllers serve it, of the namespace ml.
type versions struct {
	http.Handler
	store *dir.Store
}

func startVersions(t *testing.T) *versions {
	t.Helper()
	v := &versions{store: dir.New(t.TempDir(), time.Now)}
	h, err := api.New(api.Config{
		Open: func(_ context.Context, namespace string, _ api.Verb) (registry.Store, error) {
			if namespace != "ml" {
				return dir.New(filepath.Join(t.TempDir(), "none"), time.Now), nil
			}
			return v.store, nil
		},
		Authorize: func(*http.Request, string, api.Verb) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	v.Handler = h
	return v
}

// register keeps version 3 of churn.
func (v *versions) register(t *testing.T, profile string) {
	t.Helper()
	spec := registrytest.Spec("churn")
	var err error
	if spec.Profile, err = registry.Pack([]byte(profile)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := v.store.Register(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
}

// value is the only sample of an expression, NaN-free, or ok is false.
func (c *controller) value(t *testing.T, expr string) (float64, bool) {
	t.Helper()
	v, err := c.engine.Query(t.Context(), expr, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(v) != 1 {
		return 0, false
	}
	return v[0].F, true
}

// pods is the fake API, which can't stream lists; a real one can.
type pods struct{ node.PodAPI }

func (pods) IsWatchListSemanticsUnSupported() bool { return true }

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 15 s: %s", what)
}

func TestPodsToControllers(t *testing.T) {
	const profile = `{"format":"leeway.dev/profile/v1"}`
	a, b := startController(t, profile), startController(t, profile)
	pod := startSidecar(t)
	pod.rows.WithLabelValues("00").Add(7)
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(profile)))

	kube := fake.NewClientset()
	agent, err := node.New(node.Config{
		Node: "node-1", Pod: "leeway-node-x", Pods: pods{kube.CoreV1().Pods("")},
		Controllers:    []node.Controller{{Name: "c-0", URL: a.URL}, {Name: "c-1", URL: b.URL}},
		Dir:            filepath.Join(t.TempDir(), "buffer"),
		ScrapeInterval: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- agent.Run(ctx) }()

	created := time.Now()
	if _, err := kube.CoreV1().Pods("ml").Create(ctx, pod.pod(t, "churn-abc12-1", digest), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	series := `leeway_feature_observations_total{job="leeway-sidecar",namespace="ml",pod="churn-abc12-1",node="node-1",workload="churn",model_name="churn",bin="00",exported_namespace=""}`
	for _, c := range []*controller{a, b} {
		eventually(t, "the pod's counter in both controllers", func() bool {
			v, ok := c.value(t, series)
			return ok && v == 7
		})
		if took := time.Since(created); took > 3*time.Second {
			t.Errorf("a new pod was seen after %s; want within about a second", took)
		}
	}
	pod.rows.WithLabelValues("00").Add(5)
	eventually(t, "the increase", func() bool { v, _ := a.value(t, series); return v == 12 })
	eventually(t, "the reference at the sidecar", func() bool { return pod.got() == profile })
	eventually(t, "the agent's own metrics", func() bool {
		v, ok := b.value(t, `leeway_node_targets{node="node-1",pod="leeway-node-x",job="leeway-node"}`)
		return ok && v == 1
	})
	if err := kube.CoreV1().Pods("ml").Delete(ctx, "churn-abc12-1", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the series of the deleted pod are stale", func() bool { _, ok := a.value(t, series); return !ok })
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// Where a Prometheus scrapes the sidecars the agent brings them their references,
// and needs no folder for a buffer.
func TestReferencesOnly(t *testing.T) {
	const profile = `{"format":"leeway.dev/profile/v1"}`
	c, pod := startController(t, profile), startSidecar(t)
	pod.rows.WithLabelValues("00").Add(7)
	kube := fake.NewClientset(pod.pod(t, "churn-abc12-1", fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(profile)))))
	agent, err := node.New(node.Config{
		Node: "node-1", Pod: "leeway-node-x", Pods: pods{kube.CoreV1().Pods("")}, ReferencesOnly: true,
		Controllers: []node.Controller{{Name: "c-0", URL: c.URL}}, ScrapeInterval: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- agent.Run(ctx) }()
	eventually(t, "the reference at the sidecar", func() bool { return pod.got() == profile })
	time.Sleep(time.Second)
	if n, ok := c.value(t, `count({__name__=~"leeway_.+"})`); ok {
		t.Errorf("%g series were pushed", n)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

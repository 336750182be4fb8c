package node_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/leeway-dev/leeway/agent/node"
	"github.com/leeway-dev/leeway/registry/api"
)

// profiles is a controller that has a registry and takes all samples.
type profiles struct {
	*httptest.Server
	*versions
}

func startProfiles(t *testing.T) *profiles {
	p := &profiles{versions: startVersions(t)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/write", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.Handle(api.Prefix, p.versions)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func TestReferencesReachSidecars(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	controller := startProfiles(t)
	profile := `{"format":"leeway.dev/profile/v1","rows":1}`
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(profile)))
	a, b := startSidecar(t), startSidecar(t)
	podA, podB := a.pod(t, "churn-abc12-a", digest), b.pod(t, "churn-abc12-b", "sha256:"+strings.Repeat("0", 64))
	podB.UID = "uid-2"
	kube := fake.NewClientset(podA, podB)
	reg := prometheus.NewRegistry()
	agent, err := node.New(node.Config{
		Node: "node-1", Pod: "x", Pods: pods{kube.CoreV1().Pods("")}, Dir: t.TempDir(), Registry: reg,
		Controllers: []node.Controller{{Name: "c-0", URL: gone.URL}, {Name: "c-1", URL: controller.URL}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- agent.Run(ctx) }()

	result := func(name string) float64 {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() != "leeway_node_reference_pushes_total" {
				continue
			}
			for _, m := range f.GetMetric() {
				if m.GetLabel()[0].GetValue() == name {
					return m.GetCounter().GetValue()
				}
			}
		}
		return -1
	}
	eventually(t, "both are told that there is none", func() bool { return result("no_profile") >= 2 })
	controller.register(t, profile)
	eventually(t, "the profile, once it is registered", func() bool { return a.got() == profile })
	eventually(t, "the other pod is stamped with another", func() bool { return result("wrong_digest") >= 1 })
	if b.got() != "" {
		t.Errorf("a sidecar got a profile that its pod is not stamped with: %s", b.got())
	}

	// A sidecar that starts again has forgotten its reference.
	before := result("pushed")
	podA.Status.InitContainerStatuses[0].ContainerID = "containerd://2"
	if _, err := kube.CoreV1().Pods("ml").UpdateStatus(ctx, podA, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "pushed again", func() bool { return result("pushed") == before+1 })
	if n, err := testutil.GatherAndCount(reg, "leeway_node_reference_pushes_total"); err != nil || n != 6 {
		t.Errorf("%d results are exported, %v; want all 6 from the start", n, err)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

func TestWorkload(t *testing.T) {
	yes := true
	owned := func(kind, owner, hash string) *corev1.Pod {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"pod-template-hash": hash}}}
		if kind != "" {
			pod.OwnerReferences = []metav1.OwnerReference{{Kind: "Node", Name: "not-the-controller"}, {Kind: kind, Name: owner, Controller: &yes}}
		}
		return pod
	}
	for _, c := range []struct {
		name string
		pod  *corev1.Pod
		want string
	}{
		{"deployment", owned("ReplicaSet", "churn-v2-abc12", "abc12"), "churn-v2"},
		{"replica set without a deployment", owned("ReplicaSet", "churn", ""), "churn"},
		{"a name that ends like another hash", owned("ReplicaSet", "churn-abc12", "zzz"), "churn-abc12"},
		{"stateful set", owned("StatefulSet", "churn", ""), "churn"},
		{"nobody's", owned("", "", ""), ""},
	} {
		if got := node.Workload(c.pod); got != c.want {
			t.Errorf("%s: %q; want %q", c.name, got, c.want)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	full := func() node.Config {
		return node.Config{
			Node: "n", Pods: pods{fake.NewClientset().CoreV1().Pods("")}, Dir: t.TempDir(),
			Controllers: []node.Controller{{Name: "c-0", URL: "http://127.0.0.1:1"}},
		}
	}
	for name, spoil := range map[string]func(*node.Config){
		"no node":        func(c *node.Config) { c.Node = "" },
		"no pods":        func(c *node.Config) { c.Pods = nil },
		"no controllers": func(c *node.Config) { c.Controllers = nil },
		"no directory":   func(c *node.Config) { c.Dir = "" },
		"a name twice":   func(c *node.Config) { c.Controllers = append(c.Controllers, c.Controllers[0]) },
	} {
		c := full()
		spoil(&c)
		if _, err := node.New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A pod that exports without bounds is refused as a whole, and the agent says so.
func TestLimits(t *testing.T) {
	c := startController(t, "")
	pod := startSidecar(t)
	for i := range 50 {
		pod.rows.WithLabelValues(fmt.Sprint(i)).Inc()
	}
	agent, err := node.New(node.Config{
		Node: "node-1", Pod: "x", Dir: t.TempDir(), ScrapeInterval: 200 * time.Millisecond,
		Pods:        pods{fake.NewClientset(pod.pod(t, "churn-abc12-1", "")).CoreV1().Pods("")},
		Controllers: []node.Controller{{Name: "c-0", URL: c.URL}}, Limits: node.Limits{Samples: 40},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- agent.Run(ctx) }()
	eventually(t, "up is 0", func() bool { v, ok := c.value(t, `up{pod="churn-abc12-1"}`); return ok && v == 0 })
	if v, err := c.engine.Query(t.Context(), "leeway_feature_observations_total", time.Now()); err != nil || len(v) != 0 {
		t.Errorf("%d series were taken, %v", len(v), err)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

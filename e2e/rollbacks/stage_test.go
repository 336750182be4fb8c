package rollbacks_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/leeway-dev/leeway/e2e/cluster"
	"github.com/leeway-dev/leeway/e2e/testbed"
)

// perSecond is how many requests each model gets: enough for the errors rules,
// and too few for anything to be said about drift.
const perSecond = 16

// stage is a testbed, and its API server.
type stage struct {
	*testbed.Testbed
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	// broken is an artifact that answers no request.
	broken []byte
}

// newStage starts everything, on addresses that no other test uses. It goes with
// the test.
func newStage(t *testing.T) *stage {
	t.Helper()
	testbed.NeedMachine(t)
	s := &stage{Testbed: testbed.New(t, testbed.Config{
		Root: "../..", Rules: "rules.yaml", Rows: 1000,
		Cluster: cluster.Options{NodeNet: "10.79.0", PodNet: "10.78", ServiceNet: "10.77", Port: 7444},
	})}
	s.broken = bytes.Replace(s.Good, []byte("{"), []byte(`{"failRatio":1,`), 1)
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 500, 1000
	if s.kube, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if s.dynamic, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	s.crowd(t)
	return s
}

// crowd makes guards that have nothing to guard: of twenty guards one may act at
// once, and here all tests are to. They are all of one model, and so cost little.
func (s *stage) crowd(t *testing.T) {
	t.Helper()
	var manifest strings.Builder
	manifest.WriteString("{apiVersion: v1, kind: Namespace, metadata: {name: crowd}}\n")
	for i := range 120 {
		fmt.Fprintf(&manifest, "---\n{apiVersion: leeway.dev/v1alpha1, kind: ModelGuard, metadata: {name: g%[1]d, namespace: crowd}, "+
			"spec: {model: m, workload: {name: m}, artifact: {container: model, env: MODEL_URI}}}\n", i)
	}
	s.ApplyText(t, manifest.String())
}

func (s *stage) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// showAgents prints what Leeway said last.
func (s *stage) showAgents(t *testing.T) {
	out, err := s.Kubectl(context.Background(), "logs", "-n", testbed.System, "-l", "app.kubernetes.io/name=leeway-controller", "--prefix", "--tail=80")
	t.Logf("controllers (%v):\n%s", err, out)
}

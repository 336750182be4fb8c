package registry_test

import (
	"os"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
)

// TestKube runs the store kube: against a real API server and etcd, without a
// cluster: the suite, which the end-to-end tests run on one too, and races and
// listings, at their full size with LEEWAY_TEST_LONG.
func TestKube(t *testing.T) {
	config := startKube(t)
	cmd := child.Command(t.Context(), "go", "test", "-trimpath", "-count=1", "-v", "-timeout", "60m", "-run", "TestReal", "./registry/kube")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0", "LEEWAY_TEST_KUBECONFIG="+config)
	out, err := child.Run(cmd)
	for line := range strings.Lines(out) {
		if strings.Contains(line, "--- ") || strings.Contains(line, "load.go") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out, "--- PASS: TestReal"); n < 26 || strings.Contains(out, "--- SKIP") {
		t.Errorf("%d tests have passed, want 26 or more and none skipped", n)
	}
}

// startKube starts etcd and an API server with Leeway's custom resources, which
// end with the test, and gives the kubeconfig.
func startKube(t *testing.T) (config string) {
	t.Helper()
	p, err := plane.Start(t.Context(), plane.Options{Dir: t.TempDir(), Module: ".."})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		if t.Failed() {
			t.Log(p.Said())
		}
	})
	for _, args := range [][]string{
		{"apply", "-f", "../../manifests/base/crd"},
		{"wait", "--for=condition=Established", "--timeout=1m", "crd", "modelversions.leeway.dev"},
	} {
		if _, err := p.Kubectl(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	return p.Kubeconfig
}

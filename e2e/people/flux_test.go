package people_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
)

const kustomizeController = "github.com/fluxcd/kustomize-controller"

// flux starts Flux's kustomize-controller, as module flux pins it, and says so to
// the guard's tests, which serve what it applies.
func flux(t *testing.T, w *installed) []string {
	t.Helper()
	if os.Getenv("LEEWAY_TEST_LONG") == "" {
		t.Log("Flux is played by kubectl: LEEWAY_TEST_LONG=1 builds the real one, which takes minutes")
		return nil
	}
	const module = "../flux"
	program := filepath.Join(w.dir, "kustomize-controller")
	golang(t, module, "build", "-trimpath", "-ldflags", "-s -w", "-o", program, kustomizeController)
	crds := golang(t, module, "list", "-m", "-f", "{{.Dir}}", kustomizeController) + "/config/crd/bases"
	w.do(t, "apply", "--server-side", "-f", crds, "-f", "testdata/sources.yaml")
	w.do(t, "wait", "--for=condition=Established", "--timeout=1m", "-f", crds, "-f", "testdata/sources.yaml")

	health, err := plane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd, said := child.Command(ctx, program, "--metrics-addr=0", "--health-addr="+health), &child.Output{}
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.Kubeconfig, "RUNTIME_NAMESPACE=default", "TMPDIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it is killed
		if t.Failed() {
			t.Log("kustomize-controller said at the end:\n", said.Tail(8000))
		}
	})
	return []string{"LEEWAY_TEST_FLUX=1"}
}

package people_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/debian"
	"github.com/leeway-dev/leeway/e2e/plane"
)

var kube = flag.String("kube", "", "the program kube; empty: it is built")

const controller = "system:serviceaccount:leeway-system:leeway-controller"

// TestPeople installs Leeway as it is shipped, asks its admission policy, and has
// the guard's own tests run on it. The last of those uninstalls it.
func TestPeople(t *testing.T) {
	w := start(t)
	old := w.approvedBefore(t)
	w.do(t, "apply", "-k", "../../manifests/overlays/default")
	w.do(t, "wait", "--for=condition=Established", "--timeout=1m", "crd", "modelversions.leeway.dev", "modelguards.leeway.dev", "modeldecisions.leeway.dev")
	w.awaitPolicy(t)
	t.Run("approvals", func(t *testing.T) { testApprovals(t, w, old) })
	t.Run("guard", func(t *testing.T) { testGuard(t, w) })
}

// installed is Leeway on a control plane.
type installed struct {
	*plane.Plane
	dir string
}

func start(t *testing.T) *installed {
	t.Helper()
	w := &installed{dir: t.TempDir()}
	p, err := plane.Start(t.Context(), plane.Options{
		Dir: w.dir, Module: "..", Program: *kube, Authorization: "RBAC",
		Controllers: []string{"namespace-controller", "garbage-collector-controller"},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Plane = p
	t.Cleanup(func() {
		p.Close()
		if t.Failed() {
			t.Log(p.Said())
		}
	})
	return w
}

// do runs kubectl, which must not fail.
func (w *installed) do(t *testing.T, args ...string) string {
	t.Helper()
	out, err := w.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// refused runs kubectl, which must fail with these words.
func (w *installed) refused(t *testing.T, words string, args ...string) {
	t.Helper()
	if out, err := w.Kubectl(t.Context(), args...); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("kubectl %s: %v, want an error with %q\n%s", strings.Join(args, " "), err, words, out)
	}
}

// await tries until there is no error, or time is over.
func await(t *testing.T, patience time.Duration, try func(ctx context.Context) error) {
	t.Helper()
	if err := plane.Await(t.Context(), patience, func() error { return try(t.Context()) }); err != nil {
		t.Fatal(err)
	}
}

// testGuard runs the guard's tests of people and their tools. The last of them
// uninstalls Leeway.
func testGuard(t *testing.T, w *installed) {
	if err := debian.Install(t.Context(), debian.Shell()); err != nil {
		t.Fatal(err)
	}
	cli, tests := filepath.Join(w.dir, "leeway"), filepath.Join(w.dir, "guard.test")
	golang(t, "../..", "build", "-trimpath", "-o", cli, "./cmd/leeway")
	golang(t, "../..", "test", "-trimpath", "-c", "-o", tests, "./agent/guard")
	env := append(os.Environ(), "LEEWAY_TEST_KUBECONFIG="+w.Kubeconfig, "LEEWAY_TEST_KUBECTL="+filepath.Join(w.dir, "kubectl"), "LEEWAY_TEST_CLI="+cli)
	env = append(env, helm(t, w.dir)...)
	const last = "TestRealUninstalled"
	skip, passed := last, 0
	if of := flux(t, w); of == nil {
		skip += "|TestRealFlux"
	} else {
		env = append(env, of...)
	}
	for _, which := range [][]string{{"-test.run=TestReal", "-test.skip=" + skip}, {"-test.run=" + last}} {
		cmd := child.Command(t.Context(), tests, append(which, "-test.v", "-test.timeout=15m")...)
		cmd.Dir = "../../agent/guard"
		cmd.Env = env
		out, err := child.Run(cmd)
		for line := range strings.Lines(out) {
			if strings.Contains(line, "--- ") {
				t.Log(strings.TrimSpace(line))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out, "--- SKIP") {
			t.Error("some were skipped")
		}
		passed += strings.Count(out, "--- PASS: TestReal")
	}
	if passed < 37 {
		t.Errorf("%d tests have passed, want 37 or more", passed)
	}
}

package guard_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// TestRealGitOps: fields that Git owns are not touched. The change is printed,
// committed, and applied by whoever owns them.
func TestRealGitOps(t *testing.T) {
	for manager, tool := range map[string]tool{"argocd-controller": argo, "kustomize-controller": flux} {
		t.Run(manager, func(t *testing.T) {
			w := realRelease(t, tool)
			w.tick(5)
			w.wantState(w.one(), v1alpha1.StateHeld, "gitops_owned")
			w.wantPhase(v1alpha1.Held, "gitops_owned")
			w.wantSaid(manager + " owns the model's fields")
			w.tick(30)
			w.wantServes("2")
			w.wantChanges(1)
			if m := w.managers(); strings.Contains(m, "leeway") {
				t.Errorf("field managers: %s", m)
			}

			w.commit()
			w.apply("1", tool)
			w.alerts = nil
			w.tick(30)
			w.wantServes("1")
			w.wantPhase(v1alpha1.Watching, "healthy")
			w.one()
			w.wantChanges(2)
		})
	}
}

// commit has leeway print the change, both ways, and makes it in the manifest as
// people would. It returns the manifest's file.
func (w *world) commit() string {
	w.t.Helper()
	dir := w.t.TempDir()
	file := filepath.Join(dir, "churn.yaml")
	if err := os.WriteFile(file, []byte(w.manifest("2")), 0o600); err != nil {
		w.t.Fatal(err)
	}
	patch := w.command(cliEnv, "patch", name, "-n", w.ns, "--store", "kube:")
	strategic, err := said(patch)
	if err != nil {
		w.t.Fatal(err)
	}
	patchFile := filepath.Join(dir, "patch.yaml")
	if err := os.WriteFile(patchFile, []byte(strategic), 0o600); err != nil {
		w.t.Fatal(err)
	}
	want := uri("1")
	if uri := w.must("patch", "deployment", name, "--patch-file", patchFile, "--dry-run=server", "-o", "jsonpath={.spec.template.spec.containers[*].env[*].value}"); uri != want {
		w.t.Errorf("the strategic patch makes of it %q", uri)
	}

	patch = w.command(cliEnv, "patch", name, "-n", w.ns, "--store", "kube:", "-f", "churn.yaml")
	patch.Dir = dir
	diff, err := said(patch)
	if err != nil {
		w.t.Fatal(err)
	}
	git := exec.Command("git", "apply")
	git.Dir, git.Stdin = dir, strings.NewReader(diff)
	if _, err := said(git); err != nil {
		w.t.Fatalf("%v\n%s", err, diff)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(w.manifest("1"), string(text)); diff != "" {
		w.t.Errorf("the manifest (-as people write version 1 +as patched):\n%s", diff)
	}
	return file
}

// TestRealGitTakesOver: who adopts the workload while a change of Leeway's is
// watched owns it from then on, also where the change should be undone.
func TestRealGitTakesOver(t *testing.T) {
	w := realRollback(t, byHand)
	w.apply("1", flux)
	w.shows["1"] = shown{requests: 5000, errors: 4000, p99: 0.02}
	w.tick(30)
	w.wantState(w.decisions()[0], v1alpha1.StateHeld, "gitops_owned")
	w.wantServes("1")
	w.wantChanges(3) // the third of an annotation, which kubectl takes away for Flux
}

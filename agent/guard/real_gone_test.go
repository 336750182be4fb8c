package guard_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// TestRealGuardDeleted: with the guard goes what it had open.
func TestRealGuardDeleted(t *testing.T) {
	t.Run("for good", func(t *testing.T) {
		w := realRelease(t, byHand, func(g *v1alpha1.ModelGuard) { g.Spec.Autonomy.Default = v1alpha1.Approve })
		w.tick(2)
		w.wantState(w.one(), v1alpha1.AwaitingApproval, "last_good")
		w.must("delete", "modelguard", name)
		w.tick(1)
		d := w.one()
		w.wantState(d, v1alpha1.Superseded, "superseded")
		if !strings.Contains(d.Status.Message, "guard churn was deleted") {
			t.Error(d.Status.Message)
		}
		w.must("annotate", "modeldecision", d.Name, "leeway.dev/approved-by=ann", "--as=ann", "--as-group=system:masters")
		w.tick(2)
		w.wantServes("2")

		w.makeGuard(theGuard()) // Auto, and with no history
		w.tick(15)
		w.wantServes("2")
		w.wantPhase(v1alpha1.Held, "no_good_version")
		w.wantChanges(1)
	})
	t.Run("and made again at once", func(t *testing.T) {
		w := realRollback(t, byHand)
		w.must("delete", "modelguard", name)
		w.makeGuard(theGuard())
		w.tick(20)
		w.wantState(w.one(), v1alpha1.Done, "verified")
		w.wantServes("1")
		w.wantChanges(2)
	})
}

// TestRealSecondGuard takes over when the first is deleted in the middle.
func TestRealSecondGuard(t *testing.T) {
	w := realRollback(t, byHand)
	second := theGuard()
	second.Name = "churn-too"
	w.makeGuard(second)
	phase := func() (v1alpha1.Phase, string) {
		var g v1alpha1.ModelGuard
		if err := w.client.Get(t.Context(), client.ObjectKey{Namespace: w.ns, Name: second.Name}, &g); err != nil {
			t.Fatal(err)
		}
		return g.Status.Phase, g.Status.Reason
	}
	w.tick(1)
	if p, reason := phase(); p != v1alpha1.Held || reason != "duplicate_guard" {
		t.Errorf("the second guard is %s (%s)", p, reason)
	}
	w.must("delete", "modelguard", name)
	w.tick(15)
	w.wantState(w.one(), v1alpha1.Superseded, "superseded")
	if p, reason := phase(); p != v1alpha1.Watching || reason != "healthy" {
		t.Errorf("the second guard is %s (%s)", p, reason)
	}
	w.wantServes("1")
	w.wantChanges(2)
}

// TestRealNamespaceDeleted: nothing of Leeway's keeps a namespace, and who
// deletes it in the middle is not held up.
func TestRealNamespaceDeleted(t *testing.T) {
	w := realRelease(t, byHand)
	w.tick(1)
	w.wantPhase(v1alpha1.Acting, "last_good")
	w.must("delete", "namespace", w.ns, "--wait=false")
	w.eventually("the namespace is gone", func() bool {
		w.tick(1)
		_, err := w.kubectl("get", "namespace", w.ns)
		return err != nil && strings.Contains(err.Error(), "NotFound")
	})
	w.tick(2)
	w.uninstalled = true // there is nothing to clean up
}

// TestRealUninstalled is the last: Leeway goes while it watches a change. What it
// changed stays, serves, and belongs to whoever applies next.
func TestRealUninstalled(t *testing.T) {
	w := realRollback(t, byHand)
	before := w.deployment()
	w.uninstalled = true
	done := make(chan error, 1)
	go func() {
		_, err := said(exec.Command(os.Getenv(kubectlEnv), "--kubeconfig", os.Getenv(realEnv), "delete", "-k", "../../manifests/overlays/default", "--timeout=90s"))
		done <- err
	}()
	for running := true; running; {
		w.tick(1) // the controllers live on for a moment
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		case <-time.After(50 * time.Millisecond):
		}
	}
	w.tick(2)

	after := w.deployment()
	if after.Generation != before.Generation || len(after.Finalizers) > 0 || len(after.OwnerReferences) > 0 {
		t.Errorf("the Deployment has changed: %+v", after.ObjectMeta)
	}
	w.wantServes("1")
	for _, left := range []string{"crd", "namespace", "clusterrole", "clusterrolebinding", "validatingadmissionpolicy", "validatingadmissionpolicybinding"} {
		if out := w.must("get", left, "-o", "name"); strings.Contains(out, "leeway") {
			t.Errorf("left behind: %s", out)
		}
	}
	if out := w.must("get", "rolebindings", "-o", "name"); out != "rolebinding.rbac.authorization.k8s.io/leeway-actor" {
		t.Errorf("role bindings in the namespace of the model: %q", out)
	}

	file := writeManifest(t, before)
	w.must("apply", "-f", file)
	if d := w.deployment(); d.Spec.Template.Labels[v1alpha1.LabelVersion] != "2" {
		t.Errorf("version %s, want what was applied", d.Spec.Template.Labels[v1alpha1.LabelVersion])
	}
	w.must("delete", "namespace", w.ns, "--timeout=90s")
}

// writeManifest writes what people have: the registry can't be asked any more.
func writeManifest(t *testing.T, d *appsv1.Deployment) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "churn.json")
	if err := os.WriteFile(file, []byte(d.Annotations["kubectl.kubernetes.io/last-applied-configuration"]), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

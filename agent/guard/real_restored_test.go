package guard_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// TestRealRestored: guards and decisions are lost while one is open, and come back
// by the commands of docs/operations.md as they stand there.
func TestRealRestored(t *testing.T) {
	t.Run("watched", func(t *testing.T) {
		w := realRollback(t, byHand)
		before := w.guard().Status
		w.restored()
		if after := w.guard().Status; len(after.History) != len(before.History) || after.Phase != v1alpha1.Verifying {
			t.Errorf("status %+v, want %+v", after, before)
		}
		w.tick(20)
		w.wantState(w.one(), v1alpha1.Done, "verified")
		w.wantPhase(v1alpha1.Watching, "healthy")
		w.wantServes("1")
		w.wantChanges(2)
	})
	t.Run("approved and not acted upon", func(t *testing.T) {
		w := realRelease(t, byHand, func(g *v1alpha1.ModelGuard) { g.Spec.Autonomy.Default = v1alpha1.Approve })
		w.tick(5)
		approve := []string{"annotate", "modeldecision", w.one().Name, "leeway.dev/approved-by=ann", "--as-group=system:masters", "--as", "ann"}
		w.must(approve...)
		w.restored()
		w.tick(5)
		w.wantState(w.one(), v1alpha1.AwaitingApproval, "last_good")
		w.wantServes("2")
		w.must(approve...)
		w.tick(1)
		w.wantServes("1")
		w.wantChanges(2)
	})
}

// restored deletes the guards and decisions of the namespace, and restores them.
func (w *world) restored() {
	w.t.Helper()
	backup, restore := documented(w.t)
	w.inShell(backup)
	w.must("delete", "modelguards,modeldecisions", "--all")
	w.inShell(restore)
}

// documented are the commands of docs/operations.md that make a backup, and those
// that restore it.
func documented(t *testing.T) (backup, restore string) {
	t.Helper()
	doc, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "**Guards and decisions are restored")
	_, rest, _ = strings.Cut(rest, "\n```\n")
	block, _, ok := strings.Cut(rest, "\n```\n")
	backup, restore, found := strings.Cut(block, "\n\n")
	if !ok || !found {
		t.Fatalf("docs/operations.md has no two paragraphs of commands: %q", block)
	}
	return backup, restore
}

// inShell runs commands with the cluster's kubectl. What they would read of all
// namespaces they read of the test's.
func (w *world) inShell(commands string) {
	w.t.Helper()
	if w.shell == "" {
		w.shell = w.t.TempDir()
		if err := os.Symlink(os.Getenv(kubectlEnv), filepath.Join(w.shell, "kubectl")); err != nil {
			w.t.Fatal(err)
		}
	}
	sh := exec.Command("sh", "-ec", strings.ReplaceAll(commands, " -A ", " -n "+w.ns+" "))
	sh.Dir = w.shell
	sh.Env = append(os.Environ(), "KUBECONFIG="+os.Getenv(realEnv), "PATH="+w.shell+":"+os.Getenv("PATH"))
	if _, err := said(sh); err != nil {
		w.t.Fatal(err)
	}
}

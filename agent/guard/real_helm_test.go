package guard_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// helm deploys the chart in testdata with the program of that variable, as
// pipelines do; the model's version is in its values.
func helm(program string) tool {
	return func(w *world, version string, more ...string) error {
		v := w.registered(version)
		return w.helm(program, append([]string{"upgrade", "--install", name, filepath.Join("testdata", "chart"),
			"--set-string", fmt.Sprintf("model.version=%s,model.uri=%s,model.profileDigest=%s", version, uri(version), v.Spec.Profile.Digest)}, more...)...)
	}
}

// helm runs Helm in the namespace, with no files of the user's.
func (w *world) helm(program string, args ...string) error {
	cmd := w.command(program, append(args, "-n", w.ns)...)
	for _, what := range []string{"CACHE", "CONFIG", "DATA"} {
		cmd.Env = append(cmd.Env, "HELM_"+what+"_HOME="+w.t.TempDir())
	}
	_, err := said(cmd)
	return err
}

// Helm takes the fields over where it means to. By itself Helm 3 always does;
// Helm 4 asks.
var helms = []struct {
	name, program string
	force         []string
}{
	{"Helm 3", helm3Env, nil},
	{"Helm 4", helm4Env, []string{"--force-conflicts"}},
}

// TestRealHelm: whoever deploys with Helm after Leeway has rolled back has the
// last word, and is named.
func TestRealHelm(t *testing.T) {
	for _, tt := range helms {
		t.Run(tt.name, func(t *testing.T) {
			chart := helm(tt.program)
			t.Run("the version that was left", func(t *testing.T) {
				w := realRollback(t, chart)
				w.apply("2", chart, tt.force...) // nothing is new in it
				w.wantOverruled()
			})
			t.Run("a new version", func(t *testing.T) {
				w := realRollback(t, chart)
				three := w.register(0, "")
				w.shows[three] = shown{requests: 5000, p99: 0.02}
				w.apply(three, chart, tt.force...)
				w.tick(30)
				w.wantState(w.one(), v1alpha1.Superseded, "human_changed")
				w.wantPhase(v1alpha1.Watching, "healthy")
				w.wantServes(three)
				w.wantChanges(3)
			})
			t.Run("the version that serves", func(t *testing.T) {
				w := realRollback(t, chart)
				w.apply("1", chart, "--set=replicas=3")
				w.wantVerified()
				w.apply("1", chart)
				w.tick(5)
				w.wantVerified()
				w.wantChanges(4) // of the replicas, there and back
			})
			t.Run("helm rollback", func(t *testing.T) {
				w := realRollback(t, chart)
				if err := w.helm(tt.program, "rollback", name, "1"); err != nil {
					t.Fatal(err)
				}
				w.wantVerified()
				w.wantChanges(2)
			})
		})
	}
}

// wantOverruled: the version that was left is back, Leeway has seen who did it,
// and leaves it there.
func (w *world) wantOverruled() {
	w.t.Helper()
	w.alert("errors", "", "10s", "2", "")
	w.tick(15)
	w.wantState(w.one(), v1alpha1.Superseded, "human_changed")
	w.wantPhase(v1alpha1.Held, "rejected_version_returned")
	w.wantSaid("helm put it back")
	w.wantServes("2")
	w.wantChanges(3)
}

// wantVerified: Leeway's change came to its good end, and nothing after it.
func (w *world) wantVerified() {
	w.t.Helper()
	w.tick(20)
	w.wantState(w.one(), v1alpha1.Done, "verified")
	w.wantPhase(v1alpha1.Watching, "healthy")
	w.wantServes("1")
}

// TestRealHelmConflict: Helm 4 changes nothing over what Leeway did, neither the
// model's fields nor the rest, unless it is told to.
func TestRealHelmConflict(t *testing.T) {
	chart := helm(helm4Env)
	w := realRollback(t, chart)
	for _, version := range []string{"2", w.register(0, "")} {
		err := chart(w, version, "--set=replicas=3")
		if err == nil || !strings.Contains(err.Error(), `conflicts with "leeway"`) || !strings.Contains(err.Error(), ".spec.template.metadata.labels.leeway.dev/version") {
			t.Errorf("version %s was applied over what Leeway did: %v", version, err)
		}
	}
	if err := w.helm(helm4Env, "rollback", name, "2"); err == nil || !strings.Contains(err.Error(), `conflicts with "leeway"`) {
		t.Errorf("version 2 was rolled back to over what Leeway did: %v", err)
	}
	w.wantVerified()
	w.wantChanges(2)
}

// TestRealHelmOfBoth: Helm 4 goes on with a release of Helm 3's as Helm 3 would,
// until it is told to ask.
func TestRealHelmOfBoth(t *testing.T) {
	chart := helm(helm4Env)
	t.Run("as it is", func(t *testing.T) {
		w := realRollback(t, helm(helm3Env))
		w.apply("2", chart)
		w.wantOverruled()
	})
	t.Run("asking", func(t *testing.T) {
		w := realRollback(t, helm(helm3Env))
		w.apply("1", chart, "--server-side=true")
		if err := chart(w, "2"); err == nil || !strings.Contains(err.Error(), `conflicts with "leeway"`) {
			t.Errorf("version 2 was applied over what Leeway did: %v", err)
		}
		w.wantVerified()
	})
}

// TestRealHelmUninstall: the workload goes in the middle, and nothing of Leeway's
// keeps it.
func TestRealHelmUninstall(t *testing.T) {
	for _, tt := range helms {
		t.Run(tt.name, func(t *testing.T) {
			w := realRollback(t, helm(tt.program))
			if err := w.helm(tt.program, "uninstall", name); err != nil {
				t.Fatal(err)
			}
			w.eventually("the Deployment is gone", func() bool {
				_, err := w.kubectl("get", "deployment", name)
				return err != nil && strings.Contains(err.Error(), "NotFound")
			})
			w.tick(5)
			w.wantState(w.one(), v1alpha1.Superseded, "workload_missing")
			w.wantPhase(v1alpha1.Held, "workload_missing")
		})
	}
}

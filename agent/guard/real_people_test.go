package guard_test

import (
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
)

// TestRealApproval: one approves in his own name, and no other way.
func TestRealApproval(t *testing.T) {
	w := realRelease(t, byHand, func(g *v1alpha1.ModelGuard) { g.Spec.Autonomy.Default = v1alpha1.Approve })
	w.tick(5)
	d := w.one()
	w.wantState(d, v1alpha1.AwaitingApproval, "last_good")
	approve := []string{"annotate", "modeldecision", d.Name, "leeway.dev/approved-by=ann", "--as-group=system:masters", "--as"}
	if _, err := w.kubectl(append(approve, "bob")...); err == nil || !strings.Contains(err.Error(), "must be your own name, which is bob, not ann") {
		t.Error(err)
	}
	w.tick(2)
	w.wantServes("2")
	w.must(append(approve, "ann")...)
	w.tick(1)
	w.wantServes("1")
	w.alerts = nil
	w.settle(25)
	d = w.one()
	w.wantState(d, v1alpha1.Done, "verified")
	if d.Status.ApprovedBy != "ann" {
		t.Errorf("approved by %q", d.Status.ApprovedBy)
	}
	w.wantChanges(2)
}

// TestRealOldManifest: who applies the manifest of the version that was left
// overrules Leeway, and is named.
func TestRealOldManifest(t *testing.T) {
	w := realRollback(t, byHand)
	w.apply("2", byHand)
	w.alert("errors", "", "10s", "2", "")
	w.tick(15)
	w.wantState(w.one(), v1alpha1.Superseded, "human_changed")
	w.wantPhase(v1alpha1.Held, "rejected_version_returned")
	w.wantSaid("kubectl-client-side-apply put it back")
	w.wantServes("2")
	w.wantChanges(3)
}

// TestRealRights: the RoleBinding is taken away in the middle, and put back.
func TestRealRights(t *testing.T) {
	t.Run("before the change", func(t *testing.T) {
		w := realRelease(t, byHand)
		w.bind(false)
		w.tick(1)
		w.wantState(w.one(), v1alpha1.Failed, "change_refused")
		w.tick(15)
		w.wantServes("2")
		w.wantPhase(v1alpha1.Held, "change_refused")
		w.bind(true)
		w.pass(60)
		w.tick(2)
		w.wantServes("1")
		w.wantChanges(2)
	})
	t.Run("before it has to be undone", func(t *testing.T) {
		w := realRollback(t, byHand)
		w.bind(false)
		w.shows["1"] = shown{requests: 5000, errors: 4000, p99: 0.02}
		w.tick(40)
		w.wantServes("1")
		w.wantPhase(v1alpha1.Held, "no_permission")
		w.bind(true)
		w.tick(12)
		w.wantServes("2")
		w.wantState(w.decisions()[0], v1alpha1.Failed, "worse")
		w.wantChanges(3)
	})
}

// bind puts the RoleBinding back, or takes it away, and waits until that holds.
func (w *world) bind(on bool) {
	w.t.Helper()
	verb := "delete"
	if on {
		verb = "apply"
	}
	w.must(verb, "-f", "../../manifests/components/actor/actor.yaml")
	w.eventually("the right to patch", func() bool {
		_, err := w.kubectl("auth", "can-i", "patch", "deployments.apps", "--as="+controller)
		return (err == nil) == on
	})
}

// TestRealArtifactMoves: a guard that names another field from now on takes
// nothing away of what Leeway wrote before.
func TestRealArtifactMoves(t *testing.T) {
	w := realRollback(t, byHand)
	before, err := workload.Get(t.Context(), w.client, w.ns, w.guard().Spec.Workload)
	if err != nil {
		t.Fatal(err)
	}
	to := workload.Fields{Version: "1", Artifact: "server@sha256:1", ProfileDigest: before.Template.Annotations[v1alpha1.AnnotationProfileDigest]}
	if _, err := workload.Apply(t.Context(), w.client, before, workload.Change{
		Artifact: v1alpha1.ArtifactRef{Container: "model", Image: true}, To: to, Decision: "d/applying",
	}); err != nil {
		t.Fatal(err)
	}
	c := w.deployment().Spec.Template.Spec.Containers[0]
	if len(c.Env) != 1 || c.Env[0].Value != uri("1") || c.Image != "server@sha256:1" {
		t.Errorf("the container is %s with %v", c.Image, c.Env)
	}
}

package guard_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

func TestObserveSaysAndDoesNothing(t *testing.T) {
	w := badRelease(t, func(g *v1alpha1.ModelGuard) { g.Spec.Autonomy = v1alpha1.Autonomy{} })
	w.tick(5)
	d := w.one()
	w.wantState(d, v1alpha1.Proposed, "last_good")
	if d.Spec.Action != "rollback" || d.Spec.To != "1" {
		t.Error(describe(w.decisions()))
	}
	w.wantServes("2")
	w.wantPhase(v1alpha1.Held, "proposed")

	// Trust given later counts at once.
	g := w.guard()
	g.Spec.Autonomy.BadRelease = v1alpha1.Auto
	if err := w.client.Update(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	w.tick(1)
	w.wantServes("1")
}

func TestWithoutPermissionEveryGuardObserves(t *testing.T) {
	w := badRelease(t)
	w.permitted = false
	w.tick(5)
	w.wantState(w.one(), v1alpha1.Proposed, "last_good")
	w.wantServes("2")
	w.wantPhase(v1alpha1.Held, "no_permission")
	if c := condition(w, "Permitted"); !strings.HasPrefix(c, "False no_permission") {
		t.Error(c)
	}
	w.permitted = true
	w.tick(1)
	w.wantServes("1")
}

// approve lets a person approve the only decision.
func (w *world) approve(who string) {
	w.t.Helper()
	d := w.one()
	d.Annotations = map[string]string{v1alpha1.AnnotationApprovedBy: who}
	if err := w.client.Update(w.t.Context(), &d); err != nil {
		w.t.Fatal(err)
	}
}

func TestApprove(t *testing.T) {
	approve := func(g *v1alpha1.ModelGuard) { g.Spec.Autonomy.Default = v1alpha1.Approve }
	t.Run("acts when a person says yes", func(t *testing.T) {
		w := badRelease(t, approve)
		w.tick(5)
		w.wantState(w.one(), v1alpha1.AwaitingApproval, "last_good")
		w.wantPhase(v1alpha1.Deciding, "awaiting_approval")
		w.wantServes("2")
		w.approve("ann")
		w.tick(1)
		w.wantServes("1")
		if d := w.one(); d.Status.ApprovedBy != "ann" || steps(d) != "decided approved applying applied" {
			t.Error(d.Status.ApprovedBy, steps(d))
		}
	})
	t.Run("not when it comes out otherwise", func(t *testing.T) {
		w := badRelease(t, approve)
		w.tick(5)
		w.artifacts[uri(1)] = errGone
		w.approve("ann")
		w.tick(1)
		w.wantServes("2")
		w.wantState(w.decisions()[0], v1alpha1.Superseded, "decided_otherwise")
		w.tick(1)
		w.wantPhase(v1alpha1.Held, "artifact_missing")
		if c := condition(w, "ArtifactUsable"); !strings.HasPrefix(c, "False artifact_missing") {
			t.Error(c)
		}
	})
	t.Run("expires", func(t *testing.T) {
		w := badRelease(t, approve)
		w.tick(5)
		w.now = w.now.Add(time.Hour)
		w.approve("ann")
		w.tick(1)
		w.wantState(w.decisions()[0], v1alpha1.Superseded, "approval_expired")
		w.wantServes("2")
	})
	t.Run("not for an artifact that Auto may not deploy", func(t *testing.T) {
		w := badRelease(t, func(g *v1alpha1.ModelGuard) { g.Spec.Artifact.Allow = []string{"s3://other/*"} })
		w.tick(5)
		w.wantState(w.one(), v1alpha1.AwaitingApproval, "artifact_not_allowed")
		if c := condition(w, "ArtifactUsable"); !strings.HasPrefix(c, "False artifact_not_allowed") || !strings.Contains(c, uri(1)) {
			t.Error(c)
		}
		w.wantServes("2")
		w.approve("ann")
		w.tick(1)
		w.wantServes("1")
	})
}

func TestGitOpsIsNotFought(t *testing.T) {
	w := newWorld(t)
	w.pass(40)
	two := w.register(0, "")
	w.shows[two] = shown{requests: 5000, errors: 1000}
	w.deploy(two, "argocd-controller")
	w.tick(2)
	w.alert("errors", "", "10s", two, "")
	w.tick(5)
	d := w.one()
	w.wantState(d, v1alpha1.StateHeld, "gitops_owned")
	if !strings.Contains(d.Status.Message, "argocd-controller") || !strings.Contains(d.Status.Message, uri(1)) {
		t.Error("the message names neither the owner nor the change:", d.Status.Message)
	}
	w.wantServes(two)
	w.wantPhase(v1alpha1.Held, "gitops_owned")
}

func TestPausedDeploymentIsNotPatched(t *testing.T) {
	w := badRelease(t)
	d := w.deployment()
	d.Spec.Paused = true
	if err := w.client.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.tick(5)
	w.wantPhase(v1alpha1.Held, "workload_paused")
	w.wantServes("2")
	d = w.deployment()
	d.Spec.Paused = false
	if err := w.client.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.tick(1)
	w.wantServes("1")
}

func TestPersonPutsRejectedVersionBack(t *testing.T) {
	w := badRelease(t)
	w.tick(1)
	w.alerts = nil
	w.settle(25)
	w.wantPhase(v1alpha1.Watching, "healthy")
	w.deploy("2", "kubectl-client-side-apply")
	w.alert("errors", "", "10s", "2", "")
	w.tick(15)
	w.wantPhase(v1alpha1.Held, "rejected_version_returned")
	var by metav1.ManagedFieldsEntry
	for _, e := range w.deployment().ManagedFields {
		if e.Manager == "kubectl-client-side-apply" && e.Subresource == "" {
			by = e
		}
	}
	if m := w.guard().Status.Message; !strings.Contains(m, "kubectl-client-side-apply put it back at "+returnedAt(w, by)) {
		t.Errorf("the message names neither the manager nor when, which is %s: %s", by.Time, m)
	}
	w.wantServes("2")
	if w.changes != 1 {
		t.Errorf("%d changes", w.changes)
	}
	w.one()
}

// returnedAt is when a manager changed the model's fields: when it was seen, where
// the API server's time, which is that of any change of its, is later.
func returnedAt(w *world, by metav1.ManagedFieldsEntry) string {
	at := w.guard().Status.History[0].BeganAt.Time
	if by.Time != nil && by.Time.Before(&metav1.Time{Time: at}) {
		at = by.Time.Time
	}
	return at.UTC().Format("2006-01-02 15:04:05Z")
}

// Who cleared the record of who owns what has not made it Leeway's change.
func TestRejectedVersionReturnsWithoutAnOwner(t *testing.T) {
	w := badRelease(t)
	w.tick(1)
	w.alerts = nil
	w.settle(25)
	w.deploy("2", "kubectl-client-side-apply")
	d := w.deployment()
	d.ManagedFields = []metav1.ManagedFieldsEntry{{}}
	w.update(d)
	w.tick(15)
	w.wantPhase(v1alpha1.Held, "rejected_version_returned")
	if m := w.guard().Status.Message; !strings.Contains(m, "somebody put it back at "+returnedAt(w, metav1.ManagedFieldsEntry{})) {
		t.Error(m)
	}
	w.wantServes("2")
}

func TestPersonPutsItBackInTheMiddle(t *testing.T) {
	w := badRelease(t)
	w.tick(1)
	w.wantServes("1")
	w.deploy("2", "kubectl-client-side-apply")
	w.tick(10)
	d := w.one()
	w.wantState(d, v1alpha1.Superseded, "human_changed")
	w.wantServes("2")
	w.wantPhase(v1alpha1.Held, "rejected_version_returned")
}

func TestWorseIsUndone(t *testing.T) {
	w := badRelease(t)
	w.tick(1)
	w.wantServes("1")
	w.alerts = nil
	w.shows["1"] = shown{requests: 5000, errors: 4000, p99: 0.02}
	w.settle(30)
	d := w.decisions()[0]
	w.wantState(d, v1alpha1.Failed, "worse")
	if d.Status.Outcome != "undone" {
		t.Error(describe(w.decisions()))
	}
	w.wantServes("2")
	if got := w.lifecycle("1"); got != "rejected" {
		t.Errorf("version 1 is %s", got)
	}
	if got := w.deployment().Annotations[v1alpha1.AnnotationDecision]; got != d.Name+"/undoing" {
		t.Errorf("annotation %s", got)
	}
}

func TestRolloutThatGetsNowhereIsUndone(t *testing.T) {
	w := badRelease(t)
	d := w.deployment()
	deadline := int32(60)
	d.Spec.ProgressDeadlineSeconds = &deadline
	if err := w.client.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.stuck = true
	w.tick(70)
	w.wantState(w.decisions()[0], v1alpha1.Failed, "not_ready")
	w.wantServes("2")
}

func TestWorkloadDeletedAndMadeAgain(t *testing.T) {
	w := badRelease(t, func(g *v1alpha1.ModelGuard) { g.Spec.Autonomy.Default = v1alpha1.Approve })
	w.tick(2)
	d := w.deployment()
	if err := w.client.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.tick(1)
	w.wantState(w.one(), v1alpha1.Superseded, "workload_missing")
	w.wantPhase(v1alpha1.Held, "workload_missing")
}

func TestDecisionsArePruned(t *testing.T) {
	w := newWorld(t)
	for i := range 60 {
		spec := v1alpha1.ModelDecisionSpec{Guard: name}
		spec.DecidedAt.Time = w.now.Add(time.Duration(i-100) * time.Hour)
		w.wasDecided("old-"+time.Duration(i).String(), spec, v1alpha1.Done)
	}
	w.tick(1)
	ds := w.decisions()
	if len(ds) != 50 || ds[0].Name != "old-10ns" {
		t.Errorf("%d left, the oldest is %s", len(ds), ds[0].Name)
	}
}

func condition(w *world, kind string) string {
	for _, c := range w.guard().Status.Conditions {
		if c.Type == kind {
			return string(c.Status) + " " + c.Reason + ": " + c.Message
		}
	}
	return "none"
}

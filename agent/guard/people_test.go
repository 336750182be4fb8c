package guard_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// rolledBack is a bad release that Leeway has rolled back, and watches.
func rolledBack(t *testing.T) *world {
	t.Helper()
	w := badRelease(t)
	w.rollBack()
	return w
}

// rollBack is a round in which Leeway goes back to version 1, and what follows until
// it watches that.
func (w *world) rollBack() {
	w.t.Helper()
	w.tick(1)
	w.wantServes("1")
	w.alerts = nil
	w.settle(3)
	w.wantPhase(v1alpha1.Verifying, "last_good")
}

// fails makes the version that was gone back to fail.
func (w *world) fails() { w.shows["1"] = shown{requests: 5000, errors: 4000, p99: 0.02} }

func (w *world) deleteGuard() {
	w.t.Helper()
	if err := w.client.Delete(w.t.Context(), w.guard()); err != nil {
		w.t.Fatal(err)
	}
}

// With a guard goes what it had open, also of a leader that never saw the guard.
func TestGuardDeletedInTheMiddle(t *testing.T) {
	for name, newLeader := range map[string]bool{"the leader": false, "the next leader": true} {
		t.Run(name, func(t *testing.T) {
			w := rolledBack(t)
			w.deleteGuard()
			if newLeader {
				w.loop = w.newLoop(w.client)
			}
			w.fails()
			w.tick(2)
			d := w.one()
			w.wantState(d, v1alpha1.Superseded, "superseded")
			if !strings.Contains(d.Status.Message, "guard churn was deleted while this was open; deployment churn is left as it is") {
				t.Error(d.Status.Message)
			}
			if got := steps(d); !strings.HasSuffix(got, " rolled_out ended") {
				t.Errorf("steps: %s", got)
			}
			w.wantServes("1")
		})
	}
}

func TestTrainingOfADeletedGuardEnds(t *testing.T) {
	w := newWorld(t)
	w.wasDecided("gone-1", v1alpha1.ModelDecisionSpec{Guard: "gone"}, v1alpha1.StateTraining)
	w.tick(1)
	w.wantState(w.one(), v1alpha1.Superseded, "superseded")
}

// A guard that is made again goes on with what is open.
func TestGuardMadeAgain(t *testing.T) {
	w := rolledBack(t)
	w.deleteGuard()
	if err := w.client.Create(t.Context(), theGuard()); err != nil {
		t.Fatal(err)
	}
	w.tick(20)
	w.wantState(w.one(), v1alpha1.Done, "verified")
	w.wantServes("1")
}

// A guard that names another workload or model has no more say in what it had open.
func TestGuardNamesAnother(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.ModelGuard){
		"workload": func(g *v1alpha1.ModelGuard) { g.Spec.Workload.Name = "other" },
		"model":    func(g *v1alpha1.ModelGuard) { g.Spec.Model = "other" },
	} {
		t.Run(name, func(t *testing.T) {
			w := rolledBack(t)
			other := w.deployment()
			other.Name, other.UID, other.ResourceVersion = "other", "uid-2", ""
			if err := w.client.Create(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			g := w.guard()
			change(g)
			if err := w.client.Update(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			w.fails()
			w.tick(20)
			d := w.decisions()[0]
			w.wantState(d, v1alpha1.Superseded, "superseded")
			if !strings.Contains(d.Status.Message, "its guard now names model") {
				t.Error(d.Status.Message)
			}
			w.wantServes("1")
		})
	}
}

// A guard that becomes the second of two in the middle leaves the workload to the
// first.
func TestBecomesTheSecond(t *testing.T) {
	w := rolledBack(t)
	first := theGuard()
	first.Name = "a-first" // of the same age
	if err := w.client.Create(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	w.fails()
	w.tick(2)
	w.wantPhase(v1alpha1.Held, "duplicate_guard")
	w.wantState(w.one(), v1alpha1.Superseded, "duplicate_guard")
	w.wantServes("1")
}

// The right to act is taken away while a change is watched that proves worse.
func TestUndoWithoutPermission(t *testing.T) {
	undoing := func(t *testing.T) *world {
		w := rolledBack(t)
		w.permitted = false
		w.fails()
		w.tick(25)
		w.wantServes("1")
		w.wantPhase(v1alpha1.Held, "no_permission")
		w.wantState(w.one(), v1alpha1.StateVerifying, "worse")
		return w
	}
	t.Run("and given back", func(t *testing.T) {
		w := undoing(t)
		w.permitted = true
		w.tick(1)
		w.wantServes("2")
		w.wantState(w.decisions()[0], v1alpha1.Failed, "worse")
	})
	t.Run("and a person acts", func(t *testing.T) {
		w := undoing(t)
		w.deploy("2", "kubectl-client-side-apply")
		w.tick(1)
		w.wantState(w.decisions()[0], v1alpha1.Superseded, "human_changed")
	})
	t.Run("for an hour", func(t *testing.T) {
		w := undoing(t)
		w.now = w.now.Add(time.Hour)
		w.tick(1)
		w.wantState(w.decisions()[0], v1alpha1.Failed, "no_permission")
		w.permitted = true
		w.tick(1)
		w.wantServes("1")
	})
}

// Who owns the fields by the time that a change should be undone is not fought.
func TestUndoIsGits(t *testing.T) {
	w := rolledBack(t)
	w.deploy("1", "kustomize-controller")
	d := w.deployment()
	d.ManagedFields = append(d.ManagedFields, metav1.ManagedFieldsEntry{
		Manager: "kustomize-controller", Operation: metav1.ManagedFieldsOperationApply, APIVersion: "apps/v1", FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:template":{"f:metadata":{"f:labels":{"f:leeway.dev/version":{}}}}}}`),
	})
	w.update(d)
	w.fails()
	w.tick(25)
	d0 := w.decisions()[0]
	w.wantState(d0, v1alpha1.StateHeld, "gitops_owned")
	if !strings.Contains(d0.Status.Message, "kustomize-controller owns") || !strings.Contains(d0.Status.Message, uri(2)) {
		t.Error(d0.Status.Message)
	}
	w.wantServes("1")
}

// The API server's clock may be behind: that of who puts a rejected version back
// is then from before it was rejected.
func TestRejectedVersionReturnsByASlowClock(t *testing.T) {
	w := newWorld(t)
	w.now = time.Now().Add(time.Hour).UTC().Truncate(time.Second) // the fake client has the time of now
	w.pass(40)
	w.release()
	w.tick(1)
	w.alerts = nil
	w.settle(25)
	w.wantPhase(v1alpha1.Watching, "healthy")
	w.deploy("2", "kubectl-client-side-apply")
	w.alert("errors", "", "10s", "2", "")
	w.tick(15)
	w.wantPhase(v1alpha1.Held, "rejected_version_returned")
	w.wantServes("2")
}

// A refusal of the undo may be the RoleBinding that has just gone, and is tried
// again until that would be known. Else it is an admission's last word.
func TestUndoIsRefused(t *testing.T) {
	no := apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, name, errors.New("no"))
	for _, tt := range []struct {
		name   string
		times  int
		state  v1alpha1.DecisionState
		reason string
		serves string
	}{
		{"for a moment", 3, v1alpha1.Failed, "worse", "2"},
		{"for good", 100, v1alpha1.Failed, "change_refused", "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := rolledBack(t)
			w.loop = w.newLoop(refusing(w, slices.Repeat([]error{no}, tt.times)...))
			w.fails()
			w.tick(40)
			w.wantState(w.decisions()[0], tt.state, tt.reason)
			w.wantServes(tt.serves)
		})
	}
}

package guard_test

import (
	"testing"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// badRelease brings up version 1, good for a while, then version 2 with errors.
func badRelease(t *testing.T, change ...func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	w := newWorld(t, change...)
	w.pass(40)
	w.wantPhase(v1alpha1.Watching, "healthy")
	w.release()
	return w
}

func (w *world) release() {
	w.t.Helper()
	two := w.register(0, "")
	w.shows[two] = shown{requests: 5000, errors: 1000, p99: 0.02}
	w.deploy(two, "kubectl-client-side-apply")
	w.tick(2)
	w.alert("errors", "", "10s", two, "")
}

func TestBadReleaseIsRolledBack(t *testing.T) {
	w := badRelease(t)
	w.tick(1)
	d := w.one()
	if d.Spec.Action != "rollback" || d.Spec.From != "2" || d.Spec.To != "1" || d.Spec.Reason != "last_good" {
		t.Fatal(describe(w.decisions()))
	}
	w.wantServes("1")
	w.wantPhase(v1alpha1.Acting, "last_good")
	w.alerts = nil
	w.settle(3)
	w.wantPhase(v1alpha1.Verifying, "last_good")
	w.tick(20)
	d = w.one()
	w.wantState(d, v1alpha1.Done, "verified")
	if got := steps(d); got != "decided applying applied rolled_out verified ended" {
		t.Errorf("steps: %s", got)
	}
	if d.Status.Outcome != "ok" || d.Status.VerifiedBy != "traffic" || d.Status.After == nil || d.Spec.Baseline.ErrorRatio != "0.2" {
		t.Errorf("outcome %s by %s, after %v, baseline %v", d.Status.Outcome, d.Status.VerifiedBy, d.Status.After, d.Spec.Baseline)
	}
	if w.changes != 1 {
		t.Errorf("%d changes of the workload, want 1", w.changes)
	}
	if got := w.lifecycle("2"); got != registryv1.Rejected {
		t.Errorf("version 2 is %s", got)
	}
	if got := w.lifecycle("1"); got != registryv1.Live {
		t.Errorf("version 1 is %s", got)
	}
	w.wantPhase(v1alpha1.Watching, "healthy")
	if r := *w.deployment().Spec.Replicas; r != 2 {
		t.Errorf("%d replicas", r)
	}
}

// A leader that has just come back has not been sent yet what happened while nobody
// led. It takes that for no verdict, and gives one when the numbers are there; if
// they never come, it says so.
func TestVerifyWaitsForSight(t *testing.T) {
	blind := func(t *testing.T) (*world, shown) {
		w := rolledBack(t)
		was := w.shows["1"]
		w.shows["1"], w.blindPods = shown{}, true
		w.tick(60)
		w.wantState(w.one(), v1alpha1.StateVerifying, "last_good")
		w.wantPhase(v1alpha1.Verifying, "last_good")
		return w, was
	}
	t.Run("they come", func(t *testing.T) {
		w, was := blind(t)
		w.shows["1"], w.blindPods = was, false
		w.tick(3)
		w.wantState(w.one(), v1alpha1.Done, "verified")
	})
	t.Run("they never come", func(t *testing.T) {
		w, _ := blind(t)
		w.tick(5 * 60)
		w.wantState(w.one(), v1alpha1.StateHeld, "inconclusive")
		w.wantServes("1")
	})
}

package guard_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// roll writes the StatefulSet for a version and has it rolled out, as the
// Deployment beside it.
func (w *world) roll(version string) {
	w.t.Helper()
	w.deploy(version, "kubectl-client-side-apply")
	d := w.deployment()
	s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
	fresh := w.client.Get(w.t.Context(), client.ObjectKeyFromObject(s), s) != nil
	s.UID = "set-1"
	s.Generation++
	s.Spec = appsv1.StatefulSetSpec{Replicas: d.Spec.Replicas, Selector: d.Spec.Selector, Template: d.Spec.Template}
	var err error
	if fresh {
		err = w.client.Create(w.t.Context(), s, client.FieldOwner("kubectl-client-side-apply"))
	} else {
		err = w.client.Update(w.t.Context(), s, client.FieldOwner("kubectl-client-side-apply"))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.rolled(version, version, 2)
}

// rolled is what the StatefulSet's controller says: how many pods are of the
// revision of the template, which is that of a version.
func (w *world) rolled(from, to string, updated int32) {
	w.t.Helper()
	var s appsv1.StatefulSet
	if err := w.client.Get(w.t.Context(), keyOf(name), &s); err != nil {
		w.t.Fatal(err)
	}
	s.Status = appsv1.StatefulSetStatus{ObservedGeneration: s.Generation, Replicas: 2, UpdatedReplicas: updated, AvailableReplicas: updated,
		CurrentRevision: "rev-" + from, UpdateRevision: "rev-" + to}
	if err := w.client.Status().Update(w.t.Context(), &s); err != nil {
		w.t.Fatal(err)
	}
}

// breaks has a pod of the version crash.
func (w *world) breaks(pod, version string) {
	w.t.Helper()
	p := &corev1.Pod{}
	if err := w.client.Get(w.t.Context(), keyOf(pod), p); err != nil {
		w.t.Fatal(err)
	}
	p.Labels["controller-revision-hash"] = "rev-" + version
	p.Status = w.waiting("model", "CrashLoopBackOff", "back-off", 3)
	w.replace(p)
}

// stuckSet has a StatefulSet whose bad release broke a pod, which keeps the
// rollback from being rolled out.
func stuckSet(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, func(g *v1alpha1.ModelGuard) { g.Spec.Workload.Kind = "StatefulSet" })
	w.roll("1")
	w.pass(40)
	w.wantPhase(v1alpha1.Watching, "healthy")
	two := w.register(0, "")
	w.shows[two] = shown{requests: 5000, errors: 1000, p99: 0.02}
	w.roll(two)
	w.tick(2)
	w.alert("errors", "", "10s", two, "")
	w.breaks("churn-1", two)
	w.tick(1)
	w.rolled("2", "1", 0)
	w.tick(2)
	return w
}

func (w *world) setServes() string {
	w.t.Helper()
	var s appsv1.StatefulSet
	if err := w.client.Get(w.t.Context(), keyOf(name), &s); err != nil {
		w.t.Fatal(err)
	}
	return s.Spec.Template.Labels[v1alpha1.LabelVersion]
}

// Neither is the version to blame, nor would it help to put the other back: the pod
// that is in the way has to be deleted.
func TestStatefulSetIsStuck(t *testing.T) {
	const told = "kubectl delete pod churn-1 -n ml"
	t.Run("deleted in time", func(t *testing.T) {
		w := stuckSet(t)
		w.wantPhase(v1alpha1.Held, "pod_stuck")
		if m := w.guard().Status.Message; !strings.HasSuffix(m, told) || !strings.Contains(m, "has ended 3 times") {
			t.Error(m)
		}
		w.alerts = nil
		w.deploy("1", "kubectl-client-side-apply") // which makes the pods
		w.rolled("1", "1", 2)
		w.tick(20)
		w.wantState(w.one(), v1alpha1.Done, "verified")
		w.wantPhase(v1alpha1.Watching, "healthy")
	})
	t.Run("not deleted in time", func(t *testing.T) {
		w := stuckSet(t)
		w.pass(601)
		d := w.one()
		w.wantState(d, v1alpha1.StateHeld, "pod_stuck")
		if !strings.Contains(d.Status.Message, told) || d.Status.Outcome != "inconclusive" {
			t.Error(describe(w.decisions()))
		}
		if v := w.setServes(); v != "1" {
			t.Errorf("the template names version %s: the bad release is back", v)
		}
		if w.lifecycle("1") == "rejected" || w.lifecycle("2") != "rejected" {
			t.Errorf("version 1 is %s, version 2 %s", w.lifecycle("1"), w.lifecycle("2"))
		}
		w.tick(3)
		w.wantPhase(v1alpha1.Held, "pod_stuck")
	})
	t.Run("the version gone back to is the broken one", func(t *testing.T) {
		w := stuckSet(t)
		w.deploy("1", "kubectl-client-side-apply")
		w.breaks("churn-1", "1")
		w.pass(601)
		w.wantState(w.one(), v1alpha1.Failed, "not_ready")
		if v := w.setServes(); v != "2" {
			t.Errorf("the template names version %s", v)
		}
		w.rolled("1", "2", 1) // and now that pod is in the way of version 2
		w.tick(3)
		w.wantPhase(v1alpha1.Held, "pod_stuck")
		if m := w.guard().Status.Message; !strings.HasSuffix(m, told) {
			t.Error(m)
		}
	})
}

package guard_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// hangs has the Deployment's controller do nothing any more, so that the rollback
// which is due can't be rolled out within its minute.
func hangs(t *testing.T, change ...func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	w := badRelease(t, change...)
	d := w.deployment()
	deadline := int32(60)
	d.Spec.ProgressDeadlineSeconds = &deadline
	w.update(d)
	w.stuck = true
	return w
}

// pod adds a pod of a version that waits for something, or is not ready.
func (w *world) pod(version string, status corev1.PodStatus) {
	w.t.Helper()
	w.replace(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "churn-new", CreationTimestamp: metav1.NewTime(w.now), Labels: map[string]string{
		"app": name, v1alpha1.LabelModel: name, v1alpha1.LabelVersion: version,
	}}, Status: status})
}

// replace puts a pod in the place of one of its name, if there is one.
func (w *world) replace(p *corev1.Pod) {
	w.t.Helper()
	_ = w.client.Delete(w.t.Context(), p.DeepCopy())
	p.ResourceVersion = ""
	if err := w.client.Create(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
}

func unplaced() corev1.PodStatus {
	return corev1.PodStatus{Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/2 nodes are available: 2 Insufficient cpu."}}}
}

func (w *world) waiting(container, reason, message string, ended int) corev1.PodStatus {
	s := corev1.ContainerStatus{Name: container, Image: "r.example/churn", RestartCount: int32(max(ended-1, 0)),
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
	if ended > 0 {
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", FinishedAt: metav1.NewTime(w.now)}
	}
	return corev1.PodStatus{
		Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(w.now)}},
		ContainerStatuses: []corev1.ContainerStatus{s}}
}

// A rollback that can't be rolled out ends by what kept it: only a version that
// does not start is rejected.
func TestRolloutThatIsKeptUp(t *testing.T) {
	quota := func(w *world) {
		d := w.deployment()
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue,
			Reason: "FailedCreate", Message: `pods "churn-1" is forbidden: exceeded quota: small`}}
		if err := w.client.Status().Update(w.t.Context(), d); err != nil {
			w.t.Fatal(err)
		}
	}
	pod := func(status func(*world) corev1.PodStatus) func(*world) {
		return func(w *world) { w.pod("1", status(w)) }
	}
	waiting := func(container, reason string, ended int) func(*world) {
		return pod(func(w *world) corev1.PodStatus { return w.waiting(container, reason, "it says so", ended) })
	}
	tests := []struct {
		name    string
		happens func(*world)
		state   v1alpha1.DecisionState
		reason  string
		meant   string // the guard's reason before the deadline
		left    string // and after it
		says    string
	}{
		{"a quota", quota, v1alpha1.StateHeld, "pods_pending", "pods_pending", "pods_pending", "exceeded quota: small"},
		{"no room", pod(func(*world) corev1.PodStatus { return unplaced() }), v1alpha1.StateHeld, "pods_pending", "pods_pending", "pods_pending", "Insufficient cpu"},
		{"no image of the server", waiting("model", "ErrImageNeverPull", 0), v1alpha1.StateHeld, "pods_pending", "pods_pending", "pods_pending", "container model has no image r.example/churn"},
		{"no Secret", waiting("model", "CreateContainerConfigError", 0), v1alpha1.StateHeld, "pods_pending", "pods_pending", "pods_pending", "can't be made"},
		{"a crash loop", waiting("model", "CrashLoopBackOff", 4), v1alpha1.Failed, "not_ready", "last_good", "no_good_version", "has ended 4 times, last with exit code 1"},
		{"never ready", waiting("model", "", 0), v1alpha1.Failed, "not_ready", "last_good", "no_good_version", "churn-new is not ready"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := hangs(t)
			w.tick(1)
			w.wantServes("1")
			tt.happens(w)
			w.tick(30)
			w.wantPhase(v1alpha1.Acting, tt.meant)
			w.tick(32)
			d := w.decisions()[0]
			w.wantState(d, tt.state, tt.reason)
			if m := d.Status.Message; !strings.Contains(m, tt.says) {
				t.Errorf("the message does not say %q: %s", tt.says, m)
			}
			w.wantServes("2")
			if rejected := w.lifecycle("1") == "rejected"; rejected != (tt.state == v1alpha1.Failed) {
				t.Errorf("version 1 is %s", w.lifecycle("1"))
			}
			w.wantPhase(v1alpha1.Held, tt.left)
		})
	}
}

// What found no room is tried again, and what was rejected makes way for the next.
func TestTriedAgainWhenThereIsRoom(t *testing.T) {
	w := hangs(t)
	w.tick(1)
	w.pod("1", unplaced())
	w.tick(45)
	w.alerts = nil
	w.alert("errors", "", "10s", "2", "") // anew, which nobody sees now
	w.tick(20)
	w.wantState(w.one(), v1alpha1.StateHeld, "pods_pending")
	_ = w.client.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "churn-new"}})
	w.stuck = false
	w.settle(30)
	w.wantPhase(v1alpha1.Held, "pods_pending") // not yet: not each second
	w.tick(40)
	ds := w.decisions()
	if len(ds) != 2 || ds[1].Spec.Attempt != 2 || ds[1].Spec.To != "1" {
		t.Fatal(describe(ds))
	}
	w.alerts = nil
	w.settle(25)
	w.wantState(w.decisions()[1], v1alpha1.Done, "verified")
	w.wantServes("1")
}

func TestPausedInTheMiddle(t *testing.T) {
	w := hangs(t)
	w.tick(1)
	w.wantServes("1")
	d := w.deployment()
	d.Spec.Paused = true
	w.update(d)
	w.tick(2)
	w.wantPhase(v1alpha1.Held, "workload_paused")
	w.tick(65)
	w.wantState(w.one(), v1alpha1.StateHeld, "workload_paused")
	w.wantServes("1") // what is paused would not be undone either
	if got := w.lifecycle("1"); got == "rejected" {
		t.Error("version 1 is rejected because somebody paused its rollout")
	}
	w.tick(5)
	w.wantPhase(v1alpha1.Held, "workload_paused")
	d = w.deployment()
	d.Spec.Paused = false
	w.update(d)
	w.stuck, w.alerts = false, nil
	w.settle(15)
	w.wantPhase(v1alpha1.Watching, "healthy")
	w.wantServes("1")
}

// verifying has gone back to version 1, which was rolled out 30 s after the change.
func verifying(t *testing.T, change ...func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	w := hangs(t, change...)
	w.tick(30)
	w.alerts, w.stuck = nil, false
	w.settle(2)
	w.wantPhase(v1alpha1.Verifying, "last_good")
	return w
}

func TestCrashLoopAfterTheRollout(t *testing.T) {
	w := verifying(t)
	w.now = w.now.Add(time.Second)
	for i := range 2 {
		p := &corev1.Pod{}
		key := keyOf(fmt.Sprintf("churn-%d", i))
		if err := w.client.Get(t.Context(), key, p); err != nil {
			t.Fatal(err)
		}
		p.Status = w.waiting("model", "CrashLoopBackOff", "back-off", 2)
		w.replace(p)
	}
	w.tick(1)
	d := w.one()
	w.wantState(d, v1alpha1.Failed, "worse")
	if d.Status.Outcome != "undone" || !strings.Contains(d.Status.Message, "has ended 2 times, last with exit code 1") {
		t.Error(describe(w.decisions()))
	}
	w.wantServes("2")
	if got := w.lifecycle("1"); got != "rejected" {
		t.Errorf("version 1 is %s", got)
	}
}

// An autoscaler that adds pods while a change is watched, long after it was made,
// says nothing against the version.
func TestScaledWhileWatched(t *testing.T) {
	for name, status := range map[string]func(*world) corev1.PodStatus{
		"a pod that starts":         func(w *world) corev1.PodStatus { return w.waiting("model", "ContainerCreating", "", 0) },
		"a pod that finds no place": func(*world) corev1.PodStatus { return unplaced() },
	} {
		t.Run(name, func(t *testing.T) {
			w := verifying(t, func(g *v1alpha1.ModelGuard) { g.Spec.Verify.For.Duration = 50 * time.Second })
			w.tick(35) // 65 s after the change, which had 60 s to be rolled out
			three := int32(3)
			d := w.deployment()
			d.Spec.Replicas = &three
			w.update(d)
			w.pod("1", status(w))
			w.tick(2)
			w.wantState(w.one(), v1alpha1.StateVerifying, "last_good")
			_ = w.client.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "churn-new"}})
			w.tick(20)
			w.wantState(w.one(), v1alpha1.Done, "verified")
			w.wantServes("1")
			if r := *w.deployment().Spec.Replicas; r != 3 {
				t.Errorf("%d replicas, want those of the autoscaler", r)
			}
		})
	}
}

// A version whose image no node finds makes way for the next best, without being
// rejected: what was put back is tried again after a while.
func TestVersionWithoutImageMakesWay(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.ModelGuard) {
		g.Spec.Artifact = v1alpha1.ArtifactRef{Container: "model", Image: true, Allow: []string{"*"}}
		g.Spec.Autonomy.Default = v1alpha1.Approve
		g.Spec.Verify.For.Duration = time.Second
	})
	w.deploy("1", "kubectl-client-side-apply")
	w.pass(40)
	w.register(0, "")
	w.shows["2"] = shown{requests: 5000, p99: 0.02}
	w.deploy("2", "kubectl-client-side-apply")
	w.pass(40)
	three := w.register(0, "")
	w.shows[three] = shown{requests: 5000, errors: 1000, p99: 0.02}
	w.deploy(three, "kubectl-client-side-apply")
	w.tick(2)
	w.alert("errors", "", "10s", three, "")
	d := w.deployment()
	deadline := int32(60)
	d.Spec.ProgressDeadlineSeconds = &deadline
	w.update(d)
	w.stuck = true
	w.tick(1)
	w.approve("ann")
	w.tick(1)
	w.pod("2", w.waiting("model", "ErrImageNeverPull", "image is not present", 0))
	w.tick(62)
	d2 := w.decisions()[0]
	w.wantState(d2, v1alpha1.StateHeld, "artifact_missing")
	if d2.Spec.To != "2" || d2.Status.Outcome != "undone" || !strings.Contains(d2.Status.Message, "ErrImageNeverPull") {
		t.Error(describe(w.decisions()))
	}
	if got := w.lifecycle("2"); got == "rejected" {
		t.Error("a version is rejected for an image that a node lacks")
	}
	w.stuck = false
	w.settle(70)
	ds := w.decisions()
	if len(ds) < 2 || ds[1].Spec.To != "1" || !strings.Contains(ds[1].Status.Message, "version 2 is out: artifact_missing") {
		t.Fatal(describe(ds))
	}
}

// The version gone back to may be worse than what it replaced, by the labels that
// come in and by its own predictions, too; by errors see TestWorseIsUndone.
func TestWorseByWitness(t *testing.T) {
	for by, shows := range map[string][2]shown{
		"labels":      {{requests: 5000, errors: 1000, p99: 0.02, labels: 500, meanError: 5}, {requests: 5000, p99: 0.02, labels: 500, meanError: 9}},
		"predictions": {{requests: 5000, errors: 1000, p99: 0.02}, {requests: 5000, p99: 0.02, off: 0.4}},
	} {
		t.Run(by, func(t *testing.T) {
			w := badRelease(t)
			w.shows["2"] = shows[0]
			w.tick(1)
			w.wantServes("1")
			w.alerts, w.shows["1"] = nil, shows[1]
			w.settle(30)
			d := w.decisions()[0]
			w.wantState(d, v1alpha1.Failed, "worse")
			if d.Status.VerifiedBy != by || d.Status.Outcome != "undone" || w.lifecycle("1") != "rejected" {
				t.Errorf("by %s: %s; version 1 is %s", d.Status.VerifiedBy, describe(w.decisions()), w.lifecycle("1"))
			}
			w.wantServes("2")
		})
	}
}

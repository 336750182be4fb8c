package guard_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

func TestBlind(t *testing.T) {
	tests := []struct {
		name   string
		close  func(*world)
		reason string
	}{
		{"no traffic", func(w *world) { w.shows["1"] = shown{} }, "no_traffic"},
		{"no metrics", func(w *world) { w.blindPods = true }, "no_data"},
		{"metrics that have just begun", func(w *world) { w.justBegun = true }, "no_data"},
		{"a poisoned reference", func(w *world) { w.references[1] = "sha256:0123456789ab" }, "no_data"},
		{"no sidecar", func(w *world) {
			w.blindPods = true
			d := w.deployment()
			d.Spec.Template.Spec.InitContainers = nil
			if err := w.client.Update(w.t.Context(), d); err != nil {
				w.t.Fatal(err)
			}
		}, "sidecar_missing"},
		{"source in error", func(w *world) { w.sourceErr = errDown }, "source_unreachable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.pass(40)
			w.wantPhase(v1alpha1.Watching, "healthy")
			tt.close(w)
			w.alert("errors", "", "10s", "1", "")
			w.events = nil
			w.tick(20)
			w.wantPhase(v1alpha1.Held, tt.reason)
			if c := condition(w, "Observed"); !strings.HasPrefix(c, "False "+tt.reason) {
				t.Error(c)
			}
			if ds := w.decisions(); len(ds) != 0 {
				t.Error(describe(ds))
			}
			if len(w.events) != 1 {
				t.Error(strings.Join(w.events, "\n"))
			}
			w.wantServes("1")
		})
	}
}

func TestGuardThatCanNotBeServed(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*v1alpha1.ModelGuard)
		reason  string
		message string
	}{
		{"container", func(g *v1alpha1.ModelGuard) { g.Spec.Artifact.Container = "modle" }, "container_missing", `no container "modle" (it has model)`},
		{"variable", func(g *v1alpha1.ModelGuard) { g.Spec.Artifact.Env = "URI" }, "artifact_field_missing", `no variable "URI"`},
		{"workload", func(g *v1alpha1.ModelGuard) { g.Spec.Workload.Name = "curn" }, "workload_missing", "curn does not exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.change)
			w.tick(2)
			w.wantPhase(v1alpha1.Held, tt.reason)
			if c := condition(w, "Accepted"); !strings.HasPrefix(c, "False "+tt.reason) || !strings.Contains(c, tt.message) {
				t.Error(c)
			}
		})
	}
}

func TestSecondGuardIsHeld(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.ModelGuard){
		"on the workload": func(g *v1alpha1.ModelGuard) { g.Spec.Model = "other" },
		"on the model":    func(g *v1alpha1.ModelGuard) { g.Spec.Workload.Name = "other" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			second := theGuard()
			second.Name = "churn-too"
			second.CreationTimestamp = metav1.NewTime(time.Now().Add(time.Hour))
			change(second)
			if err := w.client.Create(t.Context(), second); err != nil {
				t.Fatal(err)
			}
			w.tick(2)
			w.wantPhase(v1alpha1.Watching, "healthy")
			var g v1alpha1.ModelGuard
			if err := w.client.Get(t.Context(), keyOf("churn-too"), &g); err != nil {
				t.Fatal(err)
			}
			if g.Status.Phase != v1alpha1.Held || g.Status.Reason != "duplicate_guard" || !strings.Contains(g.Status.Message, "guard churn ") {
				t.Errorf("%s (%s: %s)", g.Status.Phase, g.Status.Reason, g.Status.Message)
			}
		})
	}
}

func TestMismatchAndUnregistered(t *testing.T) {
	w := newWorld(t)
	w.pass(40)
	d := w.deployment()
	d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "MODEL_URI", Value: "s3://models/churn/else.json"}}
	if err := w.client.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.settle(3)
	w.wantPhase(v1alpha1.Held, "version_mismatch")

	w.deploy("7", "kubectl-client-side-apply")
	w.shows["7"] = shown{requests: 5000}
	w.tick(15)
	w.wantPhase(v1alpha1.Held, "unregistered_version")
	w.wantServes("7")
}

func TestScalingAndRestartsUnsettleNothing(t *testing.T) {
	w := newWorld(t)
	w.tick(10)
	settled := w.guard().Status.SettledAt
	d := w.deployment()
	five := int32(5)
	d.Spec.Replicas = &five
	d.Spec.Template.Annotations = map[string]string{"kubectl.kubernetes.io/restartedAt": "now"}
	d.Generation++
	if err := w.client.Update(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.tick(3)
	g := w.guard()
	if settled == nil || !g.Status.SettledAt.Equal(settled) || len(g.Status.History) != 1 {
		t.Errorf("settled at %v, then %v; history %+v", settled, g.Status.SettledAt, g.Status.History)
	}
}

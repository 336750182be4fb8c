package guard_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// fleetWorld has 50 guards that may do everything, churn among them. Each has served
// its version 1 for long; with another at home in what is to come, that is 2.
type fleetWorld struct {
	*world
	models []string
	in     map[string]string // their namespaces
	// most is the most decisions to change or train that were under way at once.
	most int
}

const fleetOf = 50

func newFleet(t *testing.T, another bool) *fleetWorld {
	t.Helper()
	if testing.Short() {
		t.Skip("long")
	}
	f := &fleetWorld{world: newWorld(t, likeShipped), models: []string{name}, in: map[string]string{name: ns}}
	f.perModel = true
	for i := 1; i < fleetOf; i++ {
		m := fmt.Sprintf("model-%02d", i)
		f.models, f.in[m] = append(f.models, m), fmt.Sprintf("team-%d", i%10)
	}
	for _, m := range f.models[1:] {
		f.neighbour(f.in[m], m, likeShipped)
		f.workload(m)
		f.registerAs(m, 0)
	}
	if another {
		for _, m := range f.models {
			f.registerAs(m, 50)
		}
	}
	f.step(time.Second)
	f.step(2 * time.Hour)
	f.step(time.Second)
	for _, g := range f.all() {
		if g.Status.Phase != v1alpha1.Watching || g.Status.Reason != "healthy" {
			t.Fatalf("%s: %s %s: %s", g.Name, g.Status.Phase, g.Status.Reason, g.Status.Message)
		}
	}
	f.live = csvProfile(t, 50)
	return f
}

// likeShipped has the window that guards have where none is written.
func likeShipped(g *v1alpha1.ModelGuard) {
	g.Spec.Match.Window = metav1.Duration{Duration: 24 * time.Hour}
}

// workload is a copy of churn's, with a pod.
func (f *fleetWorld) workload(model string) {
	f.t.Helper()
	d := f.deployment()
	d.ObjectMeta = metav1.ObjectMeta{Namespace: f.in[model], Name: model, UID: types.UID("uid-" + model), Generation: 1}
	app := map[string]string{"app": model, v1alpha1.LabelModel: model, v1alpha1.LabelVersion: "1"}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": model}}
	d.Spec.Template.Labels = app
	d.Status.ObservedGeneration = 1
	status := d.Status
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: f.in[model], Name: model + "-0", Labels: app}}
	p.Status.PodIP = "10.0.1.1"
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(f.now)}}
	for _, o := range []client.Object{d, p} {
		if err := f.client.Create(f.t.Context(), o, client.FieldOwner("kubectl-client-side-apply")); err != nil {
			f.t.Fatal(err)
		}
	}
	d.Status = status
	if err := f.client.Status().Update(f.t.Context(), d); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleetWorld) registerAs(model string, centre float64) {
	f.t.Helper()
	b, err := csvProfile(f.t, centre).Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	packed, err := registry.Pack(b)
	if err != nil {
		f.t.Fatal(err)
	}
	all, err := f.store.List(f.t.Context(), model)
	if err != nil {
		f.t.Fatal(err)
	}
	spec := registryv1.ModelVersionSpec{Model: model, Artifact: registryv1.Artifact{URI: uri(len(all) + 1)}, Profile: packed, Metrics: map[string]string{"mae": "6"}}
	if len(all) > 0 { // it has passed the gate
		spec.Evaluations = []registryv1.Evaluation{{Version: 1, Dataset: "d", Metric: "mae", Value: "7"}, {Version: 2, Dataset: "d", Metric: "mae", Value: "6"}}
		spec.Lineage.Parent = 1
	}
	if _, err := f.store.Register(f.t.Context(), spec); err != nil {
		f.t.Fatal(err)
	}
}

// step lets time pass, and one round look at all guards.
func (f *fleetWorld) step(d time.Duration) {
	f.t.Helper()
	f.now = f.now.Add(d)
	f.loop.Round(f.t.Context())
	f.rollOutAll()
	acting := 0
	for _, d := range f.decided() {
		if a := d.Spec.Action; (a == "rollback" || a == "retrain" || a == "redeploy") && (d.Status.State == v1alpha1.StateActing || d.Status.State == v1alpha1.StateVerifying || d.Status.State == v1alpha1.StateTraining) {
			acting++
		}
	}
	f.most = max(f.most, acting)
}

// rollOutAll does what the Deployments' controller does.
func (f *fleetWorld) rollOutAll() {
	f.t.Helper()
	var all appsv1.DeploymentList
	if err := f.client.List(f.t.Context(), &all); err != nil {
		f.t.Fatal(err)
	}
	for i := range all.Items {
		d := &all.Items[i]
		if d.Status.ObservedGeneration == d.Generation {
			continue
		}
		d.Status.ObservedGeneration = d.Generation
		if err := f.client.Status().Update(f.t.Context(), d); err != nil {
			f.t.Fatal(err)
		}
		var pods corev1.PodList
		if err := f.client.List(f.t.Context(), &pods, client.InNamespace(d.Namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels)); err != nil {
			f.t.Fatal(err)
		}
		for j := range pods.Items {
			pods.Items[j].Labels[v1alpha1.LabelVersion] = d.Spec.Template.Labels[v1alpha1.LabelVersion]
			if err := f.client.Update(f.t.Context(), &pods.Items[j]); err != nil {
				f.t.Fatal(err)
			}
		}
	}
}

func (f *fleetWorld) decided() []v1alpha1.ModelDecision {
	f.t.Helper()
	var l v1alpha1.ModelDecisionList
	if err := f.client.List(f.t.Context(), &l); err != nil {
		f.t.Fatal(err)
	}
	return l.Items
}

func (f *fleetWorld) all() []v1alpha1.ModelGuard {
	f.t.Helper()
	var l v1alpha1.ModelGuardList
	if err := f.client.List(f.t.Context(), &l); err != nil {
		f.t.Fatal(err)
	}
	return l.Items
}

// drifts is an alert on the inputs of a model, since now.
func (f *fleetWorld) drifts(model, clock, window string) {
	f.alert("input_drift", clock, window, "1", "x")
	f.alerts[len(f.alerts)-1].Labels["model_name"] = model
	f.alerts[len(f.alerts)-1].Labels["namespace"] = f.in[model]
}

// One upstream table breaks under 50 models, whose guards may all train, or go to
// a version that is at home in what it gives now. Rules see it of one model after
// the other; of the first two they say so by the clock that acts before anybody
// else has noticed anything.
func TestOneUpstreamUnderFiftyGuards(t *testing.T) {
	for _, tt := range []struct {
		name    string
		another bool
		early   int // models of which it is seen alone
		most    int // decisions that may be under way at once
	}{
		{"nothing fits, and two are seen before", false, 2, 0},
		{"another version fits, and two are seen before", true, 2, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet(t, tt.another)
			random := rand.New(rand.NewPCG(8, 50))
			page, act := map[string]int{}, map[string]int{} // rounds
			for i, m := range f.models {
				page[m] = 2 + random.IntN(5)
				act[m] = page[m] + 3 + random.IntN(4)
				if i < tt.early {
					page[m], act[m] = 0, 1
				}
			}
			for round := range 14 {
				for _, m := range f.models {
					if page[m] == round {
						f.drifts(m, "page", "1h")
					}
					if act[m] == round {
						f.drifts(m, "act", "1h")
					}
				}
				f.step(time.Minute)
			}
			f.judge(tt.most)
		})
	}
}

func (f *fleetWorld) judge(most int) {
	f.t.Helper()
	acted := map[string]bool{}
	for _, d := range f.decided() {
		if d.Spec.Action == "retrain" {
			f.t.Error("a training: " + describe([]v1alpha1.ModelDecision{d}))
		}
		acted[d.Spec.Guard] = acted[d.Spec.Guard] || d.Spec.Action != "hold"
	}
	held := 0
	for _, g := range f.all() {
		switch {
		case g.Status.Phase == v1alpha1.Held && g.Status.Reason == "correlated":
			held++
		case !acted[g.Name]:
			f.t.Errorf("%s: %s %s: %s", g.Name, g.Status.Phase, g.Status.Reason, g.Status.Message)
		}
	}
	var jobs batchv1.JobList
	var workloads appsv1.DeploymentList
	if err := f.client.List(f.t.Context(), &jobs); err != nil || len(jobs.Items) > 0 {
		f.t.Errorf("%d trainings, %v", len(jobs.Items), err)
	}
	if err := f.client.List(f.t.Context(), &workloads); err != nil {
		f.t.Fatal(err)
	}
	changed := 0
	for _, w := range workloads.Items {
		if w.Spec.Template.Labels[v1alpha1.LabelVersion] != "1" {
			changed++
		}
	}
	f.t.Logf("at most %d decisions at once, %d workloads changed, %d of %d guards held as correlated", f.most, changed, held, len(f.models))
	if f.most > most || changed > most || held < len(f.models)-most {
		f.t.Errorf("at most %d decisions at once and %d changes, want %d; %d held", f.most, changed, most, held)
	}
}

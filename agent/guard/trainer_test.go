package guard_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/guard"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/kube"
	"github.com/leeway-dev/leeway/registry/profile"
)

// The end-to-end tests (e2e/trainers) run what pods there are of Jobs on the API
// server of realEnv, and have a first version of the model registered.
const (
	trainerEnv = "LEEWAY_TEST_TRAINER"      // NAMESPACE/CRONJOB of the training
	rowsEnv    = "LEEWAY_TEST_TRAINER_ROWS" // CSV file of live rows, which version 1 is not at home in
	gateEnv    = "LEEWAY_TEST_TRAINER_GATE" // what the gate has to say: gate_passed or gate_failed
)

// TestTrainer has a real training made of an example's CronJob, and what it
// registers held against the gate.
func TestTrainer(t *testing.T) {
	w := trainerWorld(t)
	w.shows["1"] = shown{requests: 5000, p99: 0.02}
	w.pass(1200)
	w.wantPhase(v1alpha1.Watching, "healthy")
	w.live = rowsProfile(t)
	w.alert("input_drift", "page", "10m", "1", "distance")
	w.pass(660)
	w.alert("input_drift", "act", "10m", "1", "distance")
	w.until(func() bool { return len(w.decisions()) > 0 }, 60)
	d := w.one()
	w.wantState(d, v1alpha1.StateTraining, "none_fits")
	w.awaitJob(d.Status.Job)
	made := w.madeFor(d.Name)
	w.shows[made] = shown{requests: 5000, p99: 0.02}

	want := os.Getenv(gateEnv)
	if want == "gate_failed" {
		w.until(func() bool { return w.decisions()[0].Status.State == v1alpha1.StateHeld }, 60)
		w.alerts = nil // else it is trained again
		w.tick(3)
		d = w.one()
		w.wantState(d, v1alpha1.StateHeld, want)
		w.wantChanges(0)
	} else {
		w.until(func() bool { return w.served() == made }, 60)
		w.alerts = nil
		w.settle(25)
		ds := w.decisions()
		d = ds[0]
		w.wantState(d, v1alpha1.Done, want)
		if len(ds) != 2 || ds[1].Spec.Action != "redeploy" || ds[1].Status.State != v1alpha1.Done || w.served() != made {
			t.Errorf("serves %s, want %s: %s", w.served(), made, describe(ds))
		}
		w.wantChanges(1)
	}
	t.Logf("trained version %s: %s", made, d.Status.Message)
}

// trainerWorld is a real world in a namespace that is there, with a model whose
// version 1 is.
func trainerWorld(t *testing.T) *world {
	t.Helper()
	namespace, cronJob, ok := strings.Cut(os.Getenv(trainerEnv), "/")
	if !ok {
		t.Skip(trainerEnv + " is not set: it names a CronJob as NAMESPACE/NAME")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv(realEnv))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 500, 500
	w := &world{
		t: t, real: true, ns: namespace, now: time.Now().UTC().Truncate(time.Second).Add(-2 * time.Hour),
		artifacts: map[string]error{}, counted: map[string]bool{}, shows: map[string]shown{}, live: csvProfile(t, 0),
	}
	w.source, w.client = w, realClient(t, config, "")
	now := func() time.Time { return w.now }
	w.store = kube.New(w.client, w.ns, now)
	own := realClient(t, config, controller)
	w.adjust = func(c *guard.Config) {
		c.Store = func(string) (registry.Store, error) { return kube.New(own, w.ns, now), nil }
		c.CanPatch = guard.Permission(own, now)
	}
	w.must("apply", "-f", "../../manifests/components/actor/actor.yaml")
	w.apply("1", byHand)
	g := theGuard()
	g.Spec.Retrain.From.CronJob = cronJob
	g.Spec.Artifact.Allow = []string{"s3://delivery/*"}
	g.Spec.Match.Window = metav1.Duration{Duration: time.Hour}
	w.makeGuard(g)
	t.Cleanup(func() {
		w.must("delete", "modelguards,modeldecisions,deployments", "--all")
		w.must("delete", "pods", "-l", "app=churn", "--force", "--grace-period=0")
	})
	w.loop = w.newLoop(own)
	return w
}

// rowsProfile describes the live rows as sidecars would: their inputs.
func rowsProfile(t *testing.T) *profile.Profile {
	t.Helper()
	f, err := os.Open(os.Getenv(rowsEnv))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, _, err := dataset.FromCSV(f.Name(), f, dataset.Options{Label: "minutes", Ignore: []string{"time"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// awaitJob waits for a Job to be over, as real time goes.
func (w *world) awaitJob(name string) {
	w.t.Helper()
	for began := time.Now(); time.Since(began) < 10*time.Minute; time.Sleep(200 * time.Millisecond) {
		var j batchv1.Job
		if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.ns, Name: name}, &j); err != nil {
			w.t.Fatal(err)
		}
		for _, c := range j.Status.Conditions {
			if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
				return
			}
		}
	}
	w.t.Fatalf("after ten minutes job %s is not over", name)
}

// madeFor is the version that was registered for a decision, the only one.
func (w *world) madeFor(decision string) string {
	w.t.Helper()
	all, err := w.store.List(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	var made []string
	for _, v := range all {
		if v.Spec.Lineage.Decision == decision {
			made = append(made, fmt.Sprint(v.Number))
		}
	}
	if len(made) != 1 {
		w.t.Fatalf("%v were registered for %s, want one version: %s", made, decision, describe(w.decisions()))
	}
	return made[0]
}

func (w *world) served() string {
	w.t.Helper()
	return w.deployment().Spec.Template.Labels[v1alpha1.LabelVersion]
}

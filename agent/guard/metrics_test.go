package guard_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/leeway-dev/leeway/agent/guard"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

func TestMetrics(t *testing.T) {
	w := badRelease(t)
	w.tick(1)
	want := `
# HELP leeway_decisions_total Decisions made, by what was found, what is done about it and why.
# TYPE leeway_decisions_total counter
leeway_decisions_total{action="rollback",cause="bad_release",guard="churn",model_name="churn",namespace="ml",reason="last_good"} 1
# HELP leeway_guard_info Always 1: the workload that the guard watches.
# TYPE leeway_guard_info gauge
leeway_guard_info{guard="churn",model_name="churn",namespace="ml",workload="churn"} 1
# HELP leeway_guard_phase 1 for the phase that the guard is in, with its reason; 0 for the others.
# TYPE leeway_guard_phase gauge
leeway_guard_phase{guard="churn",model_name="churn",namespace="ml",phase="Acting",reason="last_good"} 1
leeway_guard_phase{guard="churn",model_name="churn",namespace="ml",phase="Deciding",reason=""} 0
leeway_guard_phase{guard="churn",model_name="churn",namespace="ml",phase="Held",reason=""} 0
leeway_guard_phase{guard="churn",model_name="churn",namespace="ml",phase="Verifying",reason=""} 0
leeway_guard_phase{guard="churn",model_name="churn",namespace="ml",phase="Watching",reason=""} 0
# HELP leeway_guard_refused_versions Registered versions that count as not registered, by why.
# TYPE leeway_guard_refused_versions gauge
leeway_guard_refused_versions{guard="churn",model_name="churn",namespace="ml",reason="number_reused"} 0
`
	if err := testutil.GatherAndCompare(w.loop.Registerer.(*prometheus.Registry), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if err := w.client.Delete(t.Context(), w.guard()); err != nil {
		t.Fatal(err)
	}
	w.tick(1)
	n, err := testutil.GatherAndCount(w.loop.Registerer.(*prometheus.Registry), "leeway_guard_phase", "leeway_guard_info")
	if err != nil || n != 0 {
		t.Error("a guard that is no more has series:", n, err)
	}
}

// refusing answers an apply with an error as often as there are any.
func refusing(w *world, errs ...error) client.Client {
	return interceptor.NewClient(w.client, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if len(errs) > 0 {
				err := errs[0]
				errs = errs[1:]
				return err
			}
			return c.Apply(ctx, o, opts...)
		},
	})
}

func TestRefusedChanges(t *testing.T) {
	deployments := schema.GroupResource{Group: "apps", Resource: "deployments"}
	moved := apierrors.NewConflict(deployments, name, errors.New("modified"))
	tests := []struct {
		name   string
		errs   []error
		state  v1alpha1.DecisionState
		serves string
	}{
		{"the workload moves meanwhile", []error{moved, moved, moved}, v1alpha1.StateActing, "1"},
		{"the API server is away for a round", []error{errDown}, v1alpha1.StateActing, "1"},
		{"admission says no", []error{apierrors.NewForbidden(deployments, name, errors.New("quota"))}, v1alpha1.Failed, "2"},
		{"validation says no", []error{apierrors.NewInvalid(schema.GroupKind{Kind: "Deployment"}, name, nil)}, v1alpha1.Failed, "2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := badRelease(t)
			w.loop = w.newLoop(refusing(w, tt.errs...))
			w.tick(2)
			d := w.one()
			if d.Status.State != tt.state {
				t.Error(describe(w.decisions()))
			}
			w.wantServes(tt.serves)
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := guard.New(guard.Config{}); err == nil {
		t.Error("an empty config was taken")
	}
}

// One in twenty guards acts at once, and at least one.
func TestFleetLimit(t *testing.T) {
	w := badRelease(t)
	other := theGuard()
	other.Name, other.Namespace = "busy", "elsewhere"
	if err := w.client.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	other.Status.Phase, other.Status.Reason = v1alpha1.Acting, "last_good"
	if err := w.client.Status().Update(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(1e9)
	w.loop.Round(t.Context())
	w.wantServes("2")
	w.wantState(w.one(), v1alpha1.StateHeld, "fleet_limit")
	w.tick(1) // the other's workload does not exist: it has stopped acting
	w.wantServes("1")
}

// An artifact of many gigabytes takes longer to check than a visit may last.
func TestSlowArtifactIsCheckedOnce(t *testing.T) {
	w := badRelease(t)
	checked := 0
	w.check = func(context.Context, string) error {
		checked++
		w.now = w.now.Add(2 * time.Minute)
		return nil
	}
	w.tick(1)
	w.wantServes("1")
	w.artifacts[uri(1)] = nil
	w.tick(3)
	if checked != 1 {
		t.Errorf("checked %d times", checked)
	}
}

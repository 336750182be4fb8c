package kube_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Each change of a lifecycle is an event of the object.
func TestEvents(t *testing.T) {
	c := newClient(t)
	s := open(c)
	if _, err := s.Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	steps := []v1alpha1.Lifecycle{v1alpha1.Registered, v1alpha1.Live, v1alpha1.Rejected, v1alpha1.Registered, v1alpha1.Retired}
	for i, to := range steps[1:] {
		if err := s.SetLifecycle(t.Context(), "churn", 1, steps[i], to, "ada", "a reason"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetLifecycle(t.Context(), "churn", 1, v1alpha1.Live, v1alpha1.Registered, "ada", "too late"); err == nil {
		t.Fatal("a change from another lifecycle was made")
	}
	var events corev1.EventList
	if err := c.List(t.Context(), &events, client.InNamespace("ml")); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range events.Items {
		got[e.Reason] = e.Type + " " + e.Message
		if o := e.InvolvedObject; o.Kind != "ModelVersion" || o.Name != "churn-1" || o.APIVersion != "leeway.dev/v1alpha1" || e.LastTimestamp.IsZero() {
			t.Errorf("event is of %+v at %s", o, e.LastTimestamp)
		}
	}
	want := map[string]string{
		"Live":       "Normal live, was registered; by ada: a reason",
		"Rejected":   "Warning rejected, was live; by ada: a reason",
		"Registered": "Normal registered, was rejected; by ada: a reason",
		"Retired":    "Normal retired, was registered; by ada: a reason",
	}
	for reason, text := range want {
		if got[reason] != text {
			t.Errorf("%s: got %q, want %q", reason, got[reason], text)
		}
	}
	if len(events.Items) != len(want) {
		t.Errorf("%d events, want %d", len(events.Items), len(want))
	}
}

// Who may change lifecycles need not be allowed to create events.
func TestEventsAreNotNeeded(t *testing.T) {
	asked := false
	c := failing{WithWatch: newClient(t), create: func(o client.Object) error {
		if _, ok := o.(*corev1.Event); ok {
			asked = true
			return apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, o.GetName(), nil)
		}
		return nil
	}}
	s := open(c)
	if _, err := s.Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	if err := s.SetLifecycle(t.Context(), "churn", 1, v1alpha1.Registered, v1alpha1.Rejected, "ada", "bad"); err != nil || !asked {
		t.Errorf("got %v; asked for an event: %v", err, asked)
	}
}

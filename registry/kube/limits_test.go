package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/kube"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// failing answers some calls with an error.
type failing struct {
	client.WithWatch
	create func(client.Object) error
	get    func(client.Object) error
	status func() // before a status is written
}

func (f failing) Status() client.SubResourceWriter {
	if f.status != nil {
		f.status()
	}
	return f.WithWatch.Status()
}

func (f failing) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	if f.create != nil {
		if err := f.create(o); err != nil {
			return err
		}
	}
	return f.WithWatch.Create(ctx, o, opts...)
}

func (f failing) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if f.get != nil {
		if err := f.get(o); err != nil {
			return err
		}
	}
	return f.WithWatch.Get(ctx, key, o, opts...)
}

func open(c client.WithWatch) *kube.Store { return kube.New(c, "ml", time.Now) }

// A profile that an object can't hold is refused before a number is given.
func TestTooLarge(t *testing.T) {
	noise := make([]byte, 900<<10) // base64 takes it beyond 1 MiB
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	spec := registrytest.Spec("churn")
	var err error
	if spec.Profile, err = registry.Pack(noise); err != nil {
		t.Fatal(err)
	}
	c := newClient(t)
	_, err = open(c).Register(t.Context(), spec)
	if !errors.Is(err, registry.ErrTooLarge) || !strings.Contains(err.Error(), "s3:") {
		t.Errorf("got %v, want an error that names s3:", err)
	}
	if spec.Profile, err = registry.Pack(noise[:600<<10]); err != nil {
		t.Fatal(err)
	}
	if v, err := open(c).Register(t.Context(), spec); err != nil || v.Number != 1 {
		t.Errorf("a profile of 600 KiB: got version %d, %v, want 1", v.Number, err)
	}
}

// Objects made by hand have their numbers, label or not.
func TestObjectsMadeByHand(t *testing.T) {
	c := newClient(t)
	byHand := func(name string, number int64) {
		o := &v1alpha1.ModelVersion{ObjectMeta: metav1.ObjectMeta{Namespace: "ml", Name: name}, Spec: registry.Numbered(registrytest.Spec("churn"), number)}
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	byHand("churn-3", 3)
	byHand("other", 9) // a name that is not its number's: no version
	for _, want := range []int64{4, 5} {
		spec := registrytest.Spec("churn")
		spec.Lineage.Decision = fmt.Sprint("churn-", want)
		if v, err := open(c).Register(t.Context(), spec); err != nil || v.Number != want {
			t.Fatalf("got version %d, %v, want %d", v.Number, err, want)
		}
	}
	byHand("churn-6", 6)
	spec := registrytest.Spec("churn")
	spec.Lineage.Decision = "churn-late"
	for range 2 {
		if v, err := open(c).Register(t.Context(), spec); err != nil || v.Number != 7 {
			t.Errorf("got version %d, %v, want 7", v.Number, err)
		}
	}
	vs, err := open(c).List(t.Context(), "churn")
	if err != nil || len(vs) != 5 {
		t.Errorf("got %d versions, %v, want 3 to 7", len(vs), err)
	}
	if _, err := open(c).Get(t.Context(), "churn", 9); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("got %v, want not found", err)
	}
}

// A registrar that dies between the number and the object is resumed by the
// next one for the same decision, with the same number; the entry is cleared.
func TestResume(t *testing.T) {
	c := newClient(t)
	died := errors.New("died")
	dying := failing{WithWatch: c, create: func(o client.Object) error {
		if _, ok := o.(*v1alpha1.ModelVersion); ok {
			return died
		}
		return nil
	}}
	spec := registrytest.Spec("churn")
	spec.Lineage.Decision = "churn-1"
	if _, err := open(dying).Register(t.Context(), spec); !errors.Is(err, died) {
		t.Fatalf("got %v, want the registrar to die", err)
	}
	other := registrytest.Spec("churn")
	if v, err := open(c).Register(t.Context(), other); err != nil || v.Number != 2 {
		t.Errorf("another registrar: got version %d, %v, want 2", v.Number, err)
	}
	for range 2 {
		if v, err := open(c).Register(t.Context(), spec); err != nil || v.Number != 1 {
			t.Errorf("the same decision: got version %d, %v, want 1", v.Number, err)
		}
	}
	var m corev1.ConfigMap
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "ml", Name: kube.Numbers}, &m); err != nil {
		t.Fatal(err)
	}
	if got := m.Data["churn"]; got != `{"last":2}` {
		t.Errorf("the ConfigMap holds %s", got)
	}
}

// Numbers that were given to registrars that never came back don't fill the
// ConfigMap.
func TestPendingIsBounded(t *testing.T) {
	c := newClient(t)
	dying := failing{WithWatch: c, create: func(o client.Object) error {
		if _, ok := o.(*v1alpha1.ModelVersion); ok {
			return errors.New("died")
		}
		return nil
	}}
	for i := range 100 {
		spec := registrytest.Spec("churn")
		spec.Lineage.Decision = fmt.Sprint("churn-", i)
		_, _ = open(dying).Register(t.Context(), spec)
	}
	var m corev1.ConfigMap
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "ml", Name: kube.Numbers}, &m); err != nil {
		t.Fatal(err)
	}
	var g struct {
		Last    int64
		Pending map[string]int64
	}
	if err := json.Unmarshal([]byte(m.Data["churn"]), &g); err != nil {
		t.Fatal(err)
	}
	if g.Last != 100 || len(g.Pending) != 64 {
		t.Errorf("got last %d and %d pending, want 100 and 64", g.Last, len(g.Pending))
	}
	for _, n := range g.Pending {
		if n <= 36 {
			t.Errorf("number %d is kept, want the newest 64", n)
		}
	}
}

func TestAuditIsBounded(t *testing.T) {
	s := open(newClient(t))
	if _, err := s.Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	from, to := v1alpha1.Registered, v1alpha1.Live
	for i := range 60 {
		if err := s.SetLifecycle(t.Context(), "churn", 1, from, to, "ada", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		from, to = to, from
	}
	v, err := s.Get(t.Context(), "churn", 1)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(v.Audit); n != 50 || v.Audit[0].Reason != "10" || v.Audit[49].Reason != "59" {
		t.Errorf("got %d lines from %q to %q, want the latest 50", n, v.Audit[0].Reason, v.Audit[n-1].Reason)
	}
	if err := s.SetLifecycle(t.Context(), "churn", 1, from, to, "ada", strings.Repeat("x", 2000)); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("a reason of 2,000 bytes: got %v, want invalid", err)
	}
}

// What the API server answers becomes what a person can do something about.
func TestErrors(t *testing.T) {
	versions := schema.GroupResource{Group: "leeway.dev", Resource: "modelversions"}
	tests := []struct {
		name  string
		err   error
		want  error
		tells string
	}{
		{"forbidden", apierrors.NewForbidden(versions, "churn-1", errors.New("no")), registry.ErrForbidden, "you may not get"},
		{"unauthorized", apierrors.NewUnauthorized("expired"), registry.ErrForbidden, "log in"},
		{"unreachable", errors.New("connection refused"), registry.ErrUnreachable, "kube:ml"},
		{"timeout", context.DeadlineExceeded, registry.ErrUnreachable, "kube:ml"},
		{"no such kind", &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "leeway.dev", Kind: "ModelVersion"}}, registry.ErrUnreachable, "install"},
	}
	for _, tt := range tests {
		s := open(failing{WithWatch: newClient(t), get: func(client.Object) error { return tt.err }})
		_, err := s.Get(t.Context(), "churn", 1)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.tells) {
			t.Errorf("%s: got %v, want %v that says %q", tt.name, err, tt.want, tt.tells)
		}
	}
	forbidden := failing{WithWatch: newClient(t), create: func(o client.Object) error {
		if _, ok := o.(*corev1.ConfigMap); ok {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, kube.Numbers, errors.New("no"))
		}
		return nil
	}}
	_, err := open(forbidden).Register(t.Context(), registrytest.Spec("churn"))
	if !errors.Is(err, registry.ErrForbidden) || !strings.Contains(err.Error(), "create the configmap leeway-numbers") {
		t.Errorf("no right to make the ConfigMap: got %v", err)
	}
}

// A version that is deleted while its lifecycle is changed is not found: that is
// no cluster without Leeway's custom resources.
func TestDeletedWhileChanged(t *testing.T) {
	c := newClient(t)
	if _, err := open(c).Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	deleting := failing{WithWatch: c, status: func() {
		if err := open(c).Delete(t.Context(), "churn", 1, "bob", "old"); err != nil {
			t.Error(err)
		}
	}}
	err := open(deleting).SetLifecycle(t.Context(), "churn", 1, v1alpha1.Registered, v1alpha1.Live, "ada", "gate passed")
	if !errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrUnreachable) {
		t.Errorf("got %v, want not found", err)
	}
}

package kube_test

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/kube"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// clocked stamps what is created, as an API server does and the fake does not.
type clocked struct{ client.Client }

func (c clocked) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	o.SetCreationTimestamp(metav1.Now())
	return c.Client.Create(ctx, o, opts...)
}

func newClient(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return clocked{fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.ModelVersion{}).Build()}
}

// The same suite runs against a real API server in the end-to-end tests; this
// is its dress rehearsal.
func TestStore(t *testing.T) {
	var c client.Client
	registrytest.Run(t, func(t *testing.T) func() registry.Store {
		c = newClient(t)
		s := kube.New(c, "ml", time.Now)
		return func() registry.Store { return s }
	}, func() registrytest.Options {
		return registrytest.Options{Delete: func(t *testing.T, model string, number int64) {
			v, err := kube.New(c, "ml", time.Now).Get(t.Context(), model, number)
			if err != nil {
				t.Fatal(err)
			}
			o := &v1alpha1.ModelVersion{ObjectMeta: metav1.ObjectMeta{Namespace: "ml", Name: kube.Name(model, v.Number)}}
			if err := c.Delete(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}}
	})
}

package kube_test

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/kube"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// clocked stamps what is created, as an API server does and the fake does not.
type clocked struct{ client.WithWatch }

func (c clocked) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	o.SetCreationTimestamp(metav1.Now())
	return c.WithWatch.Create(ctx, o, opts...)
}

// Watch tells what was there before, too: the fake does not know from which
// resource version on a watch is to be, and what came between the listing and
// the watch would be lost.
func (c clocked) Watch(ctx context.Context, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
	w, err := c.WithWatch.Watch(ctx, list, opts...)
	if err != nil {
		return nil, err
	}
	before := &v1alpha1.ModelVersionList{}
	if err := c.List(ctx, before, opts...); err != nil {
		return nil, err
	}
	events := make(chan watch.Event)
	proxy := watch.NewProxyWatcher(events)
	go func() {
		defer close(events)
		defer w.Stop()
		send := func(e watch.Event) bool {
			select {
			case events <- e:
				return true
			case <-proxy.StopChan():
				return false
			}
		}
		for i := range before.Items {
			if !send(watch.Event{Type: watch.Modified, Object: &before.Items[i]}) {
				return
			}
		}
		for {
			select {
			case e, ok := <-w.ResultChan():
				if !ok || !send(e) {
					return
				}
			case <-proxy.StopChan():
				return
			}
		}
	}()
	return proxy, nil
}

// IsWatchListSemanticsUnSupported tells informers that the fake sends no
// versions that were there before.
func (clocked) IsWatchListSemanticsUnSupported() bool { return true }

func newClient(t *testing.T) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	model := func(o client.Object) []string { // of metadata alone the name says it
		if v, ok := o.(*v1alpha1.ModelVersion); ok {
			return []string{v.Spec.Model}
		}
		return []string{o.GetName()[:max(0, strings.LastIndexByte(o.GetName(), '-'))]}
	}
	return clocked{fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.ModelVersion{}).
		WithIndex(&v1alpha1.ModelVersion{}, "spec.model", model).Build()}
}

// The same suite runs against a real API server in the end-to-end tests; this
// is its dress rehearsal.
func TestStore(t *testing.T) {
	var c client.WithWatch
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

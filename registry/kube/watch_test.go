package kube_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// broken is a server that ends watches, and may be unable to select.
type broken struct {
	clocked
	cantSelect bool
	lists      atomic.Int32 // of whole versions
	gets       atomic.Int32
	asked      sync.Map // field selectors

	mu      sync.Mutex
	watches []watch.Interface
}

func (b *broken) refuse(opts []client.ListOption) error {
	o := (&client.ListOptions{}).ApplyOptions(opts)
	if o.FieldSelector == nil {
		b.asked.Store("", true)
		return nil
	}
	b.asked.Store(o.FieldSelector.String(), true)
	if b.cantSelect {
		return apierrors.NewBadRequest("field label not supported: spec.model")
	}
	return nil
}

func (b *broken) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if _, ok := list.(*v1alpha1.ModelVersionList); ok {
		b.lists.Add(1)
		if err := b.refuse(opts); err != nil {
			return err
		}
	}
	return b.clocked.List(ctx, list, opts...)
}

func (b *broken) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	b.gets.Add(1)
	return b.clocked.Get(ctx, key, o, opts...)
}

func (b *broken) Watch(ctx context.Context, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
	if err := b.refuse(opts); err != nil {
		return nil, err
	}
	w, err := b.clocked.Watch(ctx, list, opts...)
	if err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.watches = append(b.watches, w)
	}
	return w, err
}

// end ends the n-th watch, as a server does that restarts.
func (b *broken) end(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		b.mu.Lock()
		there := len(b.watches)
		if there >= n {
			b.watches[n-1].Stop()
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
	}
	t.Fatalf("there is no watch %d", n)
}

// A watch that was ended is begun again, and what was missed is told. Nothing is
// listed every so often; a server that can select is asked for one model alone.
func TestWatchGoesOn(t *testing.T) {
	for _, cantSelect := range []bool{false, true} {
		b := &broken{clocked: newClient(t).(clocked), cantSelect: cantSelect}
		s := open(b)
		for _, model := range []string{"churn", "other"} {
			if _, err := s.Register(t.Context(), registrytest.Spec(model)); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		told := 0
		for versions, err := range registry.Watch(ctx, s, "churn", time.Millisecond) {
			if err != nil {
				t.Fatal(err)
			}
			told++
			if told == 1 {
				if len(versions) != 1 || versions[0].Spec.Artifact.URI == "" {
					t.Fatalf("got %+v", versions)
				}
				b.end(t, 1)
			}
			if versions[0].Lifecycle == v1alpha1.Live {
				break
			}
			if err := s.SetLifecycle(ctx, "churn", 1, v1alpha1.Registered, v1alpha1.Live, "ada", "gate passed"); err != nil {
				t.Fatal(err)
			}
		}
		if told != 2 {
			t.Errorf("told %d times, want 2", told)
		}
		if n := b.lists.Load(); n > 8 {
			t.Errorf("%d listings: it polls", n)
		}
		_, all := b.asked.Load("")
		_, one := b.asked.Load("spec.model=churn")
		if all != cantSelect || !one {
			t.Errorf("can't select %v: asked for all: %v, for one model: %v", cantSelect, all, one)
		}
	}
}

// That the server does not allow it is told, and tried again.
func TestWatchRefused(t *testing.T) {
	refused := &refusing{clocked: newClient(t).(clocked)}
	refused.left.Store(2)
	s := open(refused)
	errs := 0
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for versions, err := range registry.Watch(ctx, s, "churn", time.Millisecond) {
		if err == nil {
			if len(versions) != 0 || errs == 0 {
				t.Errorf("%d versions after %d errors", len(versions), errs)
			}
			return
		}
		if !errors.Is(err, registry.ErrForbidden) {
			t.Errorf("got %v, want forbidden", err)
		}
		errs++
	}
	t.Errorf("%d errors, and no versions", errs)
}

type refusing struct {
	clocked
	left atomic.Int32
}

func (r *refusing) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if r.left.Add(-1) >= 0 {
		return apierrors.NewForbidden(v1alpha1.GroupVersion.WithResource("modelversions").GroupResource(), "", nil)
	}
	return r.clocked.List(ctx, list, opts...)
}

// What is known is not read again: not the versions of others, and not those that
// have not changed.
func TestListReadsWhatHasChanged(t *testing.T) {
	b := &broken{clocked: newClient(t).(clocked)}
	s, other := open(b), open(b.clocked)
	for range 9 {
		if _, err := other.Register(t.Context(), registrytest.Spec("churn")); err != nil {
			t.Fatal(err)
		}
	}
	list := func(wantLists, wantGets int32) {
		t.Helper()
		b.lists.Store(0)
		b.gets.Store(0)
		want, err := other.List(t.Context(), "churn")
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.List(t.Context(), "churn")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
		}
		if l, g := b.lists.Load(), b.gets.Load(); l != wantLists || g != wantGets {
			t.Errorf("%d listings and %d versions, want %d and %d", l, g, wantLists, wantGets)
		}
	}
	list(1, 0)
	list(0, 0)
	if err := other.SetLifecycle(t.Context(), "churn", 7, v1alpha1.Registered, v1alpha1.Live, "ada", "gate passed"); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	if err := other.Delete(t.Context(), "churn", 3, "ada", "old"); err != nil {
		t.Fatal(err)
	}
	list(0, 2)
}

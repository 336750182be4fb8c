package kube

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// settle is how long a change is waited for to be followed by others.
const settle = 20 * time.Millisecond

// Watch implements registry.Watcher by a watch at the API server. It holds the
// versions of this model and of no other. It needs the right to watch
// modelversions.
func (s *Store) Watch(ctx context.Context, model string, _ time.Duration) iter.Seq2[[]registry.Version, error] {
	return func(yield func([]registry.Version, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		f := follow{store: s, model: model, changed: make(chan struct{}, 1), failed: make(chan error, 1)}
		informer, err := f.informer()
		if err != nil {
			cancel()
			yield(nil, err)
			return
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			informer.RunWithContext(ctx)
		}()
		defer func() {
			cancel()
			<-ended
		}()
		f.tell(ctx, informer, yield)
	}
}

// follow follows one model.
type follow struct {
	store   *Store
	model   string
	changed chan struct{}
	failed  chan error // the latest
}

func (f *follow) informer() (cache.SharedIndexInformer, error) {
	if err := registry.ValidateModel(f.model); err != nil {
		return nil, err
	}
	i := cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list := &v1alpha1.ModelVersionList{}
			err := f.ask(o, func(o *client.ListOptions) error { return f.store.client.List(ctx, list, o) })
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (w watch.Interface, err error) {
			err = f.ask(o, func(o *client.ListOptions) error {
				w, err = f.store.client.Watch(ctx, &v1alpha1.ModelVersionList{}, o)
				return err
			})
			return w, err
		},
	}, f.store.client), &v1alpha1.ModelVersion{}, 0, cache.Indexers{})
	_, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { f.notify() },
		UpdateFunc: func(any, any) { f.notify() },
		DeleteFunc: func(any) { f.notify() },
	})
	return i, errors.Join(err, i.SetTransform(f.keep), i.SetWatchErrorHandlerWithContext(f.fail))
}

// ask makes a request of the informer's for the versions of one model.
func (f *follow) ask(raw metav1.ListOptions, do func(*client.ListOptions) error) error {
	for {
		o, r := f.store.narrow(f.model), raw
		o.Raw, o.Limit, o.Continue = &r, raw.Limit, raw.Continue
		err := do(o)
		if !f.store.cantSelect(err, o) {
			return err
		}
	}
}

// keep drops what is not used, which of other models' versions is nearly all: a
// server that can't select sends them.
func (f *follow) keep(object any) (any, error) {
	if o, ok := object.(*v1alpha1.ModelVersion); ok {
		o.ManagedFields = nil
		if o.Spec.Model != f.model {
			o.Spec, o.Status = v1alpha1.ModelVersionSpec{}, v1alpha1.ModelVersionStatus{}
		}
	}
	return object, nil
}

func (f *follow) notify() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// fail is told why a watch or a listing has ended. The informer tries again,
// later each time, up to half a minute.
func (f *follow) fail(_ context.Context, _ *cache.Reflector, err error) {
	if errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return // as each watch does
	}
	select {
	case <-f.failed:
	default:
	}
	f.failed <- err
}

// tell yields what the informer has, whenever that has changed.
func (f *follow) tell(ctx context.Context, informer cache.SharedIndexInformer, yield func([]registry.Version, error) bool) {
	var told registry.Changes
	synced := informer.HasSyncedChecker().Done()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-f.failed:
			if ctx.Err() != nil || !yield(nil, f.store.explain(err, "list and watch modelversions")) {
				return
			}
			continue
		case <-synced:
			synced = nil
		case <-f.changed:
			if !informer.HasSynced() {
				continue // it is told then
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(settle):
			}
		}
		versions := f.versions(informer.GetStore())
		if told.Are(versions) && !yield(versions, nil) {
			return
		}
	}
}

// versions are those that List would return.
func (f *follow) versions(store cache.Store) []registry.Version {
	var versions []registry.Version
	for _, object := range store.List() {
		if o, ok := object.(*v1alpha1.ModelVersion); ok && o.Spec.Model == f.model && o.Name == Name(f.model, o.Spec.Version) {
			versions = append(versions, version(o.DeepCopy()))
		}
	}
	slices.SortFunc(versions, byNumber)
	return versions
}

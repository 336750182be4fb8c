package kube

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

const (
	// selectable is the field of a ModelVersion that servers select by, as the
	// custom resource says; before Kubernetes 1.31 they can't.
	selectable = "spec.model"
	// pageSize bounds an answer: 500 profiles of 27 KB are 14 MB.
	pageSize = 500
	// few objects, or that share of all, are read one by one, more of them in
	// pages with all others; readers at once.
	few      = 16
	fewShare = 8
	readers  = 8
	// remembered bounds what a Store keeps in memory of the versions it has read.
	remembered = 256 << 20
)

// List implements registry.Store. It selects by the spec, not by a label, so
// that objects made by other tools are found. It reads what there is by name,
// and of that what has changed since it was read last.
func (s *Store) List(ctx context.Context, model string) ([]registry.Version, error) {
	if err := registry.ValidateModel(model); err != nil {
		return nil, err
	}
	objects, err := s.there(ctx, model)
	if err != nil {
		return nil, err
	}
	var versions []registry.Version
	var unknown []int64
	there := 0
	for i := range objects {
		o := &objects[i]
		m, n, ok := cutName(o.Name)
		if !ok || m != model {
			continue
		}
		there++
		if v, ok := s.known.Get(o.Name, stamp(o)); ok {
			versions = append(versions, own(v))
		} else {
			unknown = append(unknown, n)
		}
	}
	if len(versions) == 0 && len(unknown) > 0 || len(unknown) > max(few, there/fewShare) {
		return s.whole(ctx, model)
	}
	read, err := s.each(ctx, model, unknown)
	if err != nil {
		return nil, err
	}
	versions = append(versions, read...)
	slices.SortFunc(versions, byNumber)
	return versions, nil
}

// each reads versions one by one. Those that were deleted since are left out, and
// objects that others gave such names.
func (s *Store) each(ctx context.Context, model string, numbers []int64) ([]registry.Version, error) {
	read := make([]registry.Version, len(numbers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, n := range numbers {
		group.Go(func() error {
			o, err := s.get(ctx, model, n)
			switch {
			case errors.Is(err, registry.ErrNotFound), errors.Is(err, errMisnamed):
				return nil
			case err != nil:
				return err
			}
			read[i] = s.remember(o)
			return nil
		})
	}
	err := group.Wait()
	return slices.DeleteFunc(read, func(v registry.Version) bool { return v.Number == 0 }), err
}

// whole lists a model with all that is in the objects.
func (s *Store) whole(ctx context.Context, model string) ([]registry.Version, error) {
	var versions []registry.Version
	for from := ""; ; {
		var list v1alpha1.ModelVersionList
		if err := s.page(ctx, &list, model, from); err != nil {
			return nil, err
		}
		for i := range list.Items {
			if o := &list.Items[i]; o.Spec.Model == model && o.Name == Name(model, o.Spec.Version) {
				versions = append(versions, s.remember(o))
			}
		}
		if from = list.Continue; from == "" {
			slices.SortFunc(versions, byNumber)
			return versions, nil
		}
	}
}

func byNumber(a, b registry.Version) int { return cmp.Compare(a.Number, b.Number) }

// stamp changes with an object.
func stamp(o metav1.Object) string { return string(o.GetUID()) + " " + o.GetResourceVersion() }

// remember keeps a version that was read from the server, and returns it.
func (s *Store) remember(o *v1alpha1.ModelVersion) registry.Version {
	v := version(o)
	size := int64(1 << 10)
	if o.Spec.Profile != nil {
		size += int64(len(o.Spec.Profile.Gzip))
	}
	s.known.Put(o.Name, stamp(o), own(v), size)
	return v
}

// own copies what callers may change.
func own(v registry.Version) registry.Version {
	v.Spec, v.Audit = *v.Spec.DeepCopy(), slices.Clone(v.Audit)
	return v
}

// page lists some of the objects of a model, or of all with "": those behind
// from, which the page before says.
func (s *Store) page(ctx context.Context, list client.ObjectList, model, from string) error {
	for {
		o := s.narrow(model)
		o.Continue = from
		err := s.client.List(ctx, list, o)
		switch {
		case err == nil:
			return nil
		case !s.cantSelect(err, o):
			return s.explain(err, "list modelversions")
		}
	}
}

// narrow asks for the objects of a model, or for those of all with "".
func (s *Store) narrow(model string) *client.ListOptions {
	o := &client.ListOptions{Namespace: s.namespace, Limit: pageSize}
	if model != "" && !s.unselective.Load() {
		o.FieldSelector = fields.OneTermEqualSelector(selectable, model)
	}
	return o
}

// cantSelect says whether a request has failed because the server can't select,
// and is to be made again: from now on without.
func (s *Store) cantSelect(err error, o *client.ListOptions) bool {
	if o.FieldSelector == nil || !apierrors.IsBadRequest(err) {
		return false
	}
	s.unselective.Store(true)
	return true
}

// names of the objects of a model, or of all with "".
func (s *Store) names(ctx context.Context, model string) ([]string, error) {
	objects, err := s.metadata(ctx, model)
	names := make([]string, len(objects))
	for i := range objects {
		names[i] = objects[i].Name
	}
	return names, err
}

// metadata of the objects of a model, or of all with "". A server that can't
// select gives those of others too.
func (s *Store) metadata(ctx context.Context, model string) (objects []metav1.PartialObjectMetadata, err error) {
	for from := ""; ; {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ModelVersionList"))
		if err := s.page(ctx, list, model, from); err != nil {
			return nil, err
		}
		objects = append(objects, list.Items...)
		if from = list.Continue; from == "" {
			return objects, nil
		}
	}
}

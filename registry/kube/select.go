package kube

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

const (
	// selectable is the field of a ModelVersion that servers select by, as the
	// custom resource says; before Kubernetes 1.31 they can't.
	selectable = "spec.model"
	// pageSize bounds an answer: 500 profiles of 27 KB are 14 MB.
	pageSize = 500
)

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

// narrow asks for the objects of a model, or for those of all with "". A cache
// selects by none of the spec, and has no pages.
func (s *Store) narrow(model string) *client.ListOptions {
	o := &client.ListOptions{Namespace: s.namespace}
	if s.server == nil {
		return o
	}
	o.Limit = pageSize
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

// names of the objects of a model, or of all with "". A server that can't select
// gives those of others too.
func (s *Store) names(ctx context.Context, model string) ([]string, error) {
	var names []string
	for from := ""; ; {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ModelVersionList"))
		if err := s.page(ctx, list, model, from); err != nil {
			return nil, err
		}
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		if from = list.Continue; from == "" {
			return names, nil
		}
	}
}

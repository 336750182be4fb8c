package kube

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// MaxObject is the largest ModelVersion that is registered, in bytes of JSON.
// The API server refuses about 1.5 MiB; what other tools write into an object's
// metadata must fit too.
const MaxObject = 1 << 20

// Register implements registry.Store.
func (s *Store) Register(ctx context.Context, spec v1alpha1.ModelVersionSpec) (registry.Version, error) {
	if err := registry.Validate(spec); err != nil {
		return registry.Version{}, err
	}
	key, err := registry.Key(spec)
	if err != nil {
		return registry.Version{}, err
	}
	if err := s.checkSize(s.object(spec, 1<<31, key)); err != nil {
		return registry.Version{}, err
	}
	for {
		n, there, err := s.give(ctx, spec.Model, key)
		if err != nil {
			return registry.Version{}, err
		}
		if there != nil {
			return version(there), nil
		}
		o := s.object(spec, n, key)
		err = s.client.Create(ctx, o)
		if err == nil {
			return version(o), s.done(ctx, spec.Model, key, n)
		}
		if !apierrors.IsAlreadyExists(err) {
			return registry.Version{}, s.explain(err, "create modelversions")
		}
		// The name is taken: by whoever registers the same content for the same
		// decision at this moment, or by an object that was made by hand.
		if there, err = s.get(ctx, spec.Model, n); err != nil {
			return registry.Version{}, err
		}
		if err := s.done(ctx, spec.Model, key, n); err != nil {
			return registry.Version{}, err
		}
		if key != "" && there.Labels[LabelKey] == labelValue(key) {
			return version(there), nil
		}
	}
}

func (s *Store) object(spec v1alpha1.ModelVersionSpec, number int64, key string) *v1alpha1.ModelVersion {
	o := &v1alpha1.ModelVersion{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace,
			Name:      Name(spec.Model, number),
			Labels:    map[string]string{LabelModel: spec.Model},
		},
		Spec: registry.Numbered(spec, number),
	}
	if key != "" {
		o.Labels[LabelKey] = labelValue(key)
	}
	return o
}

func (s *Store) checkSize(o *v1alpha1.ModelVersion) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if len(b) > MaxObject {
		return fmt.Errorf("registry kube:%s: %w: version of %s takes %d bytes with its profile, an object may have %d; keep this model's versions in a registry s3://bucket/prefix, or profile fewer columns",
			s.namespace, registry.ErrTooLarge, o.Spec.Model, len(b), MaxObject)
	}
	return nil
}

// labelValue is as much of a key as a label holds, with bits to spare.
func labelValue(key string) string { return key[:40] }

// registered finds the version that was registered under a key, or nil.
func (s *Store) registered(ctx context.Context, model, key string) (*v1alpha1.ModelVersion, error) {
	var list v1alpha1.ModelVersionList
	err := s.client.List(ctx, &list, client.InNamespace(s.namespace), client.MatchingLabels{LabelKey: labelValue(key)})
	if err != nil {
		return nil, s.explain(err, "list modelversions")
	}
	for i := range list.Items {
		if o := &list.Items[i]; o.Spec.Model == model {
			return o, nil
		}
	}
	return nil, nil
}

// highest number of the model's objects, by their names alone.
func (s *Store) highest(ctx context.Context, model string) (int64, error) {
	names, err := s.names(ctx, model)
	if err != nil {
		return 0, err
	}
	var highest int64
	for _, name := range names {
		if m, n, ok := cutName(name); ok && m == model {
			highest = max(highest, n)
		}
	}
	return highest, nil
}

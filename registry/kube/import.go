package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/leeway-dev/leeway/registry"
)

// Import implements registry.Importer. The object keeps the latest 50 audit
// lines.
func (s *Store) Import(ctx context.Context, v registry.Version) error {
	if err := registry.ValidateVersion(v); err != nil {
		return err
	}
	key, err := registry.KeyOf(v)
	if err != nil {
		return err
	}
	buried, err := s.buried(ctx, v.Model)
	if err != nil {
		return err
	}
	if _, err := s.get(ctx, v.Model, v.Number); errors.Is(err, registry.ErrNotFound) &&
		slices.ContainsFunc(buried, func(l deletion) bool { return l.Version == v.Number }) {
		return fmt.Errorf("version %d of %s: %w: it was deleted in namespace %s", v.Number, v.Model, registry.ErrConflict, s.namespace)
	}
	o := s.object(v.Spec, v.Number, key)
	o.Annotations = map[string]string{AnnotationCreated: v.Created.UTC().Format(time.RFC3339Nano)}
	if err := s.checkSize(o); err != nil {
		return err
	}
	if err := s.raise(ctx, v.Model, v.Number); err != nil {
		return err
	}
	err = s.client.Create(ctx, o)
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return s.explain(err, "create modelversions")
	}
	if o, err = s.get(ctx, v.Model, v.Number); err != nil {
		return err
	}
	if err := registry.SameVersion(v, version(o)); err != nil {
		return err
	}
	v.Audit = v.Audit[max(0, len(v.Audit)-maxAudit):]
	missing, err := registry.MissingLines(v, o.Status.Audit)
	if err != nil || len(missing) == 0 {
		return err
	}
	lines := append(o.Status.Audit, missing...)
	o.Status.Audit = lines[max(0, len(lines)-maxAudit):]
	o.Status.Lifecycle, o.Status.Reason = v.Lifecycle, v.Reason
	if err := s.client.Status().Update(ctx, o); err != nil {
		return s.explain(err, "update modelversions/status")
	}
	return nil
}

// ImportDeletion implements registry.Importer.
func (s *Store) ImportDeletion(ctx context.Context, d registry.Deletion) error {
	if err := registry.ValidateModel(d.Model); err != nil {
		return err
	}
	_, err := s.get(ctx, d.Model, d.Number)
	if err == nil {
		return fmt.Errorf("version %d of %s: %w: it was deleted where it is copied from, and is in namespace %s", d.Number, d.Model, registry.ErrConflict, s.namespace)
	}
	if !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	if err := s.raise(ctx, d.Model, d.Number); err != nil || d.Time.IsZero() {
		return err
	}
	return s.bury(ctx, d)
}

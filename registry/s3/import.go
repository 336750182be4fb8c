package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Import implements registry.Importer.
func (s *Store) Import(ctx context.Context, v registry.Version) error {
	if err := registry.ValidateVersion(v); err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	key, err := registry.KeyOf(v)
	if err != nil {
		return err
	}
	lines, err := s.linesOf(ctx, v.Model, v.Number)
	if err != nil {
		return err
	}
	missing, err := registry.MissingLines(v, lines)
	if err != nil {
		return err
	}
	err = s.createDocument(ctx, document{Created: v.Created.UTC(), Key: key, Writer: rand.Text(), Spec: v.Spec})
	if errors.Is(err, errTaken) {
		err = s.same(ctx, v)
	}
	if err != nil {
		return err
	}
	if err := s.importKey(ctx, v, key); err != nil {
		return err
	}
	for i, line := range missing {
		if err := s.addLine(ctx, v.Model, v.Number, len(lines)+i+1, line); err != nil {
			return raced(err, v.Model, v.Number)
		}
	}
	return nil
}

func (s *Store) same(ctx context.Context, v registry.Version) error {
	there, err := s.Get(ctx, v.Model, v.Number)
	if errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("version %d of %s: %w: it was deleted in s3://%s/%s", v.Number, v.Model, registry.ErrConflict, s.bucket, s.prefix)
	}
	if err != nil {
		return err
	}
	return registry.SameVersion(v, there)
}

// importKey makes known for which decision a version was registered.
func (s *Store) importKey(ctx context.Context, v registry.Version, key string) error {
	if key == "" {
		return nil
	}
	number, n, err := s.proposed(ctx, v.Model, key)
	if err != nil || number >= v.Number { // of two for one key the newer counts
		return err
	}
	return raced(s.propose(ctx, v.Model, key, n+1, v.Number), v.Model, v.Number)
}

// ImportDeletion implements registry.Importer.
func (s *Store) ImportDeletion(ctx context.Context, d registry.Deletion) error {
	if err := registry.ValidateModel(d.Model); err != nil {
		return err
	}
	if d.Number < 1 || d.Number > maxNumber {
		return fmt.Errorf("%w: version %d of %s", registry.ErrInvalid, d.Number, d.Model)
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	lines, err := s.linesOf(ctx, d.Model, d.Number)
	if err != nil {
		return err
	}
	err = s.create(ctx, s.version(d.Model, d.Number), nil)
	if errors.Is(err, errTaken) && (len(lines) == 0 || lines[len(lines)-1].To != deleted) {
		return fmt.Errorf("version %d of %s: %w: it was deleted where it is copied from, and is in s3://%s/%s", d.Number, d.Model, registry.ErrConflict, s.bucket, s.prefix)
	}
	if err != nil && !errors.Is(err, errTaken) {
		return err
	}
	s.saw(d.Model, d.Number)
	if d.Time.IsZero() || len(lines) > 0 {
		return nil
	}
	line := v1alpha1.AuditLine{Time: metav1.NewMicroTime(d.Time), To: deleted, By: d.By, Reason: d.Reason}
	return raced(s.addLine(ctx, d.Model, d.Number, 1, line), d.Model, d.Number)
}

// raced is what a taken name means while a version is taken over.
func raced(err error, model string, number int64) error {
	if errors.Is(err, errTaken) {
		return fmt.Errorf("version %d of %s: %w: somebody else writes it at this moment", number, model, registry.ErrConflict)
	}
	return err
}

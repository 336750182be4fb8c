package s3

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// deleted is the last lifecycle of a version: the change to it is what deletes.
const deleted v1alpha1.Lifecycle = "deleted"

// Delete implements registry.Store.
func (s *Store) Delete(ctx context.Context, model string, number int64, by, reason string) error {
	if err := registry.ValidateModel(model); err != nil {
		return err
	}
	err := s.change(ctx, model, number, func(v registry.Version) (v1alpha1.AuditLine, error) {
		line := v1alpha1.AuditLine{Time: metav1.NewMicroTime(s.now()), From: v.Lifecycle, To: deleted, By: by, Reason: reason}
		if v.Lifecycle == v1alpha1.Live {
			return line, fmt.Errorf("version %d of %s: %w: it is live; have another version serve first", number, model, registry.ErrConflict)
		}
		return line, nil
	})
	if err == nil {
		return s.empty(ctx, s.version(model, number))
	}
	if errors.Is(err, registry.ErrNotFound) { // perhaps who deleted it died before the object was empty
		if d, readErr := s.buried(ctx, model, number); readErr == nil && d {
			if err := s.empty(ctx, s.version(model, number)); err != nil {
				return err
			}
		}
	}
	return err
}

// buried says whether a version is deleted and its object is not empty yet.
func (s *Store) buried(ctx context.Context, model string, number int64) (bool, error) {
	lines, err := s.linesOf(ctx, model, number)
	if err != nil || len(lines) == 0 || lines[len(lines)-1].To != deleted {
		return false, err
	}
	b, _, err := s.get(ctx, s.version(model, number))
	return len(b) > 0, err
}

// Deletions implements registry.DeletionLog. All deletions are kept.
func (s *Store) Deletions(ctx context.Context, model string) ([]registry.Deletion, error) {
	if err := registry.ValidateModel(model); err != nil {
		return nil, err
	}
	numbers, err := s.numbers(ctx, model)
	if err != nil {
		return nil, err
	}
	changes, err := s.changes(ctx, model, "")
	if err != nil {
		return nil, err
	}
	var deletions []registry.Deletion
	for _, o := range numbers {
		lines, err := s.readLines(ctx, changes[o.number])
		if err != nil {
			return nil, err
		}
		d := registry.Deletion{Model: model, Number: o.number}
		switch n := len(lines); {
		case n > 0 && lines[n-1].To == deleted:
			d.Time, d.By, d.Reason = lines[n-1].Time.UTC(), lines[n-1].By, lines[n-1].Reason
		case o.size > 0:
			continue
		}
		deletions = append(deletions, d)
	}
	return deletions, nil
}

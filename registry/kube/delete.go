package kube

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Deleted is the name of the ConfigMap that holds, per model, who deleted
// which versions, when and why. It is not that of the numbers, for registrars
// need no right to it.
const Deleted = "leeway-deletions"

// What the ConfigMap keeps of one model.
const (
	maxDeletions      = 50
	maxDeletionReason = 256
)

// deletion is one line of the ConfigMap.
type deletion struct {
	Version int64     `json:"version"`
	Time    time.Time `json:"time"`
	By      string    `json:"by,omitempty"`
	Reason  string    `json:"reason,omitempty"`
}

// Delete implements registry.Store. The line in the ConfigMap is written before
// the object is deleted, so that no version is gone without one; while the
// object is there the line counts for nothing.
func (s *Store) Delete(ctx context.Context, model string, number int64, by, reason string) error {
	if err := registry.ValidateModel(model); err != nil {
		return err
	}
	for {
		o, err := s.get(ctx, model, number)
		if err != nil {
			return err
		}
		if lifecycle(o) == v1alpha1.Live {
			return fmt.Errorf("version %d of %s: %w: it is live; have another version serve first", number, model, registry.ErrConflict)
		}
		if err := s.raise(ctx, model, number); err != nil {
			return err
		}
		if err := s.bury(ctx, registry.Deletion{Model: model, Number: number, Time: s.now(), By: by, Reason: reason}); err != nil {
			return err
		}
		uid, version := o.UID, o.ResourceVersion
		err = s.client.Delete(ctx, o, client.Preconditions{UID: &uid, ResourceVersion: &version})
		switch {
		case err == nil:
			return nil
		case apierrors.IsNotFound(err):
			return fmt.Errorf("version %d of %s in namespace %s: %w", number, model, s.namespace, registry.ErrNotFound)
		case !apierrors.IsConflict(err):
			return s.explain(err, "delete modelversions")
		}
		// It was changed meanwhile: perhaps it is live now.
	}
}

// bury writes a deletion's line, in place of an older one of the same version.
func (s *Store) bury(ctx context.Context, d registry.Deletion) error {
	line := deletion{Version: d.Number, Time: d.Time.UTC(), By: cut(d.By), Reason: cut(d.Reason)}
	return changeEntry(ctx, s, Deleted, d.Model, func(lines *[]deletion) (bool, error) {
		*lines = slices.DeleteFunc(*lines, func(l deletion) bool { return l.Version == d.Number })
		*lines = append(*lines, line)
		if n := len(*lines); n > maxDeletions {
			*lines = (*lines)[n-maxDeletions:]
		}
		return true, nil
	})
}

// cut shortens a text to what is kept, at the end of a character.
func cut(text string) string {
	if len(text) <= maxDeletionReason {
		return text
	}
	n := 0
	for i := range text {
		if i > maxDeletionReason {
			break
		}
		n = i
	}
	return text[:n]
}

// Deletions implements registry.DeletionLog. The latest 50 of a model are kept,
// with 256 bytes of the reason.
func (s *Store) Deletions(ctx context.Context, model string) ([]registry.Deletion, error) {
	if err := registry.ValidateModel(model); err != nil {
		return nil, err
	}
	buried, err := s.buried(ctx, model)
	if err != nil {
		return nil, err
	}
	m, err := s.readMap(ctx, Numbers)
	if err != nil {
		return nil, err
	}
	numbers, err := entry[given](m, model)
	if err != nil {
		return nil, err
	}
	there, err := s.numbers(ctx, model)
	if err != nil {
		return nil, err
	}
	var deletions []registry.Deletion
	for _, l := range buried {
		if !there[l.Version] {
			deletions = append(deletions, registry.Deletion{Model: model, Number: l.Version, Time: l.Time, By: l.By, Reason: l.Reason})
			there[l.Version] = true
		}
	}
	if numbers.Last > 0 && !there[numbers.Last] {
		deletions = append(deletions, registry.Deletion{Model: model, Number: numbers.Last})
	}
	slices.SortFunc(deletions, func(a, b registry.Deletion) int { return int(a.Number - b.Number) })
	return deletions, nil
}

func (s *Store) buried(ctx context.Context, model string) ([]deletion, error) {
	m, err := s.readMap(ctx, Deleted)
	if err != nil {
		return nil, err
	}
	return entry[[]deletion](m, model)
}

// numbers of the model's objects.
func (s *Store) numbers(ctx context.Context, model string) (map[int64]bool, error) {
	names, err := s.names(ctx, model)
	if err != nil {
		return nil, err
	}
	numbers := map[int64]bool{}
	for _, name := range names {
		if m, n, ok := cutName(name); ok && m == model {
			numbers[n] = true
		}
	}
	return numbers, nil
}

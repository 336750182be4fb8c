package dir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// deleted is the last lifecycle of a version: the change to it is what deletes,
// and stays when the version's file is removed.
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
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	if rm := s.removeDeleted(model, number); rm != nil {
		return s.explain(rm)
	}
	return err
}

// removeDeleted removes the file of a version that is deleted, if it is.
func (s *Store) removeDeleted(model string, number int64) error {
	deletions, err := s.tombstones(model)
	if err != nil || deletions[number] == nil {
		return err
	}
	err = os.Remove(s.versionFile(model, number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(s.file(model, "versions")))
}

// Deletions implements registry.DeletionLog. All deletions are kept.
func (s *Store) Deletions(ctx context.Context, model string) ([]registry.Deletion, error) {
	if err := registry.ValidateModel(model); err != nil {
		return nil, err
	}
	last, err := readNumber(s.file(model, "last"))
	if err != nil {
		return nil, s.explain(err)
	}
	numbers, err := s.numbers(model)
	if err != nil {
		return nil, err
	}
	tombstones, err := s.tombstones(model)
	if err != nil {
		return nil, err
	}
	if last > 0 && tombstones[last] == nil && !slices.Contains(numbers, last) {
		tombstones[last] = &registry.Deletion{Model: model, Number: last}
	}
	var deletions []registry.Deletion
	for _, d := range tombstones {
		deletions = append(deletions, *d)
	}
	slices.SortFunc(deletions, func(a, b registry.Deletion) int { return cmp.Compare(a.Number, b.Number) })
	return deletions, nil
}

// tombstones are the deletions that the changes tell of.
func (s *Store) tombstones(model string) (map[int64]*registry.Deletion, error) {
	changes, err := s.changes(model)
	if err != nil {
		return nil, err
	}
	deletions := map[int64]*registry.Deletion{}
	for n, c := range changes {
		line, err := readJSON(s.changeFile(model, n, c[len(c)-1]), s.lines)
		if err != nil {
			return nil, s.explain(err)
		}
		if line.To == deleted {
			deletions[n] = &registry.Deletion{Model: model, Number: n, Time: line.Time.UTC(), By: line.By, Reason: line.Reason}
		}
	}
	return deletions, nil
}

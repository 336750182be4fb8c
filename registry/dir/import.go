package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Import implements registry.Importer.
func (s *Store) Import(ctx context.Context, v registry.Version) error {
	if err := registry.ValidateVersion(v); err != nil {
		return err
	}
	unlock, err := s.lock(ctx, v.Model)
	if err != nil {
		return err
	}
	defer unlock()
	changes, err := s.changesOf(v.Model, v.Number)
	if err != nil {
		return err
	}
	lines, err := s.readLines(v.Model, v.Number, changes)
	if err != nil {
		return s.explain(err)
	}
	missing, err := registry.MissingLines(v, lines)
	if err != nil {
		return err
	}
	if err := s.take(v); err != nil {
		return s.explain(err)
	}
	for i, line := range missing {
		if err := s.create(v.Model, s.changeFile(v.Model, v.Number, int64(len(lines)+i+1)), line); err != nil {
			return s.explain(err)
		}
	}
	return nil
}

// take writes an imported version under its own number.
func (s *Store) take(v registry.Version) error {
	if err := s.raise(v.Model, v.Number); err != nil {
		return err
	}
	err := s.create(v.Model, s.versionFile(v.Model, v.Number), document{Created: v.Created.UTC(), Spec: v.Spec})
	if errors.Is(err, fs.ErrExist) {
		there, err := readJSON(s.versionFile(v.Model, v.Number), s.documents)
		if err != nil {
			return err
		}
		return registry.SameVersion(v, registry.Version{Model: v.Model, Number: v.Number, Created: there.Created, Spec: there.Spec})
	}
	if err != nil {
		return err
	}
	key, err := registry.KeyOf(v)
	if err != nil || key == "" {
		return err
	}
	return s.replace(v.Model, s.file(v.Model, "keys", key), []byte(strconv.FormatInt(v.Number, 10)))
}

// raise sees to it that numbers up to this one are not given.
func (s *Store) raise(model string, number int64) error {
	last, err := readNumber(s.file(model, "last"))
	if err != nil || last >= number {
		return err
	}
	return s.replace(model, s.file(model, "last"), []byte(strconv.FormatInt(number, 10)))
}

// ImportDeletion implements registry.Importer.
func (s *Store) ImportDeletion(ctx context.Context, d registry.Deletion) error {
	if err := registry.ValidateModel(d.Model); err != nil {
		return err
	}
	unlock, err := s.lock(ctx, d.Model)
	if err != nil {
		return err
	}
	defer unlock()
	tombstones, err := s.tombstones(d.Model)
	if err != nil {
		return err
	}
	numbers, err := s.there(d.Model)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if n == d.Number {
			return fmt.Errorf("version %d of %s: %w: it was deleted where it is copied from, and is in %s", n, d.Model, registry.ErrConflict, s.path)
		}
	}
	if err := s.raise(d.Model, d.Number); err != nil {
		return s.explain(err)
	}
	if tombstones[d.Number] != nil || d.Time.IsZero() {
		return nil
	}
	changes, err := s.changesOf(d.Model, d.Number)
	if err != nil {
		return err
	}
	line := v1alpha1.AuditLine{Time: metav1.NewMicroTime(d.Time), To: deleted, By: d.By, Reason: d.Reason}
	if err := s.create(d.Model, s.changeFile(d.Model, d.Number, int64(len(changes)+1)), line); err != nil {
		return s.explain(err)
	}
	return nil
}

package mlflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// gap claims a number that was given elsewhere and has no version here.
const gap = "gap"

// Import implements registry.Importer. MLflow gives the numbers in turn, so
// those in between are used up: a model's versions must come by rising number.
func (s *Store) Import(ctx context.Context, v registry.Version) error {
	if err := registry.ValidateVersion(v); err != nil {
		return err
	}
	key, err := registry.KeyOf(v)
	if err != nil {
		return err
	}
	spec := *v.Spec.DeepCopy()
	spec.Version = 0
	created := v.Created.UTC()
	r, err := prepare(document{Spec: spec, Created: &created}, key)
	if err != nil {
		return err
	}
	if r.ledger, err = s.ledger(ctx, v.Model); err != nil {
		return err
	}
	there, err := s.client.version(ctx, v.Model, v.Number)
	if errors.Is(err, registry.ErrNotFound) {
		there, err = s.place(ctx, r, v.Number)
	}
	if err != nil {
		return err
	}
	e, err := decode(v.Model, there, false)
	if err != nil {
		return err
	}
	if err := registry.SameVersion(v, e.version); err != nil {
		return err
	}
	missing, err := registry.MissingLines(v, e.version.Audit)
	if err != nil {
		return err
	}
	if err := s.finish(ctx, r.ledger, there); err != nil {
		return err
	}
	for i, line := range missing {
		if err := s.addLine(ctx, r.ledger, there, e, len(e.version.Audit)+i+1, line, i == len(missing)-1); err != nil {
			return err
		}
	}
	return nil
}

// place makes a draft under a number.
func (s *Store) place(ctx context.Context, r *registration, number int64) (modelVersion, error) {
	if err := s.unused(ctx, r.spec.Model, r.ledger, number); err != nil {
		return modelVersion{}, err
	}
	if err := s.write(ctx, r); err != nil {
		return modelVersion{}, err
	}
	for {
		v, err := s.draft(ctx, r)
		if err != nil || int64(v.Version) == number {
			return v, err
		}
		if err := s.leave(ctx, r.ledger, v); err != nil {
			return v, err
		}
		if int64(v.Version) > number {
			return v, given(r.spec.Model, number)
		}
	}
}

func given(model string, number int64) error {
	return fmt.Errorf("version %d of %s: %w: its number was given here before; copy into a server that has no versions of this model, by rising number", number, model, registry.ErrConflict)
}

// unused says whether MLflow may still give a number.
func (s *Store) unused(ctx context.Context, model string, l ledger, number int64) error {
	last, err := s.last(ctx, model, l)
	if err == nil && last >= number {
		err = given(model, number)
	}
	return err
}

// last is the highest number that is known to be given.
func (s *Store) last(ctx context.Context, model string, l ledger) (int64, error) {
	all, err := s.client.versions(ctx, model, "", "")
	if err != nil {
		return 0, err
	}
	facts, err := s.facts(ctx, l)
	if err != nil {
		return 0, err
	}
	var last int64
	for name := range facts {
		if n, ok := factVersion(name, factNumber); ok {
			last = max(last, n)
		}
	}
	if n := len(all); n > 0 {
		last = max(last, int64(all[n-1].Version))
	}
	return last, nil
}

// leave makes a draft a number that has no version.
func (s *Store) leave(ctx context.Context, l ledger, v modelVersion) error {
	if _, err := s.claim(ctx, l, numberFact(int64(v.Version)), gap); err != nil {
		return err
	}
	return s.client.deleteVersion(ctx, v.Name, int64(v.Version))
}

// finish makes a draft that was imported a version.
func (s *Store) finish(ctx context.Context, l ledger, v modelVersion) error {
	if state, _ := value(v.Tags, tagState); state == stateComplete {
		return nil
	}
	nonce, _ := value(v.Tags, tagNonce)
	there, err := s.claim(ctx, l, numberFact(int64(v.Version)), nonce)
	if err != nil {
		return err
	}
	if there != nonce {
		return errors.Join(given(v.Name, int64(v.Version)), s.client.deleteVersion(ctx, v.Name, int64(v.Version)))
	}
	return s.client.setVersionTag(ctx, v.Name, int64(v.Version), tagState, stateComplete)
}

// addLine writes down one change that was made elsewhere. Only the last one
// moves the alias.
func (s *Store) addLine(ctx context.Context, l ledger, v modelVersion, e entry, i int, line v1alpha1.AuditLine, last bool) error {
	b, err := json.Marshal(change{AuditLine: line})
	if err != nil {
		return err
	}
	text := string(b)
	there, err := s.claim(ctx, l, changeFact(v, i), text)
	if err != nil {
		return err
	}
	if there != text {
		return fmt.Errorf("version %d of %s: %w: its lifecycle was changed here", v.Version, v.Name, registry.ErrConflict)
	}
	if !last {
		return s.client.setVersionTag(ctx, v.Name, int64(v.Version), changeTag(i), text)
	}
	return s.carryOut(ctx, v, e, i, change{AuditLine: line}, text)
}

// ImportDeletion implements registry.Importer.
func (s *Store) ImportDeletion(ctx context.Context, d registry.Deletion) error {
	if err := registry.ValidateModel(d.Model); err != nil {
		return err
	}
	if d.Number < 1 {
		return fmt.Errorf("deletion of version %d of %s: %w", d.Number, d.Model, registry.ErrInvalid)
	}
	_, err := s.client.version(ctx, d.Model, d.Number)
	if err == nil {
		return fmt.Errorf("version %d of %s: %w: it was deleted where it is copied from, and is in %s", d.Number, d.Model, registry.ErrConflict, s.client.base)
	}
	if !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	l, err := s.ledger(ctx, d.Model)
	if err != nil {
		return err
	}
	if err := s.skip(ctx, d.Model, l, d.Number); err != nil {
		return err
	}
	if d.Time.IsZero() {
		return nil
	}
	line := v1alpha1.AuditLine{Time: metav1.NewMicroTime(d.Time), To: deleted, By: d.By, Reason: d.Reason}
	b, err := json.Marshal(change{AuditLine: line})
	if err != nil {
		return err
	}
	_, err = s.claim(ctx, l, changeFact(modelVersion{Version: number(d.Number)}, 1), string(b))
	return err
}

// skip uses up the numbers to the one given.
func (s *Store) skip(ctx context.Context, model string, l ledger, to int64) error {
	last, err := s.last(ctx, model, l)
	if err != nil || last >= to {
		return err
	}
	r := &registration{spec: v1alpha1.ModelVersionSpec{Model: model, Artifact: v1alpha1.Artifact{URI: elsewhere}}, ledger: l}
	for last < to {
		v, err := s.draft(ctx, r)
		if err != nil {
			return err
		}
		if err := s.leave(ctx, l, v); err != nil {
			return err
		}
		last = int64(v.Version)
	}
	return nil
}

package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Importer is a Store that takes over the versions of another one as they are:
// with their numbers, times, lifecycles and audit lines. Nobody else may
// register a version of the model meanwhile.
type Importer interface {
	Store
	// Import keeps a version as it is. It does nothing when the version is
	// there already, and goes on where an import died: audit lines that are
	// missing are added. It returns ErrConflict when the number is another
	// version's, or a deleted one's, or when the version's lifecycle has been
	// changed otherwise since. A store that keeps only the latest audit lines
	// takes over the latest.
	Import(ctx context.Context, v Version) error
	// ImportDeletion keeps that a number was given and has no version, so that
	// it isn't given again. It returns ErrConflict when the version is there.
	ImportDeletion(ctx context.Context, d Deletion) error
}

// ValidateVersion says whether a version can be imported. Importers call it.
func ValidateVersion(v Version) error {
	if v.Number < 1 || v.Spec.Model != v.Model || v.Spec.Version != v.Number {
		return fmt.Errorf("%w: version %d of %q says that it is version %d of %q", ErrInvalid, v.Number, v.Model, v.Spec.Version, v.Spec.Model)
	}
	spec := v.Spec
	spec.Version = 0
	if err := Validate(spec); err != nil {
		return fmt.Errorf("version %d of %s: %w", v.Number, v.Model, err)
	}
	return nil
}

// MissingLines returns the audit lines of an imported version that are to be
// added to those that are there, and ErrConflict when these are others.
// Importers call it. Where the lines don't lead to the version's lifecycle, as
// those of a store that keeps none, one more does.
func MissingLines(v Version, there []v1alpha1.AuditLine) ([]v1alpha1.AuditLine, error) {
	lines := slices.Clone(v.Audit)
	last := v1alpha1.Registered
	if n := len(lines); n > 0 {
		last = lines[n-1].To
	}
	if last != v.Lifecycle {
		line := v1alpha1.AuditLine{From: last, To: v.Lifecycle, Reason: v.Reason}
		line.Time.Time = v.Created
		lines = append(lines, line)
	}
	if len(there) > len(lines) || !slices.EqualFunc(there, lines[:len(there)], SameLine) {
		return nil, fmt.Errorf("version %d of %s: %w: its lifecycle was changed where it is copied to", v.Number, v.Model, ErrConflict)
	}
	return lines[len(there):], nil
}

// SameLine says whether two audit lines are one, to the microsecond that they
// are kept with.
func SameLine(a, b v1alpha1.AuditLine) bool {
	return a.From == b.From && a.To == b.To && a.By == b.By && a.Reason == b.Reason && a.Time.UnixMicro() == b.Time.UnixMicro()
}

// SameVersion returns ErrConflict, with what differs, when two versions were
// not registered as one: by number, time, spec and the profile's digest. Their
// lifecycles are not compared.
func SameVersion(a, b Version) error {
	differ := func(what string) error {
		return fmt.Errorf("version %d of %s: %w: there is another one, with another %s", a.Number, a.Model, ErrConflict, what)
	}
	if a.Model != b.Model || a.Number != b.Number {
		return differ("number")
	}
	if !a.Created.Equal(b.Created) {
		return differ("time of registration")
	}
	x, err := content(a.Spec)
	if err != nil {
		return err
	}
	y, err := content(b.Spec)
	if err != nil {
		return err
	}
	if x != y {
		return differ("content")
	}
	return nil
}

// content of a spec, a profile's bytes by their digest.
func content(spec v1alpha1.ModelVersionSpec) (string, error) {
	if spec.Profile != nil {
		spec.Profile = &v1alpha1.Profile{Digest: spec.Profile.Digest}
	}
	b, err := json.Marshal(spec)
	return string(b), err
}

// KeyOf returns the key that a registered version's spec had before it got its
// number. See Key.
func KeyOf(v Version) (string, error) {
	spec := *v.Spec.DeepCopy()
	for i := range spec.Evaluations {
		if spec.Evaluations[i].Version == v.Number {
			spec.Evaluations[i].Version = 0
		}
	}
	return Key(spec)
}

package registry

import (
	"context"
	"fmt"
	"slices"
)

// CopyOptions say what Copy does.
type CopyOptions struct {
	// Model to copy; all when empty.
	Model string
	// DryRun compares only: it writes nothing.
	DryRun bool
	// Progress is told after every version; nil when nobody wants to know.
	Progress func(model string, done, total int)
}

// Copied is what became of one model.
type Copied struct {
	Model string `json:"model"`
	// Versions of the model.
	Versions int `json:"versions"`
	// Copied of them now; in a dry run those that would be.
	Copied int `json:"copied"`
	// Deleted versions whose numbers were taken over.
	Deleted int `json:"deleted"`
	// Shortened versions have more audit lines than the other store keeps: it
	// has the latest.
	Shortened int `json:"shortened,omitempty"`
}

// Copy takes the versions of one registry over into another one, with their
// numbers, times, lifecycles and audit lines, and the numbers of deleted
// versions. Each is read back and compared, its profile by its digest. A copy
// that died is resumed by copying again: what is there and the same is left
// alone.
//
// It returns what became of the models up to an error. It returns ErrConflict,
// and leaves the model as it is, when the other registry has versions of the
// model that this one has not.
func Copy(ctx context.Context, from Store, to Importer, o CopyOptions) ([]Copied, error) {
	models := []string{o.Model}
	if o.Model == "" {
		var err error
		if models, err = from.Models(ctx); err != nil {
			return nil, err
		}
	}
	var all []Copied
	for _, model := range models {
		c, err := copyModel(ctx, from, to, model, o)
		all = append(all, c)
		if err != nil {
			return all, fmt.Errorf("copy %s: %w", model, err)
		}
	}
	return all, nil
}

func copyModel(ctx context.Context, from Store, to Importer, model string, o CopyOptions) (Copied, error) {
	c := Copied{Model: model}
	versions, err := from.List(ctx, model)
	if err != nil {
		return c, err
	}
	deletions, err := Deletions(ctx, from, model)
	if err != nil {
		return c, err
	}
	if len(versions)+len(deletions) == 0 {
		return c, fmt.Errorf("%w: there are no versions of it", ErrNotFound)
	}
	c.Versions = len(versions)
	there, err := to.List(ctx, model)
	if err != nil {
		return c, err
	}
	if err := foreign(there, versions); err != nil {
		return c, err
	}
	for i, v := range versions {
		copied, shortened, err := copyVersion(ctx, to, v, there, o.DryRun)
		if err != nil {
			return c, err
		}
		if copied {
			c.Copied++
		}
		if shortened {
			c.Shortened++
		}
		if o.Progress != nil {
			o.Progress(model, i+1, len(versions))
		}
	}
	return c, copyDeletions(ctx, to, deletions, o.DryRun, &c)
}

// foreign finds versions that are of another history.
func foreign(there, versions []Version) error {
	for _, t := range there {
		if !slices.ContainsFunc(versions, func(v Version) bool { return v.Number == t.Number }) {
			return fmt.Errorf("version %d of %s: %w: it is in the registry that is copied to only; copy into one that has no versions of this model", t.Number, t.Model, ErrConflict)
		}
	}
	return nil
}

// copyVersion takes one version over, unless it is there, and says whether it
// has, and whether audit lines were left behind.
func copyVersion(ctx context.Context, to Importer, v Version, there []Version, dry bool) (copied, shortened bool, err error) {
	if i := slices.IndexFunc(there, func(t Version) bool { return t.Number == v.Number }); i >= 0 {
		if err := SameVersion(v, there[i]); err != nil {
			return false, false, err
		}
		if shortened, err = verify(v, there[i]); err == nil {
			return false, shortened, nil
		}
	}
	if dry {
		return true, false, nil
	}
	if err := to.Import(ctx, v); err != nil {
		return false, false, err
	}
	got, err := to.Get(ctx, v.Model, v.Number)
	if err != nil {
		return false, false, err
	}
	shortened, err = verify(v, got)
	return true, shortened, err
}

// verify says whether a version that was read back is what was sent.
func verify(sent, got Version) (shortened bool, err error) {
	if err := SameVersion(sent, got); err != nil {
		return false, err
	}
	if got.Spec.Profile != nil {
		if _, err := Unpack(*got.Spec.Profile); err != nil {
			return false, fmt.Errorf("profile of version %d of %s, read back: %w", got.Number, got.Model, err)
		}
	}
	lines, err := MissingLines(sent, nil)
	if err != nil {
		return false, err
	}
	skip := len(lines) - len(got.Audit)
	if skip < 0 || len(got.Audit) == 0 && len(lines) > 0 || !slices.EqualFunc(lines[skip:], got.Audit, SameLine) || got.Lifecycle != sent.Lifecycle {
		return false, fmt.Errorf("version %d of %s: %w: read back, its lifecycle is %s by %d audit lines, not %s by %d", got.Number, got.Model, ErrConflict, got.Lifecycle, len(got.Audit), sent.Lifecycle, len(lines))
	}
	return skip > 0, nil
}

func copyDeletions(ctx context.Context, to Importer, deletions []Deletion, dry bool, c *Copied) error {
	known, err := Deletions(ctx, to, c.Model)
	if err != nil {
		return err
	}
	for _, d := range deletions {
		if slices.ContainsFunc(known, func(k Deletion) bool { return k.Number == d.Number && k.Time.UnixMicro() == d.Time.UnixMicro() }) {
			continue
		}
		c.Deleted++
		if dry {
			continue
		}
		if err := to.ImportDeletion(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

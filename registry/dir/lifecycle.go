package dir

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// SetLifecycle implements registry.Store. The next change of a version has one
// name: whoever links it first has made it.
func (s *Store) SetLifecycle(ctx context.Context, model string, number int64, from, to v1alpha1.Lifecycle, by, reason string) error {
	next, err := registry.Transition(from, to, by, reason, s.now)
	if err != nil {
		return err
	}
	if err := registry.ValidateModel(model); err != nil {
		return err
	}
	return s.change(ctx, model, number, next)
}

// change adds the line that next gives for the version as it is. When somebody
// is faster, next is asked again.
func (s *Store) change(ctx context.Context, model string, number int64, next func(registry.Version) (v1alpha1.AuditLine, error)) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		changes, err := s.changesOf(model, number)
		if err != nil {
			return err
		}
		v, err := s.read(model, number, changes)
		if err != nil {
			return err
		}
		line, err := next(v)
		if err != nil {
			return err
		}
		name := int64(1)
		if len(changes) > 0 {
			name = changes[len(changes)-1] + 1
		}
		err = s.create(model, s.changeFile(model, number, name), line)
		if errors.Is(err, fs.ErrExist) {
			continue // somebody was first: look again
		}
		if err != nil {
			return s.explain(err)
		}
		return nil
	}
}

// changesOf lists the numbers of a version's changes, rising.
func (s *Store) changesOf(model string, number int64) ([]int64, error) {
	changes, err := s.changes(model)
	return changes[number], err
}

// changes lists, by version, the numbers of its changes, rising.
func (s *Store) changes(model string) (map[int64][]int64, error) {
	entries, err := os.ReadDir(s.file(model, "lifecycle"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain(err)
	}
	changes := map[int64][]int64{}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		number, change, ok2 := strings.Cut(name, "-")
		n, err := strconv.ParseInt(number, 10, 64)
		c, err2 := strconv.ParseInt(change, 10, 64)
		if ok && ok2 && cmp.Or(err, err2) == nil {
			changes[n] = append(changes[n], c)
		}
	}
	for _, c := range changes {
		slices.Sort(c)
	}
	return changes, nil
}

package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// lockPoll is how often a registrar asks for the lock that another one has.
const lockPoll = 5 * time.Millisecond

// Register implements registry.Store.
func (s *Store) Register(ctx context.Context, spec v1alpha1.ModelVersionSpec) (registry.Version, error) {
	if err := registry.Validate(spec); err != nil {
		return registry.Version{}, err
	}
	key, err := registry.Key(spec)
	if err != nil {
		return registry.Version{}, err
	}
	unlock, err := s.lock(ctx, spec.Model)
	if err != nil {
		return registry.Version{}, err
	}
	defer unlock()

	if key != "" {
		n, err := readNumber(s.file(spec.Model, "keys", key))
		if err != nil {
			return registry.Version{}, s.explain(err)
		}
		if n > 0 { // given, but the version may be deleted or its writer dead
			v, err := s.Get(ctx, spec.Model, n)
			if !errors.Is(err, registry.ErrNotFound) {
				return v, err
			}
		}
	}
	n, err := s.give(ctx, spec, key)
	if err != nil {
		return registry.Version{}, s.explain(err)
	}
	return s.Get(ctx, spec.Model, n)
}

// give writes the version under the next number. The order makes a death at any
// point harmless: a number that is in last but has no version is a gap, a key
// whose number has no version counts for nothing.
func (s *Store) give(ctx context.Context, spec v1alpha1.ModelVersionSpec, key string) (int64, error) {
	last, err := readNumber(s.file(spec.Model, "last"))
	if err != nil {
		return 0, err
	}
	if last == 0 { // the first version, or the file was lost
		numbers, err := s.numbers(spec.Model)
		if err != nil {
			return 0, err
		}
		if len(numbers) > 0 {
			last = numbers[len(numbers)-1]
		}
	}
	for n := last + 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		number := []byte(strconv.FormatInt(n, 10))
		if err := s.replace(spec.Model, s.file(spec.Model, "last"), number); err != nil {
			return 0, err
		}
		if key != "" {
			if err := s.replace(spec.Model, s.file(spec.Model, "keys", key), number); err != nil {
				return 0, err
			}
		}
		err := s.create(spec.Model, s.versionFile(spec.Model, n), document{Created: s.now().UTC(), Spec: registry.Numbered(spec, n)})
		if errors.Is(err, fs.ErrExist) { // put there by hand, or the file system does not lock: the link decided
			continue
		}
		return n, err
	}
}

// lock waits for the model's lock and makes its folders.
func (s *Store) lock(ctx context.Context, model string) (unlock func(), err error) {
	for _, d := range []string{"versions", "lifecycle", "keys", "tmp"} {
		if err := os.MkdirAll(s.file(model, d), 0o777); err != nil {
			return nil, s.explain(err)
		}
	}
	l := flock.New(s.file(model, "lock"))
	ok, err := l.TryLockContext(ctx, lockPoll)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("registry dir:%s: %w: another process holds %s: %w", s.path, registry.ErrUnreachable, l.Path(), ctx.Err())
	}
	if err != nil || !ok {
		return nil, s.explain(fmt.Errorf("lock %s: %w", l.Path(), err))
	}
	s.sweep(model)
	return func() { _ = l.Unlock() }, nil
}

// sweep removes what writers that died have left, an hour later.
func (s *Store) sweep(model string) {
	entries, err := os.ReadDir(s.file(model, "tmp"))
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && s.now().Sub(info.ModTime()) > time.Hour {
			_ = os.Remove(s.file(model, "tmp", e.Name()))
		}
	}
}

func readNumber(name string) (int64, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s: %w: %q is not a version's number", name, registry.ErrInvalid, filepath.Base(string(b)))
	}
	return n, nil
}

package s3

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// SetLifecycle implements registry.Store. The next change of a version has one
// name: whoever creates it first has made it.
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
	if err := s.ready(ctx); err != nil {
		return err
	}
	for try := 0; ; try++ {
		lines, err := s.linesOf(ctx, model, number)
		if err != nil {
			return err
		}
		v, err := s.read(ctx, model, number, "", lines)
		if err != nil {
			return err
		}
		line, err := next(v)
		if err != nil {
			return err
		}
		err = s.addLine(ctx, model, number, len(lines)+1, line)
		if !errors.Is(err, errTaken) {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return s.explain(err, "change a lifecycle")
		}
	}
}

// addLine writes a version's n-th change, or returns errTaken.
func (s *Store) addLine(ctx context.Context, model string, number int64, n int, line v1alpha1.AuditLine) error {
	b, err := json.Marshal(change{line, rand.Text()})
	if err != nil {
		return err
	}
	return s.create(ctx, fmt.Sprintf("%s%010d-%06d.json", s.lifecycles(model), number, n), b)
}

func (s *Store) lifecycles(model string) string { return s.prefix + model + "/lifecycle/" }

// changes lists the changes of a model's lifecycles by version, rising. They
// are without a gap: nothing is removed from among them.
func (s *Store) changes(ctx context.Context, model, of string) (map[int64][]object, error) {
	prefix := s.lifecycles(model)
	objects, err := s.list(ctx, prefix+of)
	if err != nil {
		return nil, err
	}
	changes := map[int64][]object{}
	for _, o := range objects {
		name, ok := strings.CutSuffix(strings.TrimPrefix(o.key, prefix), ".json")
		number, n, ok2 := strings.Cut(name, "-")
		v, err := strconv.ParseInt(number, 10, 64)
		if _, err2 := strconv.ParseInt(n, 10, 64); ok && ok2 && errors.Join(err, err2) == nil {
			changes[v] = append(changes[v], o)
		}
	}
	for number, c := range changes {
		slices.SortFunc(c, func(a, b object) int { return strings.Compare(a.key, b.key) })
		if last := fmt.Sprintf("%s%010d-%06d.json", prefix, number, len(c)); c[len(c)-1].key != last {
			return nil, fmt.Errorf("%s: %w: %s is not the last of %d changes: some are missing", s, registry.ErrInvalid, c[len(c)-1].key, len(c))
		}
	}
	return changes, nil
}

// linesOf returns the audit lines of one version, oldest first.
func (s *Store) linesOf(ctx context.Context, model string, number int64) ([]v1alpha1.AuditLine, error) {
	if number < 1 || number > maxNumber {
		return nil, nil
	}
	changes, err := s.changes(ctx, model, fmt.Sprintf("%010d-", number))
	if err != nil {
		return nil, err
	}
	return s.readLines(ctx, changes[number])
}

func (s *Store) readLines(ctx context.Context, changes []object) ([]v1alpha1.AuditLine, error) {
	var lines []v1alpha1.AuditLine
	for _, o := range changes {
		c, err := load(ctx, s, o.key, o.etag, s.lines)
		if errors.Is(err, errAbsent) || errors.Is(err, errEmpty) {
			return nil, fmt.Errorf("%s: %s: %w: it was listed and can't be read; nothing may be removed from a lifecycle", s, o.key, registry.ErrInvalid)
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, c.AuditLine)
	}
	return lines, nil
}

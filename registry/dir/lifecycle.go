package dir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// SetLifecycle implements registry.Store. The next change of a version has one
// name: whoever links it first has made it.
func (s *Store) SetLifecycle(ctx context.Context, model string, number int64, from, to v1alpha1.Lifecycle, by, reason string) error {
	if err := registry.CheckTransition(from, to); err != nil {
		return err
	}
	if err := registry.ValidateModel(model); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		changes, err := s.changes(model)
		if err != nil {
			return err
		}
		v, err := s.read(model, number, changes[number])
		if err != nil {
			return err
		}
		if v.Lifecycle != from {
			return fmt.Errorf("version %d of %s: %w: it is %s, not %s", number, model, registry.ErrConflict, v.Lifecycle, from)
		}
		next := int64(1)
		if c := changes[number]; len(c) > 0 {
			next = c[len(c)-1] + 1
		}
		line := v1alpha1.AuditLine{Time: metav1.NewMicroTime(s.now()), From: from, To: to, By: by, Reason: reason}
		err = s.create(model, s.changeFile(model, number, next), line)
		if errors.Is(err, fs.ErrExist) {
			continue // somebody was first: look again
		}
		if err != nil {
			return s.explain(err)
		}
		return nil
	}
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

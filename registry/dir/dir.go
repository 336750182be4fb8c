package dir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// maxDocument bounds what is read of one file.
const maxDocument = 128 << 20

// Store is a registry in a folder. It implements registry.Store.
type Store struct {
	path string
	now  func() time.Time
}

var _ registry.Store = (*Store)(nil)

// New returns the registry in the folder path, which is made when the first
// version is registered. now gives the time of registrations and changes.
func New(path string, now func() time.Time) *Store {
	return &Store{path: path, now: now}
}

// document is a version's file.
type document struct {
	Created time.Time                 `json:"created"`
	Spec    v1alpha1.ModelVersionSpec `json:"spec"`
}

// Get implements registry.Store.
func (s *Store) Get(ctx context.Context, model string, number int64) (registry.Version, error) {
	if err := registry.ValidateModel(model); err != nil {
		return registry.Version{}, err
	}
	changes, err := s.changes(model)
	if err != nil {
		return registry.Version{}, err
	}
	return s.read(model, number, changes[number])
}

// List implements registry.Store.
func (s *Store) List(ctx context.Context, model string) ([]registry.Version, error) {
	if err := registry.ValidateModel(model); err != nil {
		return nil, err
	}
	numbers, err := s.numbers(model)
	if err != nil {
		return nil, err
	}
	changes, err := s.changes(model)
	if err != nil {
		return nil, err
	}
	versions := make([]registry.Version, 0, len(numbers))
	for _, n := range numbers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v, err := s.read(model, n, changes[n])
		if errors.Is(err, registry.ErrNotFound) { // deleted since
			continue
		}
		if err != nil {
			return nil, err
		}
		versions = append(versions, v)
	}
	return versions, nil
}

// numbers of the versions that are there, rising.
func (s *Store) numbers(model string) ([]int64, error) {
	entries, err := os.ReadDir(s.file(model, "versions"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain(err)
	}
	var numbers []int64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.ParseInt(name, 10, 64); ok && err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (s *Store) read(model string, number int64, changes []int64) (registry.Version, error) {
	name := s.versionFile(model, number)
	var d document
	err := readJSON(name, &d)
	if errors.Is(err, fs.ErrNotExist) {
		return registry.Version{}, fmt.Errorf("version %d of %s in %s: %w", number, model, s.path, registry.ErrNotFound)
	}
	if err != nil {
		return registry.Version{}, s.explain(err)
	}
	if d.Spec.Model != model || d.Spec.Version != number {
		return registry.Version{}, fmt.Errorf("%s: %w: it says that it is version %d of %q", name, registry.ErrInvalid, d.Spec.Version, d.Spec.Model)
	}
	v := registry.Version{Model: model, Number: number, Created: d.Created, Spec: d.Spec, Lifecycle: v1alpha1.Registered}
	for _, c := range changes {
		var line v1alpha1.AuditLine
		if err := readJSON(s.changeFile(model, number, c), &line); err != nil {
			return registry.Version{}, s.explain(err)
		}
		v.Audit = append(v.Audit, line)
		v.Lifecycle, v.Reason = line.To, line.Reason
	}
	return v, nil
}

// explain says what a failing file system means to the user of a registry.
func (s *Store) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("registry dir:%s: %w: %w", s.path, registry.ErrForbidden, err)
	case errors.Is(err, registry.ErrInvalid), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("registry dir:%s: %w: %w", s.path, registry.ErrUnreachable, err)
}

func (s *Store) file(model string, names ...string) string {
	return filepath.Join(append([]string{s.path, model}, names...)...)
}

func (s *Store) versionFile(model string, number int64) string {
	return s.file(model, "versions", strconv.FormatInt(number, 10)+".json")
}

func (s *Store) changeFile(model string, number, change int64) string {
	return s.file(model, "lifecycle", fmt.Sprintf("%d-%06d.json", number, change))
}

func readJSON(name string, into any) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.Size() > maxDocument {
		return fmt.Errorf("%s: %w: it has %d bytes, at most %d are read", name, registry.ErrInvalid, info.Size(), maxDocument)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w: %w", name, registry.ErrInvalid, err)
	}
	return nil
}

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
	"github.com/leeway-dev/leeway/registry/seen"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// maxDocument bounds what is read of one file.
const maxDocument = 128 << 20

// remembered bounds what a Store keeps in memory of the files it has read.
const remembered = 256 << 20

// Store is a registry in a folder. It implements registry.Store,
// registry.DeletionLog and registry.Importer.
type Store struct {
	path      string
	now       func() time.Time
	documents *seen.Cache[document]
	lines     *seen.Cache[v1alpha1.AuditLine]
}

var (
	_ registry.Importer    = (*Store)(nil)
	_ registry.DeletionLog = (*Store)(nil)
)

// New returns the registry in the folder path, which is made when the first
// version is registered. now gives the time of registrations and changes.
func New(path string, now func() time.Time) *Store {
	return &Store{path: path, now: now, documents: seen.New[document](remembered), lines: seen.New[v1alpha1.AuditLine](remembered / 8)}
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
	changes, err := s.changesOf(model, number)
	if err != nil {
		return registry.Version{}, err
	}
	return s.read(model, number, changes)
}

// Models implements registry.Store.
func (s *Store) Models(ctx context.Context) ([]string, error) {
	entries, err := os.ReadDir(s.path) // sorted
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain(err)
	}
	var models []string
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !e.IsDir() || registry.ValidateModel(e.Name()) != nil {
			continue
		}
		numbers, err := s.there(e.Name())
		if err != nil {
			return nil, err
		}
		if len(numbers) > 0 {
			models = append(models, e.Name())
		}
	}
	return models, nil
}

// there are the numbers whose versions are not deleted.
func (s *Store) there(model string) ([]int64, error) {
	numbers, err := s.numbers(model)
	if err != nil {
		return nil, err
	}
	deletions, err := s.tombstones(model)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(numbers, func(n int64) bool { return deletions[n] != nil }), nil
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

// read returns a version, whose changes are given. One whose last change is
// its deletion is not there, also while its file still is.
func (s *Store) read(model string, number int64, changes []int64) (registry.Version, error) {
	gone := func() error {
		return fmt.Errorf("version %d of %s in %s: %w", number, model, s.path, registry.ErrNotFound)
	}
	lines, err := s.readLines(model, number, changes)
	if err != nil {
		return registry.Version{}, s.explain(err)
	}
	if n := len(lines); n > 0 && lines[n-1].To == deleted {
		return registry.Version{}, gone()
	}
	name := s.versionFile(model, number)
	d, err := readJSON(name, s.documents)
	if errors.Is(err, fs.ErrNotExist) {
		return registry.Version{}, gone()
	}
	if err != nil {
		return registry.Version{}, s.explain(err)
	}
	if d.Spec.Model != model || d.Spec.Version != number {
		return registry.Version{}, fmt.Errorf("%s: %w: it says that it is version %d of %q", name, registry.ErrInvalid, d.Spec.Version, d.Spec.Model)
	}
	v := registry.Version{Model: model, Number: number, Created: d.Created, Spec: *d.Spec.DeepCopy(), Lifecycle: v1alpha1.Registered, Audit: lines}
	if n := len(lines); n > 0 {
		v.Lifecycle, v.Reason = lines[n-1].To, lines[n-1].Reason
	}
	return v, nil
}

func (s *Store) readLines(model string, number int64, changes []int64) ([]v1alpha1.AuditLine, error) {
	var lines []v1alpha1.AuditLine
	for _, c := range changes {
		line, err := readJSON(s.changeFile(model, number, c), s.lines)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
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

// readJSON reads a file, unless it is known and has not changed since.
func readJSON[T any](name string, known *seen.Cache[T]) (into T, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return into, err
	}
	if info.Size() > maxDocument {
		return into, fmt.Errorf("%s: %w: it has %d bytes, at most %d are read", name, registry.ErrInvalid, info.Size(), maxDocument)
	}
	stamp := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	if value, ok := known.Get(name, stamp); ok {
		return value, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return into, err
	}
	if err := json.Unmarshal(b, &into); err != nil {
		return into, fmt.Errorf("%s: %w: %w", name, registry.ErrInvalid, err)
	}
	known.Put(name, stamp, into, int64(len(b)))
	return into, nil
}

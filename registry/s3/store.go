package s3

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/bucket"
	"github.com/leeway-dev/leeway/registry/seen"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

const (
	// remembered bounds what a Store keeps in memory of the objects it has read.
	remembered = 256 << 20
	// readers at once.
	readers = 16
)

// Store is a registry in a bucket. It implements registry.Store,
// registry.DeletionLog and registry.Importer.
type Store struct {
	bucket, prefix string // the prefix is empty or ends with "/"
	now            func() time.Time
	connect        func(context.Context) (*s3.Client, error)

	connecting sync.Mutex
	connected  *s3.Client

	probing sync.Mutex
	probed  bool

	documents *seen.Cache[document]
	lines     *seen.Cache[change]
	highest   sync.Map // by model: the highest number seen, where to look for higher ones
}

var (
	_ registry.Importer    = (*Store)(nil)
	_ registry.DeletionLog = (*Store)(nil)
)

// New returns the registry at s3://bucket/prefix. It reaches nothing yet. now
// gives the time of registrations and changes.
func New(uri string, o bucket.Options, now func() time.Time) (*Store, error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	name, prefix, _ := strings.Cut(rest, "/")
	if !ok || name == "" || strings.ContainsAny(rest, "?#@\\ ") || strings.Contains("/"+prefix+"/", "/../") || strings.Contains("/"+prefix, "//") {
		return nil, fmt.Errorf("%w: registry: write s3://bucket/prefix; endpoint and credentials come by AWS_ENDPOINT_URL and the AWS tools' other means", registry.ErrInvalid)
	}
	if prefix = strings.TrimSuffix(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return &Store{
		bucket: name, prefix: prefix, now: now,
		connect:   func(ctx context.Context) (*s3.Client, error) { return bucket.NewClient(ctx, o) },
		documents: seen.New[document](remembered), lines: seen.New[change](remembered / 8),
	}, nil
}

// String is the registry's URI.
func (s *Store) String() string { return "registry s3://" + s.bucket + "/" + s.prefix }

func (s *Store) client(ctx context.Context) (*s3.Client, error) {
	s.connecting.Lock()
	defer s.connecting.Unlock()
	if s.connected != nil {
		return s.connected, nil
	}
	c, err := s.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", s, registry.ErrUnreachable, err)
	}
	s.connected = c
	return c, nil
}

// document is a version's object.
type document struct {
	Created time.Time                 `json:"created"`
	Key     string                    `json:"key,omitempty"` // registry.Key
	Writer  string                    `json:"writer"`
	Spec    v1alpha1.ModelVersionSpec `json:"spec"`
}

// change is a change's object.
type change struct {
	v1alpha1.AuditLine `json:",inline"`
	Writer             string `json:"writer"`
}

// Get implements registry.Store.
func (s *Store) Get(ctx context.Context, model string, number int64) (registry.Version, error) {
	if err := registry.ValidateModel(model); err != nil {
		return registry.Version{}, err
	}
	lines, err := s.linesOf(ctx, model, number)
	if err != nil {
		return registry.Version{}, err
	}
	return s.read(ctx, model, number, "", lines)
}

// List implements registry.Store: two listings, and what is not remembered.
func (s *Store) List(ctx context.Context, model string) ([]registry.Version, error) {
	if err := registry.ValidateModel(model); err != nil {
		return nil, err
	}
	numbers, err := s.numbers(ctx, model)
	if err != nil {
		return nil, err
	}
	// The changes are listed after the versions: a version that was deleted in
	// between is known to be.
	changes, err := s.changes(ctx, model, "")
	if err != nil {
		return nil, err
	}
	versions := make([]registry.Version, len(numbers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, o := range numbers {
		if o.size == 0 { // deleted
			continue
		}
		group.Go(func() error {
			lines, err := s.readLines(ctx, changes[o.number])
			if err != nil {
				return err
			}
			versions[i], err = s.read(ctx, model, o.number, o.etag, lines)
			if errors.Is(err, registry.ErrNotFound) { // deleted since
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(versions, func(v registry.Version) bool { return v.Number == 0 }), nil
}

// Models implements registry.Store: a listing of the folders, and one of each.
func (s *Store) Models(ctx context.Context) ([]string, error) {
	names, err := s.folders(ctx)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return registry.ValidateModel(name) != nil })
	there := make([]bool, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, name := range names {
		group.Go(func() (err error) {
			there[i], err = s.hasVersions(ctx, name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var models []string
	for i, name := range names {
		if there[i] {
			models = append(models, name)
		}
	}
	slices.Sort(models)
	return models, nil
}

func (s *Store) hasVersions(ctx context.Context, model string) (there bool, err error) {
	prefix := s.versions(model)
	err = s.pages(ctx, prefix, func(objects []object) bool {
		there = slices.ContainsFunc(objects, func(o object) bool {
			_, ok := cutNumber(prefix, o.key)
			return ok && o.size > 0
		})
		return there
	})
	return there, err
}

// numbered is a version's object in a listing.
type numbered struct {
	object
	number int64
}

// numbers of a model that were given, rising; of deleted versions the object is
// empty.
func (s *Store) numbers(ctx context.Context, model string) ([]numbered, error) {
	prefix := s.versions(model)
	objects, err := s.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var numbers []numbered
	for _, o := range objects {
		if n, ok := cutNumber(prefix, o.key); ok {
			numbers = append(numbers, numbered{o, n})
		}
	}
	slices.SortFunc(numbers, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	return numbers, nil
}

// read returns a version, whose audit lines are given. One whose last change is
// its deletion is not there, also before its object is empty.
func (s *Store) read(ctx context.Context, model string, number int64, etag string, lines []v1alpha1.AuditLine) (registry.Version, error) {
	gone := fmt.Errorf("version %d of %s in s3://%s/%s: %w", number, model, s.bucket, s.prefix, registry.ErrNotFound)
	if n := len(lines); n > 0 && lines[n-1].To == deleted || number < 1 || number > maxNumber {
		return registry.Version{}, gone
	}
	key := s.version(model, number)
	d, err := load(ctx, s, key, etag, s.documents)
	if errors.Is(err, errAbsent) || errors.Is(err, errEmpty) {
		return registry.Version{}, gone
	}
	if err != nil {
		return registry.Version{}, err
	}
	if d.Spec.Model != model || d.Spec.Version != number {
		return registry.Version{}, fmt.Errorf("%s: %s: %w: it says that it is version %d of %q", s, key, registry.ErrInvalid, d.Spec.Version, d.Spec.Model)
	}
	v := d.version()
	v.Audit = lines
	if n := len(lines); n > 0 {
		v.Lifecycle, v.Reason = lines[n-1].To, lines[n-1].Reason
	}
	return v, nil
}

func (d document) version() registry.Version {
	return registry.Version{Model: d.Spec.Model, Number: d.Spec.Version, Created: d.Created, Spec: *d.Spec.DeepCopy(), Lifecycle: v1alpha1.Registered}
}

var errEmpty = errors.New("empty object")

// load reads an object as JSON, unless it is remembered with this ETag.
func load[T any](ctx context.Context, s *Store, key, etag string, known *seen.Cache[T]) (into T, err error) {
	if etag != "" {
		if value, ok := known.Get(key, etag); ok {
			return value, nil
		}
	}
	b, etag, err := s.get(ctx, key)
	switch {
	case err != nil:
		return into, err
	case len(b) == 0:
		return into, errEmpty
	}
	if err := json.Unmarshal(b, &into); err != nil {
		return into, fmt.Errorf("%s: %s: %w: %w", s, key, registry.ErrInvalid, err)
	}
	if etag != "" {
		known.Put(key, etag, into, int64(len(b)))
	}
	return into, nil
}

// maxNumber has as many digits as names have.
const maxNumber = 9_999_999_999

func (s *Store) versions(model string) string { return s.prefix + model + "/versions/" }

func (s *Store) version(model string, number int64) string {
	return fmt.Sprintf("%s%010d.json", s.versions(model), number)
}

func cutNumber(prefix, key string) (int64, bool) {
	name, ok := strings.CutSuffix(strings.TrimPrefix(key, prefix), ".json")
	n, err := strconv.ParseInt(name, 10, 64)
	return n, ok && err == nil && len(name) == 10 && n > 0
}

package s3

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Register implements registry.Store.
func (s *Store) Register(ctx context.Context, spec v1alpha1.ModelVersionSpec) (registry.Version, error) {
	if err := registry.Validate(spec); err != nil {
		return registry.Version{}, err
	}
	key, err := registry.Key(spec)
	if err != nil {
		return registry.Version{}, err
	}
	if err := s.ready(ctx); err != nil {
		return registry.Version{}, err
	}
	if key != "" {
		return s.registerOnce(ctx, spec, key)
	}
	for try := 0; ; try++ {
		n, err := s.next(ctx, spec.Model)
		if err != nil {
			return registry.Version{}, err
		}
		v, err := s.take(ctx, spec, n, "")
		if !errors.Is(err, errTaken) {
			return v, err
		}
		if err := pause(ctx, try); err != nil {
			return registry.Version{}, s.explain(err, "register")
		}
	}
}

// registerOnce registers what a decision asked for: it takes the number of the
// last proposal, or proposes another one when that is somebody else's.
func (s *Store) registerOnce(ctx context.Context, spec v1alpha1.ModelVersionSpec, key string) (registry.Version, error) {
	for try := 0; ; try++ {
		number, proposals, err := s.proposed(ctx, spec.Model, key)
		if err != nil {
			return registry.Version{}, err
		}
		if number > 0 {
			v, err := s.take(ctx, spec, number, key)
			if !errors.Is(err, errTaken) {
				return v, err
			}
			v, ours, err := s.ours(ctx, spec.Model, number, key)
			if err != nil || ours {
				return v, err
			}
			if err := pause(ctx, try); err != nil {
				return registry.Version{}, s.explain(err, "register")
			}
		}
		n, err := s.next(ctx, spec.Model)
		if err != nil {
			return registry.Version{}, err
		}
		if err := s.propose(ctx, spec.Model, key, proposals+1, n); err != nil && !errors.Is(err, errTaken) {
			return registry.Version{}, err
		}
	}
}

// take registers a version under a number, or returns errTaken.
func (s *Store) take(ctx context.Context, spec v1alpha1.ModelVersionSpec, number int64, key string) (registry.Version, error) {
	d := document{Created: s.now().UTC(), Key: key, Writer: rand.Text(), Spec: registry.Numbered(spec, number)}
	if err := s.createDocument(ctx, d); err != nil {
		return registry.Version{}, err
	}
	return d.version(), nil
}

func (s *Store) createDocument(ctx context.Context, d document) error {
	if d.Spec.Version > maxNumber {
		return fmt.Errorf("%s: %w: %s has no numbers left", s, registry.ErrTooLarge, d.Spec.Model)
	}
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if len(b) > maxDocument {
		return fmt.Errorf("%s: %w: version of %s takes %d bytes with its profile, at most %d are kept; profile fewer columns", s, registry.ErrTooLarge, d.Spec.Model, len(b), maxDocument)
	}
	err = s.create(ctx, s.version(d.Spec.Model, d.Spec.Version), b)
	if err == nil || errors.Is(err, errTaken) {
		s.saw(d.Spec.Model, d.Spec.Version)
	}
	return err
}

// ours says whether the version that is there was registered under the key, and
// is not deleted.
func (s *Store) ours(ctx context.Context, model string, number int64, key string) (registry.Version, bool, error) {
	v, err := s.Get(ctx, model, number)
	if errors.Is(err, registry.ErrNotFound) {
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}
	d, err := load(ctx, s, s.version(model, number), "", s.documents)
	return v, err == nil && d.Key == key, err
}

// proposal is a proposal's object.
type proposal struct {
	Version int64  `json:"version"`
	Writer  string `json:"writer"`
}

func (s *Store) proposals(model, key string) string { return s.prefix + model + "/keys/" + key + "-" }

// proposed returns the last proposed number of a key, and how many there were.
func (s *Store) proposed(ctx context.Context, model, key string) (number int64, n int, err error) {
	objects, err := s.list(ctx, s.proposals(model, key))
	if err != nil || len(objects) == 0 {
		return 0, 0, err
	}
	last := objects[len(objects)-1].key
	b, _, err := s.get(ctx, last)
	if err != nil {
		return 0, 0, s.explain(err, "read "+last)
	}
	var p proposal
	if err := json.Unmarshal(b, &p); err != nil || p.Version < 1 {
		return 0, 0, fmt.Errorf("%s: %s: %w: it holds no version's number", s, last, registry.ErrInvalid)
	}
	return p.Version, len(objects), nil
}

// propose writes the n-th proposal, or returns errTaken.
func (s *Store) propose(ctx context.Context, model, key string, n int, number int64) error {
	b, err := json.Marshal(proposal{number, rand.Text()})
	if err != nil {
		return err
	}
	return s.create(ctx, fmt.Sprintf("%s%06d.json", s.proposals(model, key), n), b)
}

// next number that is free.
func (s *Store) next(ctx context.Context, model string) (int64, error) {
	highest, err := s.last(ctx, model)
	return highest + 1, err
}

// last number that was given. It looks behind the highest one that this Store
// has seen; where there is more than a page, it leaps ahead, ever farther, and
// halves the way back.
func (s *Store) last(ctx context.Context, model string) (int64, error) {
	low := int64(0)
	if seen, ok := s.highest.Load(model); ok {
		low = seen.(int64)
	}
	beyond := int64(0) // nothing is there, once known
	for at, leap := low, int64(pageSize); ; {
		highest, more, err := s.behind(ctx, model, at)
		if err != nil {
			return 0, err
		}
		switch {
		case highest > 0 && !more, highest == 0 && at == low:
			low = max(low, highest)
			s.saw(model, low)
			return low, nil
		case highest > 0:
			low = highest
		default:
			beyond = at
		}
		switch {
		case beyond == 0:
			at, leap = low+leap, leap*2
		case beyond-low > 2*pageSize:
			at = low + (beyond-low)/2
		default:
			at = low
		}
	}
}

// behind returns the highest number of the page of names behind a number.
func (s *Store) behind(ctx context.Context, model string, number int64) (highest int64, more bool, err error) {
	after := ""
	if number > 0 {
		after = s.version(model, min(number, maxNumber))
	}
	objects, more, err := s.page(ctx, s.versions(model), after)
	for _, o := range objects {
		if n, ok := cutNumber(s.versions(model), o.key); ok {
			highest = max(highest, n)
		}
	}
	return highest, more, err
}

// saw remembers that a number is taken.
func (s *Store) saw(model string, number int64) {
	for {
		old, loaded := s.highest.LoadOrStore(model, number)
		if !loaded || old.(int64) >= number || s.highest.CompareAndSwap(model, old, number) {
			return
		}
	}
}

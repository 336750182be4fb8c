package mlflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/seen"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// What is read and remembered.
const (
	cacheBytes = 256 << 20
	batchRuns  = 50
	batchBytes = 24 << 20 // of profiles asked for at once; escaped they are longer
)

// Store is a registry in an MLflow tracking server. It implements
// registry.Store, registry.Importer and registry.DeletionLog.
type Store struct {
	client *client
	now    func() time.Time

	// profiles by run: they never change.
	profiles *seen.Cache[content]

	mu      sync.Mutex
	ledgers map[string]ledger
	swept   map[string]bool
}

// content of a version's run.
type content struct {
	profile *v1alpha1.Profile // nil: it can't be found
	sum     string            // of the document; may be empty
}

var (
	_ registry.Importer    = (*Store)(nil)
	_ registry.DeletionLog = (*Store)(nil)
)

// New returns the registry at mlflow+http://host:port or mlflow+https://host,
// which may be followed by the path that the server is at. It calls nobody yet.
// now gives the time of changes.
func New(uri string, c Credentials, now func() time.Time) (*Store, error) {
	client, err := newClient(uri, c)
	if err != nil {
		return nil, err
	}
	return &Store{client: client, now: now, profiles: seen.New[content](cacheBytes), ledgers: map[string]ledger{}, swept: map[string]bool{}}, nil
}

// Get implements registry.Store.
func (s *Store) Get(ctx context.Context, model string, number int64) (registry.Version, error) {
	_, e, err := s.entry(ctx, model, number)
	if err != nil {
		return registry.Version{}, err
	}
	entries := []entry{e}
	if err := s.fill(ctx, model, entries); err != nil {
		return registry.Version{}, err
	}
	return entries[0].version, nil
}

// entry reads one version that is complete, without its profile.
func (s *Store) entry(ctx context.Context, model string, number int64) (modelVersion, entry, error) {
	if err := registry.ValidateModel(model); err != nil {
		return modelVersion{}, entry{}, err
	}
	missing := fmt.Errorf("version %d of %s in %s: %w", number, model, s.client.base, registry.ErrNotFound)
	if number < 1 {
		return modelVersion{}, entry{}, missing
	}
	v, err := s.client.version(ctx, model, number)
	if errors.Is(err, registry.ErrNotFound) {
		err = missing
	}
	if err != nil {
		return v, entry{}, err
	}
	e, err := decode(model, v, slices.Contains(v.Aliases, aliasLive))
	if err == nil && e.draft {
		err = missing
	}
	return v, e, err
}

// List implements registry.Store.
func (s *Store) List(ctx context.Context, model string) ([]registry.Version, error) {
	entries, err := s.entries(ctx, model)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e entry) bool { return e.draft })
	if err := s.fill(ctx, model, entries); err != nil {
		return nil, err
	}
	versions := make([]registry.Version, len(entries))
	for i, e := range entries {
		versions[i] = e.version
	}
	return versions, nil
}

// entries lists all versions of a model without their profiles, those that are
// being written too.
func (s *Store) entries(ctx context.Context, model string) ([]entry, error) {
	if err := registry.ValidateModel(model); err != nil {
		return nil, err
	}
	all, err := s.client.versions(ctx, model, "", "")
	if err != nil || len(all) == 0 {
		return nil, err
	}
	m, err := s.client.model(ctx, model)
	if errors.Is(err, registry.ErrNotFound) { // deleted since
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var live int64
	for _, a := range m.Aliases {
		if a.Alias == aliasLive {
			live = int64(a.Version)
		}
	}
	entries := make([]entry, len(all))
	for i, v := range all {
		if entries[i], err = decode(model, v, int64(v.Version) == live); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// fill reads what is in the runs of our versions: profiles that aren't
// remembered, and the digest of what was registered, which must agree.
func (s *Store) fill(ctx context.Context, model string, entries []entry) error {
	found := map[string]content{}
	var want []entry
	for _, e := range entries {
		if !e.ours || e.run == "" {
			continue
		}
		if c, ok := s.profiles.Get(e.run, ""); ok {
			found[e.run] = c
		} else {
			want = append(want, e)
		}
	}
	for len(want) > 0 {
		n, bytes := 0, 0
		for n < len(want) && n < batchRuns && (n == 0 || bytes+want[n].bytes <= batchBytes) {
			bytes += want[n].bytes
			n++
		}
		if err := s.read(ctx, model, want[:n], found); err != nil {
			return err
		}
		want = want[n:]
	}
	for i := range entries {
		if err := entries[i].take(found[entries[i].run]); err != nil {
			return err
		}
	}
	return nil
}

// read gets the runs of some versions.
func (s *Store) read(ctx context.Context, model string, want []entry, found map[string]content) error {
	l, err := s.knownLedger(ctx, model)
	if errors.Is(err, registry.ErrNotFound) { // purged, and the runs with it
		return nil
	}
	if err != nil {
		return err
	}
	ids := make([]string, len(want))
	for i, e := range want {
		if strings.ContainsAny(e.run, `'"\`) {
			return fmt.Errorf("version %d of %s in MLflow: %w: run_id %.100q", e.version.Number, model, registry.ErrInvalid, e.run)
		}
		ids[i] = "'" + e.run + "'"
	}
	runs, err := s.client.searchRuns(ctx, l.experiment, "attributes.run_id IN ("+strings.Join(ids, ",")+")", len(ids))
	if err != nil {
		return err
	}
	byID := map[string]run{}
	for _, r := range runs {
		byID[r.Info.ID] = r
	}
	for _, e := range want {
		r, ok := byID[e.run]
		if !ok {
			continue
		}
		c := content{}
		c.sum, _ = value(r.Data.Params, paramSpec)
		if p := e.version.Spec.Profile; p != nil {
			if c.profile, err = decodeDataset(r.Inputs.Datasets, p.Digest); err != nil {
				c.profile = nil // the version has a profile that can't be read
			}
		}
		found[e.run] = c
		s.profiles.Put(e.run, "", c, int64(e.bytes)+1024)
	}
	return nil
}

// take puts into a version what its run holds. A profile that is gone leaves
// the version with a digest and no bytes, which is refused by whoever reads it;
// a document that was changed is refused here.
func (e *entry) take(c content) error {
	if !e.ours {
		return nil
	}
	if c.sum != "" && c.sum != e.sum {
		return fmt.Errorf("version %d of %s in MLflow: %w: its tag %s was changed: it has SHA-256 %s, registered was %s (param %s of run %s)",
			e.version.Number, e.version.Model, registry.ErrInvalid, tagSpec, e.sum, c.sum, paramSpec, e.run)
	}
	if p := e.version.Spec.Profile; p != nil && c.profile != nil && c.profile.Digest == p.Digest {
		p.Gzip = c.profile.Gzip
	}
	return nil
}

// Models implements registry.Store. Registered models whose names can't be
// models' names here are left out.
func (s *Store) Models(ctx context.Context) ([]string, error) {
	all, err := s.client.models(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range all {
		if registry.ValidateModel(m.Name) != nil {
			continue
		}
		there := slices.ContainsFunc(m.Latest, func(v modelVersion) bool {
			e, err := decode(m.Name, v, false)
			return err == nil && !e.draft
		})
		if !there { // the latest one may be a draft
			entries, err := s.entries(ctx, m.Name)
			if err != nil {
				return nil, err
			}
			there = slices.ContainsFunc(entries, func(e entry) bool { return !e.draft })
		}
		if there {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

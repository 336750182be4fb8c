package registrytest

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// OneModel fills the model "churn" of a registry with so many versions, opens the
// registry anew and matches the model, twice. It tells how long that takes and how
// much memory; what is kept is bounded by the versions of this one model.
func OneModel(t *testing.T, open func() registry.Store, versions int) {
	s := open()
	for n := range versions {
		if _, err := s.Register(t.Context(), matchable(t, float64(n))); err != nil {
			t.Fatal(err)
		}
	}
	s = nil
	debug.FreeOSMemory()
	heap, resident := inUse(), residentBytes(t)
	var took [2]time.Duration
	s = open()
	m := &registry.Matcher{}
	for i := range took {
		began := time.Now()
		vs, err := s.List(t.Context(), "churn")
		if err != nil || len(vs) != versions {
			t.Fatalf("%d versions, %v, want %d", len(vs), err, versions)
		}
		if err := m.Update(vs); err != nil {
			t.Fatal(err)
		}
		r, err := m.Match(observed(t, float64(versions/2)+0.1), registry.MatchOptions{})
		if err != nil || r.Best == "" || r.Best != r.Candidates[0].Version {
			t.Fatalf("best %q, %v", r.Best, err)
		}
		took[i] = time.Since(began)
	}
	kept, grown := int64(inUse()-heap), residentBytes(t)-resident
	runtime.KeepAlive(s)
	runtime.KeepAlive(m)
	t.Logf("%d versions opened and matched in %s, again in %s; %.1f MB kept, %.1f MB more resident",
		versions, took[0].Round(100*time.Microsecond), took[1].Round(100*time.Microsecond), float64(kept)/(1<<20), float64(grown)/(1<<20))
	if limit := int64(1<<20 + versions*64<<10); kept > limit {
		t.Errorf("%d bytes are kept, at most %d are allowed", kept, limit)
	}
}

// observed is the live profile of values from at on.
func observed(t *testing.T, at float64) *profile.Profile {
	t.Helper()
	r, err := profile.NewRecorder([]profile.Column{{Name: "temp", Type: profile.Number}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r.Lock(noon)
	r.AddRows(200)
	for i := range 200 {
		r.Feature(0).Number(at + float64(i)/20)
	}
	r.Unlock()
	return r.Profile(noon, noon.Add(time.Hour))
}

// matchable is a version that was trained on values from at on.
func matchable(t *testing.T, at float64) (spec v1alpha1.ModelVersionSpec) {
	t.Helper()
	p, _, err := profile.Adopt(profile.AdoptOptions{}, observed(t, at))
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	spec = Spec("churn")
	if spec.Profile, err = registry.Pack(b); err != nil {
		t.Fatal(err)
	}
	return spec
}

// residentBytes of this process; 0 where that is not known.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var all, pages int64
	if _, err := fmt.Sscan(string(b), &all, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

package registrytest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Registrars has many register at once, each so many versions, and checks that
// every number was given once and none is missing.
func Registrars(t *testing.T, open func() registry.Store, registrars, each int) {
	began := time.Now()
	numbersOnce(t, open, Options{Registrars: registrars, Each: each})
	took := time.Since(began)
	vs, err := open().List(t.Context(), "churn")
	if err != nil || len(vs) != registrars*each || vs[len(vs)-1].Number != int64(registrars*each) {
		t.Errorf("%d versions, %v, want 1 to %d without a gap", len(vs), err, registrars*each)
	}
	t.Logf("%d registrars of %d versions each: %s, %.0f registrations/s", registrars, each, took.Round(time.Millisecond), float64(registrars*each)/took.Seconds())
}

// Limits of what Listing allows a store: for reading everything for the first
// time and again, for telling a watcher of a change, and for memory.
type Limits struct {
	First, Again, Told time.Duration
	Bytes              uint64
}

// Listing fills a registry with so many versions, each with a profile of 20 KB
// that does not compress, and measures how it is listed and watched.
func Listing(t *testing.T, open func() registry.Store, versions int, l Limits) {
	fill(t, open().(registry.Importer), versions)
	s := open()
	before := inUse()
	first := timed(t, s, versions)
	again := timed(t, s, versions)
	used := inUse() - min(inUse(), before)
	runtime.KeepAlive(s)
	told := watchedChange(t, s, open())
	t.Logf("%d versions: listed in %s, again in %s, a change told after %s (of a poll of 50ms), %d MB kept",
		versions, first.Round(time.Millisecond), again.Round(time.Millisecond), told.Round(time.Millisecond), used>>20)
	for _, m := range []struct {
		what       string
		got, limit time.Duration
	}{{"the first listing", first, l.First}, {"the next one", again, l.Again}, {"telling of a change", told, l.Told}} {
		if m.got > m.limit {
			t.Errorf("%s took %s, at most %s are allowed", m.what, m.got, m.limit)
		}
	}
	if used > l.Bytes {
		t.Errorf("%d MB are kept, at most %d are allowed", used>>20, l.Bytes>>20)
	}
}

func fill(t *testing.T, s registry.Importer, versions int) {
	t.Helper()
	spec := fullSpec(t)
	var wg sync.WaitGroup
	numbers := make(chan int64)
	for range 8 {
		wg.Go(func() {
			for n := range numbers {
				v := registry.Version{Model: "churn", Number: n, Created: time.Unix(1e9+n, 0), Spec: registry.Numbered(spec, n), Lifecycle: v1alpha1.Registered}
				v.Spec.Lineage.Decision = ""
				v.Spec.Lineage.Run = fmt.Sprint(n)
				if err := s.Import(t.Context(), v); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := int64(versions); n > 0; n-- { // the highest is given first, and is not to be raised for each
		numbers <- n
	}
	close(numbers)
	wg.Wait()
}

func timed(t *testing.T, s registry.Store, versions int) time.Duration {
	t.Helper()
	began := time.Now()
	vs, err := s.List(t.Context(), "churn")
	if err != nil || len(vs) != versions {
		t.Fatalf("%d versions, %v, want %d", len(vs), err, versions)
	}
	return time.Since(began)
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func watchedChange(t *testing.T, s, other registry.Store) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var changed time.Time
	for vs, err := range registry.Watch(ctx, s, "churn", 50*time.Millisecond) {
		if err != nil {
			t.Fatal(err)
		}
		if vs[0].Lifecycle == v1alpha1.Live {
			return time.Since(changed)
		}
		if err := other.SetLifecycle(ctx, "churn", 1, v1alpha1.Registered, v1alpha1.Live, "ada", "gate passed"); err != nil {
			t.Fatal(err)
		}
		changed = time.Now()
	}
	t.Fatal("the change was not told")
	return 0
}

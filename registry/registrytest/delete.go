package registrytest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// remover removes a version: with the store, or as its owner would.
type remover func(t *testing.T, model string, number int64)

func byStore(open func() registry.Store) remover {
	return func(t *testing.T, model string, number int64) {
		t.Helper()
		if err := open().Delete(t.Context(), model, number, "gc", "older than a year"); err != nil {
			t.Fatalf("delete version %d of %s: %v", number, model, err)
		}
	}
}

func numbersGone(t *testing.T, open func() registry.Store, _ Options) {
	checkNumbersGone(t, open, byStore(open))
}

func numbersGoneByHand(t *testing.T, open func() registry.Store, o Options) {
	if o.Delete == nil {
		t.Skip("versions of this store are deleted by the store only")
	}
	checkNumbersGone(t, open, o.Delete)
}

func checkNumbersGone(t *testing.T, open func() registry.Store, remove remover) {
	for range 3 {
		mustRegister(t, open(), Spec("churn"))
	}
	remove(t, "churn", 3)
	remove(t, "churn", 1)
	if got := numbers(t, open(), "churn"); !slices.Equal(got, []int64{2}) {
		t.Fatalf("after deleting 3 and 1: got %v, want [2]", got)
	}
	if v := mustRegister(t, open(), Spec("churn")); v.Number != 4 {
		t.Errorf("after deleting the newest: got number %d, want 4", v.Number)
	}
	remove(t, "churn", 2)
	remove(t, "churn", 4)
	if v := mustRegister(t, open(), Spec("churn")); v.Number != 5 {
		t.Errorf("after deleting all: got number %d, want 5", v.Number)
	}
}

func deleted(t *testing.T, open func() registry.Store, _ Options) {
	s := open()
	for range 3 {
		mustRegister(t, s, Spec("churn"))
	}
	if err := s.SetLifecycle(t.Context(), "churn", 2, v1alpha1.Registered, v1alpha1.Live, "ada", "gate passed"); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Minute)
	for _, step := range []struct {
		model  string
		number int64
		want   error
	}{
		{"churn", 3, nil},
		{"churn", 3, registry.ErrNotFound},
		{"churn", 2, registry.ErrConflict},
		{"churn", 9, registry.ErrNotFound},
		{"other", 1, registry.ErrNotFound},
		{"../churn", 1, registry.ErrInvalid},
	} {
		if err := open().Delete(t.Context(), step.model, step.number, "gc", "too many"); !errors.Is(err, step.want) {
			t.Errorf("delete %s %d: got %v, want %v", step.model, step.number, err, step.want)
		}
	}
	for _, reader := range []registry.Store{s, open()} { // s has seen version 3
		if _, err := reader.Get(t.Context(), "churn", 3); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("get a deleted version: got %v, want not found", err)
		}
		err := reader.SetLifecycle(t.Context(), "churn", 3, v1alpha1.Registered, v1alpha1.Live, "ada", "back")
		if !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("change a deleted version: got %v, want not found", err)
		}
		if got := numbers(t, reader, "churn"); !slices.Equal(got, []int64{1, 2}) {
			t.Errorf("got versions %v, want [1 2]", got)
		}
	}
	checkTombstone(t, open(), before)
}

func checkTombstone(t *testing.T, s registry.Store, before time.Time) {
	t.Helper()
	if _, ok := s.(registry.DeletionLog); !ok {
		return
	}
	ds, err := registry.Deletions(t.Context(), s, "churn")
	if err != nil || len(ds) != 1 {
		t.Fatalf("deletions: got %v, %v, want one", ds, err)
	}
	d := ds[0]
	if d.Model != "churn" || d.Number != 3 || d.By != "gc" || d.Reason != "too many" || d.Time.Before(before) || d.Time.After(time.Now().Add(time.Minute)) {
		t.Errorf("got %+v, want version 3 of churn by gc: too many", d)
	}
	if ds, err := registry.Deletions(t.Context(), s, "other"); err != nil || len(ds) != 0 {
		t.Errorf("deletions of another model: got %v, %v", ds, err)
	}
}

// A version is either live or deleted, never both, and the caller knows which.
func deleteRace(t *testing.T, open func() registry.Store, o Options) {
	for round := range int64(10) {
		n := mustRegister(t, open(), Spec("churn")).Number
		if n != round+1 {
			t.Fatalf("got number %d, want %d", n, round+1)
		}
		var live, deletion error
		var wg sync.WaitGroup
		a, b := open(), open()
		wg.Go(func() {
			live = a.SetLifecycle(t.Context(), "churn", n, v1alpha1.Registered, v1alpha1.Live, "ada", "gate passed")
		})
		wg.Go(func() { deletion = b.Delete(t.Context(), "churn", n, "gc", "too many") })
		wg.Wait()
		v, err := open().Get(t.Context(), "churn", n)
		switch {
		case live == nil && errors.Is(deletion, registry.ErrConflict) && err == nil && v.Lifecycle == v1alpha1.Live:
		case deletion == nil && errors.Is(live, registry.ErrNotFound) && errors.Is(err, registry.ErrNotFound):
		default:
			t.Errorf("version %d: made live: %v; deleted: %v; it is %q, %v", n, live, deletion, v.Lifecycle, err)
		}
	}
}

func models(t *testing.T, open func() registry.Store, _ Options) {
	if got, err := open().Models(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("an empty registry: got %v, %v", got, err)
	}
	for _, model := range []string{"churn", "fraud", "churn-1", "a", "churn"} {
		mustRegister(t, open(), Spec(model))
	}
	check := func(want ...string) {
		t.Helper()
		if got, err := open().Models(t.Context()); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	check("a", "churn", "churn-1", "fraud")
	remove := byStore(open)
	remove(t, "a", 1)
	remove(t, "churn", 1)
	check("churn", "churn-1", "fraud")
}

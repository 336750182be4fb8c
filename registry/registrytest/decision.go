package registrytest

import (
	"slices"
	"sync"
	"testing"

	"github.com/leeway-dev/leeway/registry"
)

func decisionAgain(t *testing.T, open func() registry.Store, _ Options) {
	spec := fullSpec(t)
	first := mustRegister(t, open(), spec)
	if again := mustRegister(t, open(), spec); again.Number != first.Number {
		t.Errorf("the same content for the same decision: got version %d, want %d", again.Number, first.Number)
	}
	other := fullSpec(t)
	other.Metrics["mae"] = "6.5"
	if v := mustRegister(t, open(), other); v.Number != 2 {
		t.Errorf("other content for the same decision: got version %d, want 2", v.Number)
	}
	other = fullSpec(t)
	other.Lineage.Decision = "churn-3c4d"
	if v := mustRegister(t, open(), other); v.Number != 3 {
		t.Errorf("the same content for another decision: got version %d, want 3", v.Number)
	}
	none := fullSpec(t)
	none.Lineage.Decision = ""
	a, b := mustRegister(t, open(), none), mustRegister(t, open(), none)
	if a.Number != 4 || b.Number != 5 {
		t.Errorf("the same content for no decision: got versions %d and %d, want 4 and 5", a.Number, b.Number)
	}
	if again := mustRegister(t, open(), spec); again.Number != first.Number {
		t.Errorf("the same content for the same decision, later: got version %d, want %d", again.Number, first.Number)
	}
}

func decisionRace(t *testing.T, open func() registry.Store, o Options) {
	for _, decision := range []string{"churn-1", "churn-2", "churn-3"} {
		var (
			mu    sync.Mutex
			given []int64
			wg    sync.WaitGroup
		)
		for range o.Registrars {
			s := open()
			wg.Go(func() {
				spec := Spec("churn")
				spec.Lineage.Decision = decision
				v, err := s.Register(t.Context(), spec)
				if err != nil {
					t.Errorf("%s: %v", decision, err)
					return
				}
				mu.Lock()
				given = append(given, v.Number)
				mu.Unlock()
			})
		}
		wg.Wait()
		slices.Sort(given)
		if len(slices.Compact(given)) != 1 {
			t.Errorf("%s: registered as %v, want one version", decision, slices.Compact(given))
		}
	}
	if got := numbers(t, open(), "churn"); len(got) != 3 {
		t.Errorf("3 decisions registered the versions %v", got)
	}
}

func decisionDeleted(t *testing.T, open func() registry.Store, _ Options) {
	checkDecisionDeleted(t, open, byStore(open))
}

func decisionDeletedByHand(t *testing.T, open func() registry.Store, o Options) {
	if o.Delete == nil {
		t.Skip("versions of this store are deleted by the store only")
	}
	checkDecisionDeleted(t, open, o.Delete)
}

func checkDecisionDeleted(t *testing.T, open func() registry.Store, remove remover) {
	spec := fullSpec(t)
	first := mustRegister(t, open(), spec)
	remove(t, "churn", first.Number)
	for range 2 {
		if v := mustRegister(t, open(), spec); v.Number != first.Number+1 {
			t.Errorf("got version %d, want %d", v.Number, first.Number+1)
		}
	}
}

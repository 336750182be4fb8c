package registrytest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

func noHalves(t *testing.T, open func() registry.Store, o Options) {
	var registering, wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		s := open()
		wg.Go(func() {
			for {
				vs, err := s.List(t.Context(), "churn")
				if err != nil {
					t.Errorf("list: %v", err)
					return
				}
				for _, v := range vs {
					if _, err := registry.Unpack(*v.Spec.Profile); err != nil || v.Created.IsZero() || v.Spec.Version != v.Number {
						t.Errorf("half of version %d: %v", v.Number, err)
						return
					}
				}
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
	spec := fullSpec(t)
	spec.Lineage.Decision = ""
	for range 4 {
		s := open()
		registering.Go(func() {
			for range o.Each {
				if _, err := s.Register(t.Context(), spec); err != nil {
					t.Errorf("register: %v", err)
				}
			}
		})
	}
	registering.Wait()
	close(stop)
	wg.Wait()
}

func lifecycle(t *testing.T, open func() registry.Store, _ Options) {
	s := open()
	mustRegister(t, s, Spec("churn"))
	mustRegister(t, s, Spec("churn"))
	before := time.Now().Add(-time.Minute)
	steps := []struct {
		from, to v1alpha1.Lifecycle
		reason   string
		want     error
	}{
		{v1alpha1.Registered, v1alpha1.Live, "gate passed", nil},
		{v1alpha1.Registered, v1alpha1.Live, "again", registry.ErrConflict},
		{v1alpha1.Live, v1alpha1.Live, "to itself", registry.ErrInvalid},
		{v1alpha1.Live, "better", "unknown", registry.ErrInvalid},
		{v1alpha1.Live, v1alpha1.Rejected, "20% errors", nil},
		{v1alpha1.Rejected, v1alpha1.Live, "back", registry.ErrInvalid},
		{v1alpha1.Rejected, v1alpha1.Registered, "it was the network", nil},
	}
	for i, step := range steps {
		err := open().SetLifecycle(t.Context(), "churn", 1, step.from, step.to, "ada", step.reason)
		if !errors.Is(err, step.want) {
			t.Errorf("step %d, %s to %s: got %v, want %v", i, step.from, step.to, err, step.want)
		}
	}
	v, err := open().Get(t.Context(), "churn", 1)
	if err != nil {
		t.Fatal(err)
	}
	if v.Lifecycle != v1alpha1.Registered || v.Reason != "it was the network" {
		t.Errorf("got %s (%s), want registered (it was the network)", v.Lifecycle, v.Reason)
	}
	var got []string
	for _, l := range v.Audit {
		if l.Time.Time.Before(before) {
			t.Errorf("audit line %v has no time", l)
		}
		got = append(got, fmt.Sprintf("%s>%s %s: %s", l.From, l.To, l.By, l.Reason))
	}
	want := []string{"registered>live ada: gate passed", "live>rejected ada: 20% errors", "rejected>registered ada: it was the network"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("audit: got %q, want %q", got, want)
	}
	if other, err := open().Get(t.Context(), "churn", 2); err != nil || other.Lifecycle != v1alpha1.Registered || len(other.Audit) != 0 {
		t.Errorf("version 2 changed with version 1: %v %v %v", other.Lifecycle, other.Audit, err)
	}
}

func lifecycleRace(t *testing.T, open func() registry.Store, o Options) {
	mustRegister(t, open(), Spec("churn"))
	var wins atomic.Int64
	var wg sync.WaitGroup
	for i := range o.Registrars {
		s := open()
		wg.Go(func() {
			err := s.SetLifecycle(t.Context(), "churn", 1, v1alpha1.Registered, v1alpha1.Rejected, fmt.Sprint("judge ", i), "bad")
			switch {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, registry.ErrConflict):
				t.Errorf("judge %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	v, err := open().Get(t.Context(), "churn", 1)
	if err != nil {
		t.Fatal(err)
	}
	if wins.Load() != 1 || len(v.Audit) != 1 {
		t.Errorf("%d callers changed the lifecycle and %d audit lines say so, want 1", wins.Load(), len(v.Audit))
	}
}

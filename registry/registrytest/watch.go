package registrytest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

func watched(t *testing.T, open func() registry.Store, _ Options) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	mustRegister(t, open(), Spec("churn"))
	seen := make(chan string)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for vs, err := range registry.Watch(ctx, open(), "churn", 10*time.Millisecond) {
			if err != nil {
				t.Errorf("watch: %v", err)
				continue
			}
			got := ""
			for _, v := range vs {
				got += fmt.Sprint(v.Number, v.Lifecycle, " ")
			}
			select {
			case seen <- got:
			case <-ctx.Done():
			}
		}
	}()
	wait := func(want string) { // several changes may come as one
		t.Helper()
		for {
			select {
			case got := <-seen:
				if got == want {
					return
				}
			case <-ctx.Done():
				t.Fatalf("%q was not seen", want)
			}
		}
	}
	wait("1registered ")
	mustRegister(t, open(), Spec("other"))
	mustRegister(t, open(), Spec("churn"))
	wait("1registered 2registered ")
	if err := open().SetLifecycle(ctx, "churn", 2, v1alpha1.Registered, v1alpha1.Live, "ada", "gate passed"); err != nil {
		t.Fatal(err)
	}
	wait("1registered 2live ")
	byStore(open)(t, "churn", 1)
	wait("2live ")
	select {
	case got := <-seen:
		t.Errorf("nothing changed, and %q was told", got)
	case <-time.After(100 * time.Millisecond):
	}
	cancel()
	<-ended
}

// What a store remembers is not harmed by what callers do with it.
func callersOwn(t *testing.T, open func() registry.Store, _ Options) {
	s := open()
	want := registry.Numbered(fullSpec(t), 1)
	mustRegister(t, s, fullSpec(t))
	for range 2 {
		vs, err := s.List(t.Context(), "churn")
		if err != nil || len(vs) != 1 {
			t.Fatalf("got %d versions, %v", len(vs), err)
		}
		if vs[0].Spec.Metrics["mae"] != want.Metrics["mae"] || !slices.Equal(vs[0].Spec.Evaluations, want.Evaluations) || vs[0].Spec.Profile == nil || vs[0].Spec.Profile.Digest != want.Profile.Digest {
			t.Fatalf("another caller's changes are in it: %v", vs[0].Spec)
		}
		vs[0].Spec.Metrics["mae"] = "0"
		vs[0].Spec.Evaluations[0].Value = "0"
		vs[0].Spec.Profile.Digest = ""
		vs[0].Spec.Profile = nil
	}
}

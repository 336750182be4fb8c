package kube_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/kube"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// slow holds back the answers to listings, which are of when they were asked for.
type slow struct {
	client.WithWatch
	on    atomic.Bool
	asked chan struct{}
	goOn  chan struct{}
	lists atomic.Int64
}

func (c *slow) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	err := c.WithWatch.List(ctx, list, opts...)
	if !c.on.Load() {
		return err
	}
	c.lists.Add(1)
	c.asked <- struct{}{}
	select {
	case <-c.goOn:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func slowStore(t *testing.T, models int) (*kube.Store, *slow) {
	t.Helper()
	c := &slow{WithWatch: newClient(t), asked: make(chan struct{}, 1000), goOn: make(chan struct{}, 1000)}
	s := kube.New(c, "ml", time.Now)
	for i := range models {
		register(t, s, fmt.Sprintf("m%d", i))
		if _, err := s.List(t.Context(), fmt.Sprintf("m%d", i)); err != nil { // so that it is known
			t.Fatal(err)
		}
	}
	c.on.Store(true)
	return s, c
}

func register(t *testing.T, s *kube.Store, model string) {
	t.Helper()
	if _, err := s.Register(t.Context(), v1alpha1.ModelVersionSpec{Model: model, Artifact: v1alpha1.Artifact{URI: "file:///m"}}); err != nil {
		t.Fatal(err)
	}
}

func TestListingsAtOnceAreShared(t *testing.T) {
	const models = 30
	s, c := slowStore(t, models)
	var all sync.WaitGroup
	for i := range models {
		all.Go(func() {
			model := fmt.Sprintf("m%d", i)
			versions, err := s.List(t.Context(), model)
			if err != nil || len(versions) != 1 || versions[0].Model != model {
				t.Errorf("%s: %v, %v", model, versions, err)
			}
		})
		if i == 0 {
			<-c.asked // the others come while it is under way
		}
	}
	time.Sleep(50 * time.Millisecond) // they wait
	close(c.goOn)
	all.Wait()
	// One after another may come too late for the second.
	if n := c.lists.Load(); n < 2 || n > 4 {
		t.Errorf("%d listings for %d models that were asked for at once", n, models)
	}
}

// Who knows that a version is there must find it, though a listing from before
// is under way.
func TestSharedListingIsOfAfterwards(t *testing.T) {
	s, c := slowStore(t, 1)
	early := make(chan []registry.Version, 1)
	go func() {
		versions, err := s.List(t.Context(), "m0")
		if err != nil {
			t.Error(err)
		}
		early <- versions
	}()
	<-c.asked
	c.on.Store(false)
	register(t, s, "m0")
	c.on.Store(true)
	late := make(chan []registry.Version, 1)
	go func() {
		versions, err := s.List(t.Context(), "m0")
		if err != nil {
			t.Error(err)
		}
		late <- versions
	}()
	time.Sleep(50 * time.Millisecond)
	close(c.goOn)
	if versions := <-early; len(versions) != 1 {
		t.Error("the early listing has", versions)
	}
	if versions := <-late; len(versions) != 2 {
		t.Error("the late listing has", versions)
	}
}

// That who asked first has gone must not fail who came later.
func TestSharedListingOutlivesWhoAskedFirst(t *testing.T) {
	s, c := slowStore(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := s.List(ctx, "m0")
		first <- err
	}()
	<-c.asked
	second := make(chan error, 1)
	go func() {
		_, err := s.List(t.Context(), "m0")
		second <- err
	}()
	time.Sleep(50 * time.Millisecond)
	cancel()
	if err := <-first; err == nil {
		t.Error("the first was not cancelled")
	}
	<-c.asked
	close(c.goOn)
	if err := <-second; err != nil {
		t.Error(err)
	}
}

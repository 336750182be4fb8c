package seen_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/leeway-dev/leeway/registry/seen"
)

func TestCache(t *testing.T) {
	c := seen.New[string](10)
	c.Put("a", "1", "first", 4)
	c.Put("b", "1", "second", 4)
	for name, want := range map[string]string{"a": "first", "b": "second"} {
		if got, ok := c.Get(name, "1"); !ok || got != want {
			t.Errorf("%s: got %q, %v", name, got, ok)
		}
	}
	if _, ok := c.Get("a", "2"); ok {
		t.Error("a document that has changed is remembered")
	}
	c.Put("a", "2", "third", 6)
	if got, ok := c.Get("a", "2"); !ok || got != "third" {
		t.Errorf("got %q, %v", got, ok)
	}
	c.Put("c", "1", "too large", 11)
	if _, ok := c.Get("c", "1"); ok {
		t.Error("a document that is larger than the room is remembered")
	}
}

// A listing that is larger than the room finds a part of it again.
func TestScan(t *testing.T) {
	c := seen.New[int](50)
	found := 0
	for round := range 20 {
		for i := range 100 {
			name := fmt.Sprint(i)
			if got, ok := c.Get(name, ""); ok {
				if got != i {
					t.Fatalf("%d: got %d", i, got)
				}
				if round > 0 {
					found++
				}
			} else {
				c.Put(name, "", i, 1)
			}
		}
	}
	if found < 100 || found > 19*60 {
		t.Errorf("%d of 1900 were found again, in a room for half", found)
	}
}

func TestAtOnce(t *testing.T) {
	c := seen.New[int](20)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 1000 {
				c.Put(fmt.Sprint(i%50), "", i, 1)
				c.Get(fmt.Sprint(i%50), "")
			}
		})
	}
	wg.Wait()
}

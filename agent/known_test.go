package agent

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/registrytest"
)

// countingStore counts what it is asked.
type countingStore struct {
	registry.Store
	asked int
	err   error
}

func (s *countingStore) Get(ctx context.Context, model string, number int64) (registry.Version, error) {
	if s.asked++; s.err != nil {
		return registry.Version{}, s.err
	}
	return s.Store.Get(ctx, model, number)
}

func TestKnownVersions(t *testing.T) {
	at := time.Now()
	s := &countingStore{Store: dir.New(t.TempDir(), time.Now)}
	k := newKnownVersions(func(namespace string) (registry.Store, error) {
		if namespace == "nowhere" {
			return nil, errors.New("cannot be opened")
		}
		return s, nil
	})
	k.now = func() time.Time { return at }
	if _, err := s.Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, namespace, model, version string
		err                             error
		want                            bool
		asked                           int
	}{
		{"registered", "ml", "churn", "1", nil, true, 1},
		{"asked before", "ml", "churn", "1", nil, true, 0},
		{"made up", "ml", "churn", "2", nil, false, 1},
		{"made up, asked before", "ml", "churn", "2", nil, false, 0},
		{"no number", "ml", "churn", "latest", nil, false, 0},
		{"no model's name", "ml", "../churn", "1", nil, false, 1},
		{"nobody answers", "ml", "churn", "3", registry.ErrUnreachable, true, 1},
		{"and somebody does", "ml", "churn", "3", nil, false, 1},
		{"a registry that cannot be opened", "nowhere", "churn", "1", nil, true, 0},
	} {
		s.asked, s.err = 0, c.err
		if got := k.has(t.Context(), c.namespace, c.model, c.version); got != c.want || s.asked != c.asked {
			t.Errorf("%s: %v, asked %d times; want %v, %d", c.name, got, s.asked, c.want, c.asked)
		}
	}
	if _, err := s.Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	at = at.Add(time.Minute)
	if !k.has(t.Context(), "ml", "churn", "2") {
		t.Error("registered a minute after it was asked for")
	}
	for i := range 2 * maxKnown {
		k.has(t.Context(), "ml", "churn", fmt.Sprint("made-up-", i))
	}
	if n := len(k.answers); n > maxKnown {
		t.Errorf("%d answers are remembered", n)
	}
}

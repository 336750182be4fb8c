package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/agent/reference"
	"github.com/leeway-dev/leeway/registry"
)

const (
	// knownFor is how long it is believed that a version is there: it never changes.
	knownFor = time.Hour
	// unknownFor is how long it is believed that there is none.
	unknownFor = 10 * time.Second
	maxKnown   = 10_000
)

// knownVersions says which versions are registered, for those who speak of them
// often. Whoever may send labels could else have the controllers count for
// versions that it makes up, until there is no room for any other.
type knownVersions struct {
	store func(namespace string) (registry.Store, error)
	now   func() time.Time

	mu      sync.Mutex
	answers map[reference.Version]knownAnswer
}

type knownAnswer struct {
	known bool
	until time.Time
}

func newKnownVersions(store func(namespace string) (registry.Store, error)) *knownVersions {
	return &knownVersions{store: store, now: time.Now, answers: map[reference.Version]knownAnswer{}}
}

// has says whether there is such a version, or nobody can tell: labels are not lost
// because a registry is away.
func (k *knownVersions) has(ctx context.Context, namespace, model, version string) bool {
	v := reference.Version{Namespace: namespace, Model: model, Version: version}
	k.mu.Lock()
	a, asked := k.answers[v]
	k.mu.Unlock()
	if asked && k.now().Before(a.until) {
		return a.known
	}
	known, sure := k.ask(ctx, v)
	if !sure {
		return true
	}
	a = knownAnswer{known, k.now().Add(unknownFor)}
	if known {
		a.until = k.now().Add(knownFor)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.answers) >= maxKnown {
		clear(k.answers)
	}
	k.answers[v] = a
	return known
}

func (k *knownVersions) ask(ctx context.Context, v reference.Version) (known, sure bool) {
	number, err := registry.ParseNumber(v.Version)
	if err != nil {
		return false, true
	}
	store, err := k.store(v.Namespace)
	if err != nil {
		return false, false
	}
	_, err = store.Get(ctx, v.Model, number)
	switch {
	case err == nil:
		return true, true
	case errors.Is(err, registry.ErrNotFound), errors.Is(err, registry.ErrInvalid):
		return false, true
	}
	return false, false
}

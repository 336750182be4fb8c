package api

import (
	"sync"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

// What of matchers is kept: with 50 columns a version takes about 30 KB.
const (
	mostMatchers = 8
	matcherIdle  = 10 * time.Minute
)

// matchers keeps the versions of the models that were asked for last ready for
// matching, so that their profiles are not read at every request.
type matchers struct {
	mu   sync.Mutex
	held map[matcherKey]*heldMatcher // at most mostMatchers
}

type matcherKey struct{ namespace, model string }

type heldMatcher struct {
	used time.Time // under matchers.mu

	mu      sync.Mutex // of one match at a time: it is updated first
	matcher registry.Matcher
}

// of is the matcher of a model, at a time. Others: those that were not asked for long, and
// of too many the one that was asked longest ago, are let go.
func (m *matchers) of(key matcherKey, now time.Time) *heldMatcher {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held == nil {
		m.held = map[matcherKey]*heldMatcher{}
	}
	one := m.held[key]
	if one == nil {
		one = &heldMatcher{}
		m.held[key] = one
	}
	one.used = now
	var oldest matcherKey
	first := true
	for k, h := range m.held {
		switch {
		case now.Sub(h.used) > matcherIdle:
			delete(m.held, k)
		case k != key && (first || h.used.Before(m.held[oldest].used)):
			oldest, first = k, false
		}
	}
	if len(m.held) > mostMatchers {
		delete(m.held, oldest)
	}
	return one
}

// match is registry.Match.
func (h *heldMatcher) match(versions []registry.Version, live *profile.Profile, o registry.MatchOptions) (registry.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.matcher.Update(versions); err != nil {
		return registry.Result{}, err
	}
	return h.matcher.Match(live, o)
}

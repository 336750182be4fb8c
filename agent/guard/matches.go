package guard

import (
	"sync"
	"time"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// matches remembers the last answer of the registry to each question of a guard, and the
// versions of its model ready for the next question: of models that no guard
// watches nothing is held. Losing it costs a fetch and nothing else.
type matches struct {
	mu       sync.Mutex
	by       map[question]remembered
	matchers map[guardKey]*registry.Matcher
}

// matchKey changes with what the answer depends on, but for time.
type matchKey struct {
	question question
	fields   string
	versions int
}

// question is of a guard: about all rows since the onset, or the newer half.
type question struct {
	guard guardKey
	newer bool
}

type remembered struct {
	key matchKey
	m   matched
}

func newMatches() *matches {
	return &matches{by: map[question]remembered{}, matchers: map[guardKey]*registry.Matcher{}}
}

// ready returns a guard's matcher with these versions. A guard is visited by one
// goroutine at a time.
func (s *matches) ready(guard guardKey, versions []registry.Version) (*registry.Matcher, error) {
	s.mu.Lock()
	m := s.matchers[guard]
	if m == nil {
		m = &registry.Matcher{}
		s.matchers[guard] = m
	}
	s.mu.Unlock()
	return m, m.Update(versions)
}

// get returns a copy of an answer that is not older than age and was about rows
// since the same time, give or take age.
func (s *matches) get(key matchKey, from, now time.Time, age time.Duration) *matched {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.by[key.question]
	if !ok || r.key != key || now.Sub(r.m.To) >= age || from.Sub(r.m.asked).Abs() > age {
		return nil
	}
	m := r.m
	m.reused = true
	return &m
}

func (s *matches) put(key matchKey, m *matched) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by[key.question] = remembered{key, *m}
}

// forget drops the guards that are no more.
func (s *matches) forget(guards []v1alpha1.ModelGuard) {
	there := make(map[guardKey]bool, len(guards))
	for i := range guards {
		there[keyOf(&guards[i])] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.by {
		if !there[k.guard] {
			delete(s.by, k)
		}
	}
	for k := range s.matchers {
		if !there[k] {
			delete(s.matchers, k)
		}
	}
}

package api

import (
	"fmt"
	"testing"
	"time"
)

// A model's matcher is kept while it is asked for, of the eight asked for last.
func TestMatchersAreBounded(t *testing.T) {
	var m matchers
	now := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	key := func(i int) matcherKey { return matcherKey{"ml", fmt.Sprint("model", i)} }
	first := m.of(key(0), now)
	for i := range 3 * mostMatchers {
		now = now.Add(time.Second)
		m.of(key(i+1), now)
		now = now.Add(time.Second)
		if m.of(key(0), now) != first {
			t.Fatalf("after %d other models that of one in use is another", i+1)
		}
		if len(m.held) > mostMatchers {
			t.Fatalf("%d are held", len(m.held))
		}
	}
	if m.of(matcherKey{"other", "model0"}, now) == first {
		t.Error("two namespaces have one matcher")
	}
	now = now.Add(matcherIdle + time.Second)
	if m.of(key(1), now); len(m.held) != 1 {
		t.Errorf("the others unused for long: %d are held", len(m.held))
	}
}

package guard

import (
	"testing"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// Of models that no guard watches any more nothing is held.
func TestMatchesForget(t *testing.T) {
	s := newMatches()
	var guards []v1alpha1.ModelGuard
	for _, name := range []string{"churn", "eta"} {
		g := v1alpha1.ModelGuard{}
		g.Name, g.Namespace = name, "ml"
		guards = append(guards, g)
		versions := []registry.Version{{Model: name, Number: 1}, {Model: name, Number: 2}}
		m, err := s.ready(keyOf(&g), versions)
		if err != nil {
			t.Fatal(err)
		}
		s.put(matchKey{question: question{guard: keyOf(&g)}}, &matched{})
		if again, err := s.ready(keyOf(&g), versions); again != m || err != nil {
			t.Errorf("%s: another matcher the second time, %v", name, err)
		}
	}
	s.forget(guards[:1])
	if _, there := s.matchers[keyOf(&guards[0])]; !there || len(s.matchers) != 1 || len(s.by) != 1 {
		t.Errorf("%d matchers, %d answers, want those of the guard that is there", len(s.matchers), len(s.by))
	}
}

package incidents

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/leeway-dev/leeway/agent/decide"
)

// Kind of incident.
type Kind string

// The kinds.
const (
	Nothing      Kind = "nothing"
	BadRelease   Kind = "bad release"
	BrokenInput  Kind = "broken input"
	Drift        Kind = "drift"
	ConceptDrift Kind = "concept drift"
	Saturation   Kind = "saturation"
	Serving      Kind = "serving"
	Upstream     Kind = "upstream outage"
	Blind        Kind = "blind"
	Two          Kind = "two at once"
)

// kinds are drawn by these.
func kinds() map[Kind]func(*Scene, *rand.Rand) error {
	return map[Kind]func(*Scene, *rand.Rand) error{
		Nothing: (*Scene).nothing, BadRelease: (*Scene).badRelease, BrokenInput: (*Scene).brokenInput, Drift: (*Scene).drift,
		ConceptDrift: (*Scene).conceptDrift, Saturation: (*Scene).saturation, Serving: (*Scene).serving,
		Upstream: (*Scene).upstream, Blind: (*Scene).blind, Two: (*Scene).two,
	}
}

// Kinds lists them.
func Kinds() []Kind {
	return []Kind{Nothing, BadRelease, BrokenInput, Drift, ConceptDrift, Saturation, Serving, Upstream, Blind, Two}
}

// Truth is what is the matter with a model, and what may be done about it.
type Truth struct {
	// Cause is what is to be said; Or may be said as well, where two things are
	// the matter.
	Cause decide.Cause
	Or    []decide.Cause
	// Act is the only one that is right, NoAction where none is.
	Act    decide.Action
	Target string
}

// Scene is one incident: what happens, and what is true about it.
type Scene struct {
	Kind    Kind
	Seed    uint64
	Variant string // in a few words
	// Second is when it begins, End when it is over; from the beginning of the
	// scene.
	Second, End int

	models []*served
	truths []Truth // by model
}

// Within is how many seconds a diagnosis may take: two windows of the clock that
// leads to acts.
const Within = 120

// New draws a scene: the same kind and seed give the same one.
func New(kind Kind, seed uint64) (*Scene, error) {
	r := rand.New(rand.NewPCG(seed, uint64(slices.Index(Kinds(), kind))))
	s := &Scene{Kind: kind, Seed: seed}
	draw, ok := kinds()[kind]
	if !ok {
		return nil, fmt.Errorf("no incident of kind %q: there are %v", kind, Kinds())
	}
	if err := draw(s, r); err != nil {
		return nil, fmt.Errorf("%s, seed %d: %w", kind, seed, err)
	}
	s.End = s.Second + Within
	for _, m := range s.models {
		slices.SortStableFunc(m.changes, func(a, b change) int { return cmp.Compare(a.second, b.second) })
	}
	return s, nil
}

// usual is a model with a past: version 1 served, then version 2 does. Both are
// trained on what they serve; where the inputs have moved with the release,
// version 1 is at home where they were. It returns the second at which version 2
// has served for long enough to be known.
func (s *Scene) usual(r *rand.Rand, name string, small, moves bool) (*served, int, error) {
	m := newModel(r, name, small)
	first := home(m.columns)
	second := first
	if moves {
		second = moved(r, m.columns, first, 1.5+1.5*r.Float64())
	}
	if err := m.train(r, first); err != nil {
		return nil, 0, err
	}
	if err := m.train(r, second); err != nil {
		return nil, 0, err
	}
	x := newServed(m, r)
	at := 50 + r.IntN(30)
	x.at(at, func(st *state) { st.regime = second })
	x.release(at, 1, 2+r.IntN(5))
	s.models = append(s.models, x)
	s.truths = append(s.truths, Truth{Act: decide.NoAction})
	return x, at + 90 + r.IntN(50), nil
}

// behave changes how a version behaves.
func (s *served) behave(second, version int, do func(*manner)) {
	s.at(second, func(st *state) { do(&st.manners[version]) })
}

// train adds a version to the registry, trained on a regime, and returns it.
func (s *served) train(r *rand.Rand, g regime) (int, error) {
	if err := s.m.train(r, g); err != nil {
		return 0, err
	}
	s.servers = append(s.servers, nil)
	s.state.manners = append(s.state.manners, manner{slow: 1, err: 1})
	return len(s.m.versions) - 1, nil
}

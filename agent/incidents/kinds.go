package incidents

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/leeway-dev/leeway/agent/decide"
)

// say adds to the description of what happens.
func (s *Scene) say(format string, args ...any) {
	if s.Variant != "" {
		s.Variant += ", "
	}
	s.Variant += fmt.Sprintf(format, args...)
}

// one is a scene of one model, in which something is the matter from a second on.
func (s *Scene) one(r *rand.Rand, moves bool, t Truth) (x *served, at int, err error) {
	x, at, err = s.usual(r, "churn", false, moves)
	s.Second, s.truths = at, []Truth{t}
	return x, at, err
}

// nothing is the matter: there is a release, which is good.
func (s *Scene) nothing(r *rand.Rand) error {
	x, at, err := s.one(r, r.IntN(2) == 0, Truth{})
	if err != nil {
		return err
	}
	good, err := x.train(r, x.m.regimes[1])
	if err == nil {
		s.say("a good release")
		x.release(at, good, 2+r.IntN(5))
	}
	return err
}

func (s *Scene) badRelease(r *rand.Rand) error {
	x, at, err := s.one(r, r.IntN(2) == 0, Truth{Cause: decide.BadRelease, Act: decide.Rollback, Target: "2"})
	if err != nil {
		return err
	}
	bad, err := s.releaseBad(r, x, at)
	if err == nil {
		[]func(*rand.Rand, *served, int, int){s.failing, s.slow, s.wrong, s.biased}[r.IntN(4)](r, x, at, bad)
	}
	return err
}

func (s *Scene) releaseBad(r *rand.Rand, x *served, at int) (version int, err error) {
	version, err = x.train(r, x.m.regimes[1])
	if err == nil {
		x.release(at, version, 2+r.IntN(5))
	}
	return version, err
}

func (s *Scene) failing(r *rand.Rand, x *served, at, version int) {
	u := r.Float64()
	fails := 0.03 + 0.6*u*u
	s.say("%.0f%% errors", 100*fails)
	x.behave(at, version, func(m *manner) { m.fails = fails })
}

func (s *Scene) slow(r *rand.Rand, x *served, at, version int) {
	slow := 2.5 + 4*r.Float64()
	s.say("%.1f times as slow", slow)
	x.behave(at, version, func(m *manner) { m.slow = slow })
}

func (s *Scene) wrong(r *rand.Rand, x *served, at, version int) {
	worse := 1.7 + 1.5*r.Float64()
	s.say("%.1f times the error", worse)
	x.behave(at, version, func(m *manner) { m.err = worse })
}

func (s *Scene) biased(r *rand.Rand, x *served, at, version int) {
	bias := x.m.noise
	for _, c := range x.m.columns {
		bias += c.weight * c.weight
	}
	bias *= 1 + r.Float64()
	s.say("predictions moved by %.1f", bias)
	x.behave(at, version, func(m *manner) { m.bias = bias })
}

func (s *Scene) brokenInput(r *rand.Rand) error {
	x, at, err := s.one(r, r.IntN(2) == 0, Truth{Cause: decide.BrokenInput})
	if err != nil {
		return err
	}
	s.breaks(r, x, at)
	if r.IntN(2) == 0 {
		mended := at + 30 + r.IntN(40)
		s.say("for %ds", mended-at)
		x.at(mended, func(st *state) { st.mangle, st.unreadable = nil, 0 })
	}
	return nil
}

// breaks has some columns hold what can't be right, or requests that can't be read.
func (s *Scene) breaks(r *rand.Rand, x *served, at int) {
	share := 0.15 + 0.85*r.Float64()
	if r.IntN(6) == 0 {
		s.say("%.0f%% unparsable", 100*share)
		x.at(at, func(st *state) { st.unreadable = share })
		return
	}
	broken := r.Perm(len(x.m.columns))[:1+r.IntN(max(len(x.m.columns)/2, 1))]
	gone := r.IntN(2) == 0
	var names []string
	for _, i := range broken {
		names = append(names, x.m.columns[i].name)
	}
	kind := "in another unit or unseen"
	if gone {
		kind = "missing"
	}
	s.say("%.0f%% of %s %s", 100*share, strings.Join(names, " and "), kind)
	x.at(at, func(st *state) { st.mangle = breaking(x.m.columns, broken, share, gone) })
}

// breaking loses values, or tells them in another unit or by a name that the
// model does not know.
func breaking(columns []column, broken []int, share float64, gone bool) mangle {
	return func(r *rand.Rand, cells []cell, adds []float64) {
		for _, i := range broken {
			switch {
			case r.Float64() >= share:
				continue
			case gone:
				cells[i].missing = true
				adds[i] = 0
			case cells[i].name != "":
				cells[i].name = "K0"
				adds[i] = 0
			default:
				far := 100 * columns[i].scale
				cells[i].number = columns[i].middle + far*(1+r.Float64())
				adds[i] = 100 * columns[i].weight
			}
		}
	}
}

func (s *Scene) drift(r *rand.Rand) error {
	back := r.IntN(2) == 0
	t := Truth{Cause: decide.InputDrift, Act: decide.Train}
	if back {
		t.Act, t.Target = decide.Rollback, "1"
	}
	x, at, err := s.one(r, back, t)
	if err != nil {
		return err
	}
	g := moved(r, x.m.columns, x.m.regimes[1], 1+2*r.Float64())
	if back {
		g = x.m.regimes[0]
		s.say("back to where version 1 is at home")
	} else {
		s.say("to where no version is at home")
	}
	s.drifts(r, x, at, g)
	return nil
}

// drifts has the inputs move, at once or by and by, and the error with them.
func (s *Scene) drifts(r *rand.Rand, x *served, at int, g regime) {
	over := 1
	if r.IntN(3) == 0 {
		over = 10 + r.IntN(25)
		s.say("over %ds", over)
	}
	worse := 1 + r.Float64()
	x.at(at, func(st *state) { st.coming, st.comes, st.over = &g, at, over })
	x.at(at+over, func(st *state) { st.regime, st.coming = g, nil; st.err *= worse })
}

func (s *Scene) conceptDrift(r *rand.Rand) error {
	x, at, err := s.one(r, r.IntN(2) == 0, Truth{Cause: decide.ConceptDrift, Act: decide.Train})
	if err == nil {
		s.concept(r, x, at)
	}
	return err
}

func (s *Scene) concept(r *rand.Rand, x *served, at int) {
	worse := 1.5 + 1.5*r.Float64()
	s.say("%.1f times the error", worse)
	x.at(at, func(st *state) { st.err *= worse })
}

func (s *Scene) saturation(r *rand.Rand) error {
	x, at, err := s.one(r, r.IntN(2) == 0, Truth{Cause: decide.Saturation})
	if err == nil {
		s.saturates(r, x, at)
	}
	return err
}

// saturates has more asked than can be done: requests wait, and some in vain.
func (s *Scene) saturates(r *rand.Rand, x *served, at int) {
	load := 1.8 + 2.2*r.Float64()
	x.m.occupied = (0.75 + 0.2*r.Float64()) / load
	fails := 0.0
	if r.IntN(2) == 0 {
		fails = 0.02 + 0.1*r.Float64()
	}
	s.say("%.1f times the load, %.0f%% errors", load, 100*fails)
	x.at(at, func(st *state) { st.load, st.fails = load, st.fails+fails })
}

func (s *Scene) serving(r *rand.Rand) error {
	x, at, err := s.one(r, r.IntN(2) == 0, Truth{Cause: decide.Serving})
	if err != nil {
		return err
	}
	if r.IntN(2) == 0 {
		fails := 0.03 + 0.3*r.Float64()
		s.say("%.0f%% errors", 100*fails)
		x.at(at, func(st *state) { st.fails = fails })
		return nil
	}
	slow := 2.5 + 4*r.Float64()
	s.say("%.1f times as slow", slow)
	x.at(at, func(st *state) { st.slow = slow })
	return nil
}

// upstream has a column break that several models are given.
func (s *Scene) upstream(r *rand.Rand) error {
	models := 3 + r.IntN(3)
	how := r.IntN(3)
	s.say("%d models: %s", models, []string{"missing", "in another unit", "moved"}[how])
	for i := range models {
		_, at, err := s.usual(r, fmt.Sprintf("m%d", i), true, false)
		if err != nil {
			return err
		}
		s.truths[i] = Truth{Cause: decide.Correlated}
		s.Second = max(s.Second, at)
	}
	size, share := 1.5+2*r.Float64(), 0.3+0.7*r.Float64()
	for _, x := range s.models {
		at := s.Second + r.IntN(7)
		if how == 2 {
			g := moved(r, x.m.columns, x.m.regimes[1], size)
			x.at(at, func(st *state) { st.regime = g })
			continue
		}
		broken := []int{r.IntN(len(x.m.columns))}
		x.at(at, func(st *state) { st.mangle = breaking(x.m.columns, broken, share, how == 0) })
	}
	return nil
}

func (s *Scene) blind(r *rand.Rand) error {
	x, at, err := s.one(r, r.IntN(2) == 0, Truth{Cause: decide.Blind})
	if err != nil {
		return err
	}
	if r.IntN(2) == 0 {
		s.say("nothing can be scraped")
		x.at(at, func(st *state) { st.silent = true })
		return nil
	}
	s.say("no requests")
	x.at(at, func(st *state) { st.load = 0 })
	return nil
}

// two things are the matter at once. Where both are seen, the one that stands
// higher in the table is to be said.
func (s *Scene) two(r *rand.Rand) error {
	pick := r.IntN(7)
	if pick == 6 {
		return s.twoModels(r)
	}
	x, at, err := s.one(r, false, Truth{})
	if err != nil {
		return err
	}
	away := moved(r, x.m.columns, x.m.regimes[1], 1.5+1.5*r.Float64())
	t := &s.truths[0]
	switch pick {
	case 0, 1:
		bad, err := s.releaseBad(r, x, at)
		if err != nil {
			return err
		}
		*t = Truth{Cause: decide.BadRelease, Act: decide.Rollback, Target: "2"}
		s.say("bad release")
		s.failing(r, x, at, bad)
		if pick == 0 {
			s.say("and drift")
			s.drifts(r, x, at, away)
			return nil
		}
		t.Or = []decide.Cause{decide.BrokenInput}
		s.breaks(r, x, at)
	case 2:
		*t = Truth{Cause: decide.BrokenInput}
		s.say("drift")
		s.breaks(r, x, at)
		s.drifts(r, x, at, away)
	case 3:
		*t = Truth{Cause: decide.Saturation}
		s.say("drift")
		s.saturates(r, x, at)
		s.drifts(r, x, at, away)
	case 4:
		*t = Truth{Cause: decide.BrokenInput, Or: []decide.Cause{decide.Saturation}}
		s.breaks(r, x, at)
		s.saturates(r, x, at)
	case 5:
		*t = Truth{Cause: decide.InputDrift, Act: decide.Train}
		s.say("drift")
		s.concept(r, x, at)
		s.drifts(r, x, at, away)
	}
	return nil
}

// twoModels drift at once: too few for what comes from upstream.
func (s *Scene) twoModels(r *rand.Rand) error {
	s.say("two models drift")
	for i := range 2 {
		_, at, err := s.usual(r, fmt.Sprintf("m%d", i), true, true)
		if err != nil {
			return err
		}
		s.truths[i] = Truth{Cause: decide.InputDrift, Act: decide.Rollback, Target: "1"}
		s.Second = max(s.Second, at)
	}
	for _, x := range s.models {
		s.drifts(r, x, s.Second+r.IntN(10), x.m.regimes[0])
	}
	return nil
}

package explain

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// distances moves one version at a time, farther if it was chosen and nearer if it
// was not, with all else as it was: first the one in service.
func distances(w *again) []string {
	if w.Match == nil || w.was.Cause != decide.InputDrift || w.spec.Match.Rule != string(registry.RuleDistance) {
		return nil
	}
	var lines []string
	versions := slices.Clone(w.spec.Match.Candidates)
	slices.SortStableFunc(versions, func(a, b v1alpha1.CandidateEvidence) int { return -cmp.Compare(rankOf(a), rankOf(b)) })
	for _, c := range versions[:min(len(versions), maxTold)] {
		lines = append(lines, w.distance(c))
	}
	return lines
}

func rankOf(c v1alpha1.CandidateEvidence) int {
	if c.Live {
		return 1
	}
	return 0
}

// distance says from where on one version's would have changed the decision.
func (w *again) distance(c v1alpha1.CandidateEvidence) string {
	name, at := version(c.Version), float(c.Distance)
	if c.Live {
		name += ", in service,"
	}
	set := func(k *decide.Case, x float64) { k.Match = w.moved(c.Version, x) }
	if w.otherwise(w.with(func(k *decide.Case) { set(k, at) })) {
		return fmt.Sprintf("%s: what the record has of its distance does not say whether it fits.", sentence(name))
	}
	if x, d, ok := w.turn(at, 0, set); ok {
		from := figure(x) + " or below"
		if figure(x) == "0" {
			from = "0 alone"
		}
		return fmt.Sprintf("%s was at distance %s; at %s: %s.", sentence(name), short(c.Distance), from, inShort(d))
	}
	if x, d, ok := w.turn(at, 1, set); ok {
		return fmt.Sprintf("%s was at distance %s; above %s: %s.", sentence(name), short(c.Distance), figure(x), inShort(d))
	}
	return fmt.Sprintf("%s was at distance %s; at no distance would it have been otherwise%s.", sentence(name), short(c.Distance), beyond(c))
}

// beyond names the column for which a version does not fit, however near it is.
func beyond(c v1alpha1.CandidateEvidence) string {
	for _, one := range c.Worst {
		if t := float(one.Tolerance); t > 0 && float(one.Distance) > t {
			return fmt.Sprintf(": %s alone is at %s, of %s at most", one.Name, short(one.Distance), short(one.Tolerance))
		}
	}
	return ""
}

// moved is the match with one version at another distance, ranked again.
func (w *again) moved(moved string, x float64) *decide.Match {
	m := *w.Match
	m.Candidates, m.Live = nil, nil
	var live float64
	for _, c := range w.spec.Match.Candidates {
		if c.Live {
			live = float(c.Distance)
			if c.Version == moved {
				live = x
			}
		}
	}
	for _, r := range w.spec.Match.Candidates {
		c := registry.Candidate{Distance: float(r.Distance), Tolerance: float(r.Tolerance), Margin: float(r.Margin), Basis: registry.Basis(r.ToleranceFrom)}
		if r.Version == moved {
			c.Distance = x
		}
		for _, one := range r.Worst {
			c.Columns = append(c.Columns, registry.Column{Distance: float(one.Distance), Tolerance: float(one.Tolerance)})
		}
		d := decide.Candidate{
			Version: r.Version, Distance: c.Distance, Tolerance: c.Tolerance, Calibrated: c.Calibrated(),
			Fits: c.Within(), Better: !r.Live && live > 0 && c.Nearer(live),
		}
		if r.Live {
			m.Live = &d
			continue
		}
		m.Candidates = append(m.Candidates, d)
	}
	slices.SortStableFunc(m.Candidates, func(a, b decide.Candidate) int { return cmp.Compare(a.Distance, b.Distance) })
	return &m
}

// newerHalf moves what the newer half of the rows is nearer to.
func newerHalf(w *again) []string {
	if w.was.Reason != decide.ReasonInputsMoving || w.Match == nil {
		return nil
	}
	var lines []string
	for i, n := range w.Match.Newer {
		x, d, ok := w.turn(n.Distance, 1, func(c *decide.Case, x float64) {
			m := *c.Match
			m.Newer = slices.Clone(m.Newer)
			m.Newer[i].Distance = x
			c.Match = &m
		})
		if ok {
			lines = append(lines, fmt.Sprintf("The newer half of the rows was at %s of version %s; from %s on: %s.", figure(n.Distance), n.Version, figure(x), inShort(d)))
		}
	}
	return lines
}

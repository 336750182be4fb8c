package registry

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/leeway-dev/leeway/registry/profile"
)

// learn makes the atlas of the matcher's versions, if any was evaluated.
func (m *Matcher) learn(versions []Version) error {
	m.learned, m.common = nil, nil
	any := false
	for i := range m.versions { // the newest says what the features are
		v := &m.versions[i]
		if any = any || len(v.Spec.Evaluations) > 0; v.reference != nil && m.common == nil {
			m.common = v.features
		}
	}
	if !any {
		return nil
	}
	old := m.distances
	m.distances = map[[2]string]float64{}
	sorted := slices.SortedFunc(slices.Values(versions), func(a, b Version) int { return cmp.Compare(a.Number, b.Number) })
	l := &learner{m: m, versions: sorted, old: old}
	var err error
	m.learned, err = evaluated(sorted, l)
	return err
}

// at is a version by its number, nil for none.
func (m *Matcher) at(number int64) *prepared {
	i, found := slices.BinarySearchFunc(m.versions, number, func(p prepared, n int64) int { return cmp.Compare(n, p.Number) })
	if !found {
		return nil
	}
	return &m.versions[i]
}

// learner compares training data with training data, and remembers it in the
// matcher.
type learner struct {
	m        *Matcher
	versions []Version // oldest first
	old      map[[2]string]float64
}

func (l *learner) usable(number int64) bool {
	p := l.m.at(number)
	return p != nil && p.reference != nil && slices.Equal(p.features, l.m.common)
}

func (l *learner) apart(from []int64, of int64) ([]float64, error) {
	keys, out := make([][2]string, len(from)), make([]float64, len(from))
	remembered := true
	for i, n := range from {
		keys[i] = [2]string{l.m.at(n).digest, l.m.at(of).digest}
		d, ok := l.old[keys[i]]
		out[i], remembered = d, remembered && ok
	}
	if !remembered {
		i, _ := slices.BinarySearchFunc(l.versions, of, func(v Version, n int64) int { return cmp.Compare(v.Number, n) })
		p, _, err := l.versions[i].Profile()
		if err != nil {
			return nil, err
		}
		data, err := l.m.refs.Data(p)
		if err != nil {
			return nil, err
		}
		if out, err = distances(data, l.m, from); err != nil {
			return nil, err
		}
	}
	for i, d := range out {
		l.m.distances[keys[i]] = d
	}
	return out, nil
}

// distances of data from the training data of versions.
func distances(data *profile.Data, m *Matcher, from []int64) ([]float64, error) {
	var references []*profile.Reference
	for _, n := range from {
		references = append(references, m.at(n).reference)
	}
	out := make([]float64, len(from))
	for i, c := range data.Compare(references, 0) {
		if c.Err != nil {
			return nil, fmt.Errorf("version %d: %w", from[i], c.Err)
		}
		out[i] = c.Mean.Distance
	}
	return out, nil
}

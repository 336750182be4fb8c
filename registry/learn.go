package registry

import (
	"cmp"
	"slices"

	"github.com/leeway-dev/leeway/registry/profile"
)

// learn makes the atlas of the matcher's versions, if any was evaluated.
func (m *Matcher) learn(versions []Version) error {
	m.learned, m.schema = nil, nil
	any := false
	for i := range m.versions { // the newest says what the features are
		v := &m.versions[i]
		if any = any || len(v.Spec.Evaluations) > 0; v.reference != nil && m.schema == nil {
			m.schema = v.features
		}
	}
	if !any {
		return nil
	}
	old := m.distances
	m.distances = map[[2]string]float64{}
	sorted := slices.SortedFunc(slices.Values(versions), func(a, b Version) int { return cmp.Compare(a.Number, b.Number) })
	l := &learner{m: m, versions: sorted, old: old, data: map[int64]*profile.Data{}}
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
	data     map[int64]*profile.Data
}

func (l *learner) usable(number int64) bool {
	p := l.m.at(number)
	return p != nil && p.reference != nil && slices.Equal(p.features, l.m.schema)
}

func (l *learner) apart(from, of int64) (float64, error) {
	reference, other := l.m.at(from), l.m.at(of)
	key := [2]string{reference.digest, other.digest}
	d, ok := l.old[key]
	if !ok {
		data, err := l.dataOf(of)
		if err != nil {
			return 0, err
		}
		c, err := data.Compare(reference.reference, 0)
		if err != nil {
			return 0, err
		}
		d = c.Mean.Distance
	}
	l.m.distances[key] = d
	return d, nil
}

func (l *learner) dataOf(number int64) (*profile.Data, error) {
	if d := l.data[number]; d != nil {
		return d, nil
	}
	i, _ := slices.BinarySearchFunc(l.versions, number, func(v Version, n int64) int { return cmp.Compare(v.Number, n) })
	p, _, err := l.versions[i].Profile()
	if err != nil {
		return nil, err
	}
	l.data[number], err = l.m.refs.Data(p)
	return l.data[number], err
}

package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/profile/summary"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Matcher holds the versions of one model ready for matching: their profiles are
// read once, and of them only what a comparison needs is kept (with 50 columns
// about 27 KB a version). It knows nothing of other models, so a process holds
// those that it asks about, however many a registry has.
//
// It may be used by many goroutines, but not while it is updated.
type Matcher struct {
	model    string
	refs     *profile.References
	versions []prepared // newest first
	schemas  [][]field  // that versions have: few, and kept once

	learned *evaluations // nil: nothing
	common  []field      // features of the data sets of learned
	// distances between training data, by the digests of the profiles
	distances map[[2]string]float64
}

// prepared is a version without its profile, and what came of that.
type prepared struct {
	Version
	name      string // the number, as results have it
	digest    string
	features  []field
	outputs   []field
	reference *profile.Reference
	// broken says why there is no reference.
	broken string
}

// NewMatcher makes one of the versions of a model, in any order. The error wraps
// ErrInvalid where they are of several models.
func NewMatcher(versions []Version) (*Matcher, error) {
	m := &Matcher{}
	return m, m.Update(versions)
}

// Update makes the matcher that of these versions. Profiles that it has read
// already are not read again: a version never changes but for its lifecycle.
func (m *Matcher) Update(versions []Version) error {
	known := make(map[int64]prepared, len(m.versions))
	for _, p := range m.versions {
		known[p.Number] = p
	}
	if len(known) > 2*len(versions) || m.refs == nil {
		// What the columns of versions that are gone had is let go, too.
		clear(known)
		m.refs, m.schemas = &profile.References{}, nil
	}
	list := make([]prepared, 0, len(versions))
	for _, v := range versions {
		if v.Model != versions[0].Model {
			return fmt.Errorf("%w: versions of %s and of %s in one match", ErrInvalid, versions[0].Model, v.Model)
		}
		p, ok := known[v.Number]
		if !ok || p.digest != digestOf(v) || p.Model != v.Model {
			p = m.prepare(v)
		}
		p.Version, p.name = v, strconv.FormatInt(v.Number, 10)
		p.Spec.Profile = nil
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b prepared) int { return cmp.Compare(b.Number, a.Number) })
	m.versions, m.model = list, ""
	if len(list) > 0 {
		m.model = list[0].Model
	}
	return m.learn(versions)
}

func digestOf(v Version) string {
	if v.Spec.Profile == nil {
		return ""
	}
	return v.Spec.Profile.Digest
}

func (m *Matcher) prepare(v Version) prepared {
	out := prepared{digest: digestOf(v)}
	p, _, err := v.Profile()
	if err == nil {
		out.features, out.outputs = m.addSchema(p.Features), m.addSchema(outputs(p))
		out.reference, err = m.refs.Add(p)
	}
	if err != nil {
		out.broken = err.Error()
	}
	return out
}

// schema is that of columns: the one that is known, so that comparing it with
// itself costs next to nothing.
func (m *Matcher) schema(columns []profile.Column) (list []field, known bool) {
	list = fields(columns)
	for _, s := range m.schemas {
		if slices.Equal(s, list) {
			return s, true
		}
	}
	return list, false
}

func (m *Matcher) addSchema(columns []profile.Column) []field {
	list, known := m.schema(columns)
	if !known {
		m.schemas = append(m.schemas, list)
	}
	return list
}

// outputs are the predictions that a version gives itself: not the column that
// is made of them, which older profiles lack.
func outputs(p *profile.Profile) []profile.Column {
	return slices.DeleteFunc(slices.Clone(p.Predictions), func(c profile.Column) bool { return c.Name == summary.Highest })
}

// live is the index of the version in service, −1 where there is none.
func (m *Matcher) live(number int64) (int, error) {
	i := slices.IndexFunc(m.versions, func(p prepared) bool {
		return number == p.Number || number == 0 && p.Lifecycle == v1alpha1.Live
	})
	if i < 0 && number != 0 {
		if len(m.versions) == 0 {
			return i, fmt.Errorf("the version in service, %d: %w: the model has no versions", number, ErrNotFound)
		}
		return i, fmt.Errorf("the version in service, %d of %s: %w", number, m.model, ErrNotFound)
	}
	return i, nil
}

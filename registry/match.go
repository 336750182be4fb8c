package registry

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/profile/summary"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// What a match is judged by. On real data (docs/registry.md) nothing was better
// than the plain mean of √JS, and a relative margin of 0.3 to 0.4 was what made
// switches safe where inputs tell at all.
const (
	// AutoTolerance is the tolerance where nothing says how far blocks of the
	// training rows lie from each other.
	AutoTolerance = 0.2
	// ColumnFactor times the tolerance is that of a single column.
	ColumnFactor = 2.5
	// BetterFactor times live's distance is the most that a better version's
	// may be.
	BetterFactor = 0.7
)

// ErrNoRows says that a live profile has nothing to match on.
var ErrNoRows = errors.New("no rows")

// MatchOptions say what to judge by.
type MatchOptions struct {
	// Live is the number of the version in service; 0 takes the one whose
	// lifecycle is live, if there is one.
	Live int64
	// Tolerance within which a version fits, above 0 and at most 1; 0 is
	// "auto".
	Tolerance float64
}

// ParseTolerance reads "auto" (as 0) or a number above 0 and at most 1.
func ParseTolerance(s string) (float64, error) {
	if s == "auto" || s == "" {
		return 0, nil
	}
	t, err := strconv.ParseFloat(s, 64)
	if err != nil || !(t > 0 && t <= 1) {
		return 0, fmt.Errorf("%w: tolerance %q is neither auto nor a number above 0 and at most 1", ErrInvalid, s)
	}
	return t, nil
}

// Match ranks the versions of one model by how near the features of their
// training data are to those of the live profile. It is a function of its
// arguments alone; the order of versions does not matter.
//
// It fails with ErrNotFound when the version in service is not among them and
// with ErrNoRows when the live profile is empty. A version that can't be
// compared is excluded with the reason.
func Match(versions []Version, live *profile.Profile, o MatchOptions) (Result, error) {
	if err := checkLive(live); err != nil {
		return Result{}, err
	}
	if o.Tolerance < 0 || o.Tolerance > 1 || math.IsNaN(o.Tolerance) {
		return Result{}, fmt.Errorf("%w: tolerance %g is not from 0 to 1", ErrInvalid, o.Tolerance)
	}
	m := matcher{data: live, tolerance: o.Tolerance}
	r := Result{Rows: live.Rows, Candidates: []Candidate{}, Excluded: []Excluded{}}
	if o.Tolerance == 0 {
		m.tolerance, r.Auto = AutoTolerance, true
	}
	if len(versions) == 0 {
		if o.Live != 0 {
			return Result{}, fmt.Errorf("the version in service, %d: %w: the model has no versions", o.Live, ErrNotFound)
		}
		return r, nil
	}
	r.Model = versions[0].Model
	if err := m.setLive(versions, o.Live); err != nil {
		return Result{}, err
	}
	if m.live != nil {
		r.Live = version(m.live.Number)
	}
	for _, v := range newestFirst(versions) {
		if v.Model != r.Model {
			return Result{}, fmt.Errorf("%w: versions of %s and of %s in one match", ErrInvalid, r.Model, v.Model)
		}
		c, why := m.candidate(v)
		if why != nil {
			r.Excluded = append(r.Excluded, *why)
			continue
		}
		r.Candidates = append(r.Candidates, c)
	}
	// Stable: of equal distances the newest stays first.
	slices.SortStableFunc(r.Candidates, func(a, b Candidate) int { return cmp.Compare(a.Distance, b.Distance) })
	r.judge()
	return r, nil
}

func checkLive(live *profile.Profile) error {
	if live == nil || live.Rows == 0 || len(live.Features) == 0 {
		return fmt.Errorf("the live profile has %w", ErrNoRows)
	}
	for _, c := range live.Features {
		if c.Rows == 0 {
			return fmt.Errorf("column %q of the live profile has %w", c.Name, ErrNoRows)
		}
	}
	return nil
}

// judge says which candidates are better than live, and which is best. Without
// a version in service the nearest that fits is best; with one whose own
// distance is not known nothing can be said to be better.
func (r *Result) judge() {
	live := slices.IndexFunc(r.Candidates, func(c Candidate) bool { return c.Version == r.Live })
	for i := range r.Candidates {
		c := &r.Candidates[i]
		if i == live {
			continue
		}
		if live >= 0 {
			is := r.Candidates[live].Distance
			c.Better = c.Distance <= BetterFactor*is && c.Distance < is
		}
		if r.Best == "" && c.Fits && (c.Better || r.Live == "") {
			r.Best = c.Version
		}
	}
}

// matcher holds what every candidate is compared with.
type matcher struct {
	data      *profile.Profile
	tolerance float64
	live      *Version
	// outputs of the version in service, nil when they are not known.
	outputs []profile.Column
}

func (m *matcher) setLive(versions []Version, number int64) error {
	for i := range versions {
		v := &versions[i]
		if number == v.Number || number == 0 && v.Lifecycle == v1alpha1.Live && (m.live == nil || v.Number > m.live.Number) {
			m.live = v
		}
	}
	if m.live == nil {
		if number != 0 {
			return fmt.Errorf("the version in service, %d of %s: %w", number, versions[0].Model, ErrNotFound)
		}
		return nil
	}
	if p, _, err := m.live.Profile(); err == nil {
		m.outputs = outputs(p)
	}
	return nil
}

// candidate compares one version, or says why it can't be one. The version in
// service is compared whatever became of it: it is there to be compared with.
func (m *matcher) candidate(v Version) (Candidate, *Excluded) {
	isLive := m.live != nil && v.Number == m.live.Number
	out := func(why Exclusion, detail string) (Candidate, *Excluded) {
		return Candidate{}, &Excluded{Version: version(v.Number), Reason: why, Detail: detail}
	}
	switch {
	case isLive:
	case v.Lifecycle == v1alpha1.Rejected:
		return out(ExcludedRejected, v.Reason)
	case v.Lifecycle == v1alpha1.Retired:
		return out(ExcludedRetired, v.Reason)
	}
	p, _, err := v.Profile()
	if err != nil {
		return out(ExcludedNoProfile, err.Error())
	}
	if detail := schemaDiffers("feature", p.Features, m.data.Features); detail != "" {
		return out(ExcludedSchema, detail)
	}
	if !isLive && m.outputs != nil {
		if detail := schemaDiffers("prediction", outputs(p), m.outputs); detail != "" {
			return out(ExcludedSchema, detail)
		}
	}
	if !isLive && m.live != nil && v.Spec.Compat != m.live.Spec.Compat {
		return out(ExcludedCompat, fmt.Sprintf("%q, live's is %q", v.Spec.Compat, m.live.Spec.Compat))
	}
	d, err := profile.Compare(p, m.data)
	switch {
	case errors.Is(err, profile.ErrSchema):
		return out(ExcludedSchema, err.Error())
	case err != nil:
		return out(ExcludedNoProfile, err.Error())
	}
	return m.rank(v, d), nil
}

func (m *matcher) rank(v Version, d profile.Distance) Candidate {
	c := Candidate{Version: version(v.Number), Distance: d.Mean, Tolerance: m.tolerance, Fits: d.Mean <= m.tolerance, Columns: []Column{}}
	for _, column := range d.Columns {
		one := Column{Name: column.Name, Distance: column.Distance, Tolerance: ColumnFactor * m.tolerance}
		c.Fits = c.Fits && one.Distance <= one.Tolerance
		c.Columns = append(c.Columns, one)
	}
	slices.SortFunc(c.Columns, func(a, b Column) int {
		return cmp.Or(cmp.Compare(b.Distance, a.Distance), cmp.Compare(a.Name, b.Name))
	})
	return c
}

// outputs are the predictions that a version gives itself: not the column that
// is made of them, which older profiles lack.
func outputs(p *profile.Profile) []profile.Column {
	return slices.DeleteFunc(slices.Clone(p.Predictions), func(c profile.Column) bool { return c.Name == summary.Highest })
}

// schemaDiffers says how a version's columns differ from those wanted. Their
// order counts: rows without names are read by position.
func schemaDiffers(kind string, got, want []profile.Column) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("it has no %s %q", kind, want[i].Name)
		case i >= len(want):
			return fmt.Sprintf("its %s %q is not in the data", kind, got[i].Name)
		case got[i].Name != want[i].Name:
			return fmt.Sprintf("%s %d is %q, not %q", kind, i+1, got[i].Name, want[i].Name)
		case got[i].Type != want[i].Type:
			return fmt.Sprintf("%s %q is a %s, not a %s", kind, got[i].Name, got[i].Type, want[i].Type)
		}
	}
	return ""
}

func newestFirst(versions []Version) []Version {
	return slices.SortedFunc(slices.Values(versions), func(a, b Version) int { return cmp.Compare(b.Number, a.Number) })
}

func version(n int64) string { return strconv.FormatInt(n, 10) }

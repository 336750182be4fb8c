package registry

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// What a match is judged by. On real data (docs/registry.md) nothing was better
// than the plain mean of √JS, and a relative margin of 0.3 to 0.4 was what made
// switches safe where inputs tell at all.
const (
	// AutoTolerance is the tolerance where nothing says how far blocks of the
	// training rows lie from each other.
	AutoTolerance = 0.2
	// ColumnFactor times a tolerance that is a constant is that of a column.
	ColumnFactor = 2.5
	// BetterFactor times live's distance is the most that a better version's
	// may be.
	BetterFactor = 0.7
	// ShortBetterFactor is the same for windows shorter than the cycles in the
	// data: those that lie, typically, further than ShortDistance from the rest
	// of their own training rows.
	ShortBetterFactor = 0.6
	ShortDistance     = 0.1
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
	// Findings exclude versions by their number, for what a match can't see of
	// them: ExcludedArtifact, ExcludedDigest, ExcludedForbidden. May be nil.
	Findings map[int64]Finding
	// Labelled rows of the live window, measured; nil for none.
	Labelled *Labelled
}

// Finding is why a version can't be gone back to.
type Finding struct {
	Reason Exclusion
	Detail string
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
// arguments alone; the order of versions does not matter. Who asks again and
// again keeps a Matcher.
//
// It fails with ErrNotFound when the version in service is not among them and
// with ErrNoRows when the live profile is empty. A version that can't be
// compared is excluded with the reason.
func Match(versions []Version, live *profile.Profile, o MatchOptions) (Result, error) {
	m, err := NewMatcher(versions)
	if err != nil {
		return Result{}, err
	}
	return m.Match(live, o)
}

// Match is the function Match for the matcher's versions.
func (m *Matcher) Match(live *profile.Profile, o MatchOptions) (Result, error) {
	if err := checkLive(live); err != nil {
		return Result{}, err
	}
	if o.Tolerance < 0 || o.Tolerance > 1 || math.IsNaN(o.Tolerance) {
		return Result{}, fmt.Errorf("%w: tolerance %g is not from 0 to 1", ErrInvalid, o.Tolerance)
	}
	at, err := m.live(o.Live)
	if err != nil {
		return Result{}, err
	}
	data, err := m.refs.Data(live)
	if err != nil {
		return Result{}, fmt.Errorf("the live profile: %w", err)
	}
	features, _ := m.schema(live.Features)
	q := question{data: data, features: features, options: o, length: live.Length()}
	r := Result{Model: m.model, Rows: live.Rows, Length: q.length, Candidates: []Candidate{}, Excluded: []Excluded{}}
	if at >= 0 {
		q.live = &m.versions[at]
		r.Live = q.live.name
	}
	q.rank(m.versions, &r)
	r.judge()
	q.tell(&r)
	return r, m.foresee(&q, &r)
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
			c.Better = c.Nearer(r.Candidates[live].Distance)
		}
		if r.Best == "" && c.Fits && (c.Better || r.Live == "") {
			r.Best = c.Version
		}
	}
}

// question is what every version is asked.
type question struct {
	data     *profile.Data
	features []field
	options  MatchOptions
	length   time.Duration
	live     *prepared   // nil: there is none
	ranked   []*prepared // the candidates
}

// excluded says why a version is no candidate, if it is none. The version in
// service is compared whatever became of it: it is there to be compared with.
func (q *question) excluded(v *prepared) (Exclusion, string) {
	if v != q.live {
		switch v.Lifecycle {
		case v1alpha1.Rejected:
			return ExcludedRejected, v.Reason
		case v1alpha1.Retired:
			return ExcludedRetired, v.Reason
		}
		if f, found := q.options.Findings[v.Number]; found {
			return f.Reason, f.Detail
		}
	}
	if v.broken != "" {
		return ExcludedNoProfile, v.broken
	}
	if !equal(v.features, q.features) {
		return ExcludedSchema, schemaDiffers("feature", "the data", v.features, q.features)
	}
	if v == q.live || q.live == nil {
		return "", ""
	}
	if q.live.broken == "" && !equal(v.outputs, q.live.outputs) {
		return ExcludedSchema, schemaDiffers("prediction", "the version in service", v.outputs, q.live.outputs)
	}
	if v.Spec.Compat != q.live.Spec.Compat {
		return ExcludedCompat, fmt.Sprintf("%q, live's is %q", v.Spec.Compat, q.live.Spec.Compat)
	}
	return "", ""
}

package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

// wholeProfile is the least share of the counted rows that the live profile
// must hold to be matched.
const wholeProfile = 0.9

// matched is the registry's answer on the live rows since a time.
type matched struct {
	// reused says that it is an answer of an earlier round.
	reused bool
	// asked is since when rows were wanted; what was got begins with a slice.
	asked    time.Time
	from, to time.Time
	pods     int
	live     *profile.Profile
	result   registry.Result
}

// match asks the registry as often as the rows can have changed: a guard that is
// held for drift is judged each round, and fetching every pod's profile each
// time would be most of what the loop does. Before an act it is asked afresh.
func (v *visit) match(ctx context.Context, from time.Time) (*matched, decide.Reason, string, error) {
	key := matchKey{keyOf(v.guard), v.fields.Hash(), len(v.versions)}
	age := min(max(v.policy.MatchWindow/10, time.Second), 30*time.Second)
	if m := v.matches.get(key, from, v.now, age); m != nil && !v.afresh {
		return m, "", "", nil
	}
	m, reason, detail, err := v.matchNow(ctx, from)
	if m != nil {
		v.matches.put(key, m)
	}
	return m, reason, detail, err
}

// matchNow asks which versions are at home in the rows since from. Without the
// rows it says why it is blind instead.
func (v *visit) matchNow(ctx context.Context, from time.Time) (*matched, decide.Reason, string, error) {
	asked := from
	from = profile.Boundary(from, v.now) // rows from before would be of another kind
	if !from.Before(v.now) {
		return &matched{asked: asked, from: v.now, to: v.now, live: &profile.Profile{}}, "", "", nil
	}
	got, err := v.LiveProfile(ctx, v.pods, from, v.now)
	if err != nil {
		return nil, "", "", err
	}
	missing := strings.Join(got.Missing[:min(3, len(got.Missing))], "; ")
	if got.Profile == nil {
		return nil, decide.ReasonPartialProfile, "no pod's profile could be read: " + missing, nil
	}
	m := &matched{asked: asked, from: from, to: v.now, pods: got.Pods, live: got.Profile}
	if p := got.Profile; p.From != nil && p.To != nil {
		m.from, m.to = *p.From, *p.To
	}
	counted, err := v.countedRows(ctx, m.from)
	if err != nil {
		return nil, "", "", err
	}
	if rows := float64(m.live.Rows); rows < wholeProfile*counted {
		return nil, decide.ReasonPartialProfile, strings.TrimSuffix(fmt.Sprintf("%.0f of %.0f counted rows, from %d pods; %s", rows, counted, m.pods, missing), "; "), nil
	}
	if err := v.rank(m); err != nil {
		return nil, "", "", err
	}
	return m, "", "", nil
}

// rank asks the registry about the rows at hand. Versions whose artifact was
// found to be unusable a short while ago are left out; what is not remembered is
// not looked at, for that reads whole artifacts: the one that is chosen is.
func (v *visit) rank(m *matched) error {
	tolerance, err := registry.ParseTolerance(v.guard.Spec.Match.Tolerance)
	if err != nil {
		return fmt.Errorf("spec.match.tolerance: %w", err)
	}
	active, err := strconv.ParseInt(v.fields.Version, 10, 64)
	if err != nil || v.version(v.fields.Version) == nil {
		active = 0
	}
	ready, err := v.matches.ready(keyOf(v.guard), v.versions)
	if err != nil {
		return fmt.Errorf("match: %w", err)
	}
	m.result, err = ready.Match(m.live, registry.MatchOptions{Live: active, Tolerance: tolerance, Findings: v.checks.findings(v.Now(), v.versions)})
	if errors.Is(err, registry.ErrNoRows) {
		m.result, err = registry.Result{}, nil
	}
	if err != nil {
		return fmt.Errorf("match: %w", err)
	}
	return nil
}

// lost are the versions that are left out for their artifacts.
func (m *matched) lost() []registry.Excluded {
	return slices.DeleteFunc(slices.Clone(m.result.Excluded), func(x registry.Excluded) bool {
		switch x.Reason {
		case registry.ExcludedArtifact, registry.ExcludedDigest, registry.ExcludedForbidden:
			return false
		}
		return true
	})
}

// countedRows is what the counters say of the same time. A row counts once in
// every feature, so the largest is the rows.
func (v *visit) countedRows(ctx context.Context, from time.Time) (float64, error) {
	n, _, err := v.number(ctx, "max(sum by (feature) (increase(leeway_feature_observations_total{%s}[%s])))",
		v.series(v.fields.Version), promDuration(v.now.Sub(from)))
	return n, err
}

// judged is the answer in the terms of package decide.
func (m *matched) judged() *decide.Match {
	if m == nil {
		return nil
	}
	out := &decide.Match{Rows: m.result.Rows, ProposeOnly: m.result.ProposeOnly, Trust: m.result.Trust}
	for _, c := range m.result.Ranked() {
		d := decide.Candidate{
			Version: c.Version, Distance: c.Distance, Tolerance: c.Tolerance,
			Calibrated: c.Calibrated(), Fits: c.Fits, Better: c.Better,
		}
		if c.PredictedError != nil {
			d.Predicted = *c.PredictedError
		}
		if c.Version == m.result.Live {
			out.Live = &d
			continue
		}
		out.Candidates = append(out.Candidates, d)
	}
	return out
}

// recorded is the answer as a decision keeps it.
func (v *visit) recorded(m *matched, chosen string) *v1alpha1.MatchEvidence {
	if m == nil {
		return nil
	}
	out := &v1alpha1.MatchEvidence{
		From: metav1.NewMicroTime(m.from), To: metav1.NewMicroTime(m.to),
		Rows: m.live.Rows, Pods: int32(m.pods),
	}
	for _, x := range m.result.Excluded {
		out.Excluded = append(out.Excluded, v1alpha1.ExcludedVersion{Version: x.Version, Reason: string(x.Reason)})
	}
	forecast(out, m.result)
	for _, c := range m.result.Ranked() {
		e := v1alpha1.CandidateEvidence{
			Version: c.Version, Distance: decimal(c.Distance), Tolerance: decimal(c.Tolerance),
			Fits: c.Fits, Better: c.Better, Live: c.Version == m.result.Live, ToleranceFrom: string(c.Basis),
			Margin: decimal(c.Margin),
		}
		if c.PredictedError != nil {
			e.PredictedError = decimal(*c.PredictedError)
		}
		if c.Interval != nil {
			e.Low, e.High = decimal(c.Interval.Low), decimal(c.Interval.High)
		}
		for _, col := range c.Columns[:min(10, len(c.Columns))] {
			e.Worst = append(e.Worst, v1alpha1.ColumnDistance{Name: col.Name, Distance: decimal(col.Distance), Tolerance: decimal(col.Tolerance)})
		}
		out.Candidates = append(out.Candidates, e)
		if c.Version == chosen {
			out.Shares = v.shares(m, c)
		}
	}
	return out
}

// forecast records what ranked, and how far that is to be trusted.
func forecast(out *v1alpha1.MatchEvidence, r registry.Result) {
	out.Rule, out.Trust, out.ProposeOnly = string(r.Rule), r.Trust, r.ProposeOnly
	if f := r.Forecast; f != nil {
		out.Forecast = &v1alpha1.ForecastEvidence{
			Metric: f.Metric, Gate: string(f.Gate), Datasets: int32(f.Datasets), R2: decimal(f.R2), T: decimal(f.T),
		}
	}
}

// shares lays today's rows beside the chosen version's own, on its bins, for
// the columns that differ most.
func (v *visit) shares(m *matched, c registry.Candidate) []v1alpha1.ColumnShares {
	r := v.version(c.Version)
	if r == nil {
		return nil
	}
	p, _, err := r.Profile()
	if err != nil {
		return nil
	}
	var out []v1alpha1.ColumnShares
	for _, col := range c.Columns[:min(10, len(c.Columns))] {
		named := func(x profile.Column) bool { return x.Name == col.Name }
		i, j := slices.IndexFunc(p.Features, named), slices.IndexFunc(m.live.Features, named)
		if i < 0 || j < 0 {
			continue
		}
		chosen, today, err := profile.Shares(p.Features[i], m.live.Features[j])
		if err != nil {
			continue
		}
		s := v1alpha1.ColumnShares{Name: col.Name, Today: ratios(today), Chosen: ratios(chosen)}
		for _, b := range p.Features[i].Bins {
			s.Bins = append(s.Bins, b.Name)
		}
		out = append(out, s)
	}
	return out
}

func ratios(xs []float64) []string {
	out := make([]string, len(xs))
	for i, x := range xs {
		out[i] = strconv.FormatFloat(x, 'g', 6, 64)
	}
	return out
}

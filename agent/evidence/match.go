package evidence

import (
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

// Match is the registry's answer on live rows.
type Match struct {
	From, To time.Time
	Pods     int
	Live     *profile.Profile
	Result   registry.Result
	// Newer is the answer on the newer half of the rows, where it was asked for.
	Newer *Match
}

// Judged is the answer in the terms of package decide.
func (m *Match) Judged() *decide.Match {
	if m == nil {
		return nil
	}
	out := &decide.Match{Rows: m.Result.Rows, ProposeOnly: m.Result.ProposeOnly, Trust: m.Result.Trust}
	if m.Newer != nil {
		newer := m.Newer.Judged()
		out.Newer = newer.Candidates
		if newer.Live != nil {
			out.Newer = append(out.Newer, *newer.Live)
		}
	}
	for _, c := range m.Result.Ranked() {
		d := decide.Candidate{
			Version: c.Version, Distance: c.Distance, Tolerance: c.Tolerance,
			Calibrated: c.Calibrated(), Fits: c.Fits, Better: c.Better,
		}
		if c.PredictedError != nil {
			d.Predicted = *c.PredictedError
		}
		if c.Version == m.Result.Live {
			out.Live = &d
			continue
		}
		out.Candidates = append(out.Candidates, d)
	}
	return out
}

// Recorded is the answer as a decision keeps it; chosen may be nil.
func (m *Match) Recorded(chosen *registry.Version) *v1alpha1.MatchEvidence {
	if m == nil {
		return nil
	}
	out := &v1alpha1.MatchEvidence{
		From: metav1.NewMicroTime(m.From), To: metav1.NewMicroTime(m.To),
		Rows: m.Live.Rows, Pods: int32(m.Pods),
	}
	for _, x := range m.Result.Excluded {
		out.Excluded = append(out.Excluded, v1alpha1.ExcludedVersion{Version: x.Version, Reason: string(x.Reason)})
	}
	forecast(out, m.Result)
	for _, c := range m.Result.Ranked() {
		e := v1alpha1.CandidateEvidence{
			Version: c.Version, Distance: decimal(c.Distance), Tolerance: decimal(c.Tolerance),
			Fits: c.Fits, Better: c.Better, Live: c.Version == m.Result.Live, ToleranceFrom: string(c.Basis),
			Margin: decimal(c.Margin),
		}
		if c.PredictedError != nil {
			e.PredictedError = decimal(*c.PredictedError)
		}
		if c.Interval != nil {
			e.Low, e.High = decimal(c.Interval.Low), decimal(c.Interval.High)
		}
		e.Newer = m.newer(c.Version)
		for _, col := range c.Columns[:min(10, len(c.Columns))] {
			e.Worst = append(e.Worst, v1alpha1.ColumnDistance{Name: col.Name, Distance: decimal(col.Distance), Tolerance: decimal(col.Tolerance)})
		}
		out.Candidates = append(out.Candidates, e)
		if chosen != nil && c.Version == strconv.FormatInt(chosen.Number, 10) {
			out.Shares = m.shares(c, chosen)
		}
	}
	return out
}

// newer is the distance of a version to the newer half of the rows.
func (m *Match) newer(version string) string {
	if m.Newer == nil {
		return ""
	}
	for _, c := range m.Newer.Result.Candidates {
		if c.Version == version {
			return decimal(c.Distance)
		}
	}
	return ""
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
func (m *Match) shares(c registry.Candidate, chosen *registry.Version) []v1alpha1.ColumnShares {
	p, _, err := chosen.Profile()
	if err != nil {
		return nil
	}
	var out []v1alpha1.ColumnShares
	for _, col := range c.Columns[:min(10, len(c.Columns))] {
		named := func(x profile.Column) bool { return x.Name == col.Name }
		i, j := slices.IndexFunc(p.Features, named), slices.IndexFunc(m.Live.Features, named)
		if i < 0 || j < 0 {
			continue
		}
		chosen, today, err := profile.Shares(p.Features[i], m.Live.Features[j])
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

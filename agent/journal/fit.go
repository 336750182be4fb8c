package journal

import (
	"encoding/json"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// MaxBytes bounds a decision's spec and status as JSON. The evidence gets three quarters, so that
// the journal has room to the end.
const (
	MaxBytes    = 32 << 10
	maxEvidence = MaxBytes * 3 / 4
	maxMessage  = 400
	maxSteps    = 40

	maxCandidates = 20
	maxMetric     = 128
)

// Fit cuts a decision to its bound, in a fixed order, the least telling first:
// the same decision is always cut the same way. What led to the choice goes
// last. The spec is cut only before it is created, as it is immutable then.
func Fit(d *v1alpha1.ModelDecision) {
	if d.ResourceVersion == "" {
		fitSpec(&d.Spec)
	}
	d.Status.Message = cut(d.Status.Message, 2*maxMessage)
	for i := range d.Status.Steps {
		d.Status.Steps[i].Message = cut(d.Status.Steps[i].Message, maxMessage)
	}
	if n := len(d.Status.Steps); n > maxSteps {
		// The beginning says why, the end says where it stands.
		d.Status.Steps = append(d.Status.Steps[:maxSteps/2:maxSteps/2], d.Status.Steps[n-maxSteps/2:]...)
	}
	for i := 0; size(record(d)) > MaxBytes && i < len(d.Status.Steps); i++ {
		d.Status.Steps[i].Message = cut(d.Status.Steps[i].Message, 60)
	}
}

func fitSpec(s *v1alpha1.ModelDecisionSpec) {
	s.Alerts = first(s.Alerts, 64)
	s.Columns = first(s.Columns, 32)
	if g := s.Grounds; g != nil {
		g.Alerts, g.Versions, g.Past, g.History = first(g.Alerts, 64), first(g.Versions, 48), first(g.Past, 32), first(g.History, 20)
	}
	for i := range s.Alerts {
		s.Alerts[i].Summary = cut(s.Alerts[i].Summary, maxMessage)
	}
	s.Asked = first(s.Asked, maxCandidates)
	if s.Evaluation != nil {
		s.Evaluation.Message = cut(s.Evaluation.Message, maxMessage)
	}
	if s.Match != nil {
		for len(s.Match.Candidates) > maxCandidates && lessCandidates(s) {
		}
		s.Match.Trust = cut(s.Match.Trust, maxMessage)
		if f := s.Match.Forecast; f != nil {
			f.Metric = cut(f.Metric, maxMetric)
		}
		s.Match.Excluded = first(s.Match.Excluded, 50)
		s.Match.Shares = first(s.Match.Shares, 10)
	}
	for _, less := range []func(*v1alpha1.ModelDecisionSpec) bool{
		lessSummaries, lessShares, lessWorst, lessExcluded, lessGrounds, lessCandidates, lessAlerts, lessColumns,
	} {
		for size(s) > maxEvidence && less(s) {
		}
	}
}

// Each of these takes one thing away, and says false when there is no more.

func lessSummaries(s *v1alpha1.ModelDecisionSpec) bool {
	for i := len(s.Alerts) - 1; i >= 8; i-- {
		if s.Alerts[i].Summary != "" {
			s.Alerts[i].Summary = ""
			return true
		}
	}
	return false
}

func lessWorst(s *v1alpha1.ModelDecisionSpec) bool {
	if s.Match == nil {
		return false
	}
	for i := len(s.Match.Candidates) - 1; i >= 0; i-- {
		if n := len(s.Match.Candidates[i].Worst); n > 3 {
			s.Match.Candidates[i].Worst = s.Match.Candidates[i].Worst[:n-1]
			return true
		}
	}
	return false
}

func lessShares(s *v1alpha1.ModelDecisionSpec) bool {
	if s.Match == nil || len(s.Match.Shares) == 0 {
		return false
	}
	s.Match.Shares = s.Match.Shares[:len(s.Match.Shares)-1]
	return true
}

func lessExcluded(s *v1alpha1.ModelDecisionSpec) bool {
	if s.Match == nil || len(s.Match.Excluded) == 0 {
		return false
	}
	s.Match.Excluded = s.Match.Excluded[:len(s.Match.Excluded)-1]
	return true
}

// lessGrounds takes what a judgement is least likely to rest on, and in the end all:
// with a part of what is left nobody would know what to make of it.
func lessGrounds(s *v1alpha1.ModelDecisionSpec) bool {
	g := s.Grounds
	switch {
	case g == nil:
		return false
	case len(g.Versions) > 24:
		g.Versions = g.Versions[:len(g.Versions)-1]
	case len(g.Alerts) > 0:
		g.Alerts = g.Alerts[:len(g.Alerts)-1]
	case len(g.History) > 3:
		g.History = g.History[:len(g.History)-1]
	default:
		s.Grounds = nil
	}
	return true
}

func lessCandidates(s *v1alpha1.ModelDecisionSpec) bool {
	if s.Match == nil {
		return false
	}
	for i := len(s.Match.Candidates) - 1; i >= 2; i-- {
		if c := s.Match.Candidates[i]; !c.Live && c.Version != s.To {
			s.Match.Candidates = append(s.Match.Candidates[:i], s.Match.Candidates[i+1:]...)
			return true
		}
	}
	return false
}

func lessAlerts(s *v1alpha1.ModelDecisionSpec) bool {
	if len(s.Alerts) <= 1 {
		return false
	}
	s.Alerts = s.Alerts[:len(s.Alerts)-1]
	return true
}

func lessColumns(s *v1alpha1.ModelDecisionSpec) bool {
	if len(s.Columns) <= 1 {
		return false
	}
	s.Columns = s.Columns[:len(s.Columns)-1]
	return true
}

// record is what of a decision is Leeway's to bound: the API server keeps book
// of field managers in the rest.
func record(d *v1alpha1.ModelDecision) any {
	return struct {
		Spec   v1alpha1.ModelDecisionSpec   `json:"spec"`
		Status v1alpha1.ModelDecisionStatus `json:"status"`
	}{d.Spec, d.Status}
}

func first[T any](s []T, n int) []T { return s[:min(len(s), n)] }

func size(v any) int {
	b, err := json.Marshal(v)
	if err != nil {
		return 0
	}
	return len(b)
}

// cut shortens to n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

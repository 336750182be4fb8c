package evidence

import (
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// A record keeps no more than these.
const (
	maxOtherAlerts = 64
	maxVersions    = 48
	maxPast        = 32
)

// recordedGrounds is what a judgement rests on beside alerts and match.
func recordedGrounds(c decide.Case, led []decide.Alert) *v1alpha1.Grounds {
	e, p := c.Evidence, c.Policy
	g := &v1alpha1.Grounds{
		SettledAt: microTime(e.SettledAt), RolloutSince: microTime(e.RolloutSince), RolloutRequests: decimal(e.RolloutRequests),
		RetrainOpen: e.RetrainOpen, FleetGuards: int32(e.FleetGuards), FleetActing: int32(e.FleetActing),
		Policy: v1alpha1.PolicyEvidence{
			MatchWindow: duration(p.MatchWindow), MinSamples: p.MinSamples, ToleranceAuto: p.ToleranceAuto, GoodAfter: duration(p.GoodAfter),
			Cooldown: duration(p.Cooldown), ChangesPerDay: int32(p.ChangesPerDay), RetrainsPerWeek: int32(p.RetrainsPerWeek),
			ReturnAfter: duration(p.ReturnAfter), CanRetrain: p.CanRetrain, CanEvaluate: p.CanEvaluate,
		},
	}
	if e.Human {
		g.Human = &v1alpha1.HumanEvidence{Manager: e.HumanManager, At: metav1.NewMicroTime(e.HumanAt)}
	}
	if e.Load != (decide.Load{}) {
		g.Load = recordedLoad(&e.Load)
	}
	for _, a := range e.Alerts {
		of := a.Namespace == e.Namespace && a.Model == e.Model && a.Version == e.Active
		if of && !slices.Contains(led, a) && len(g.Alerts) < maxOtherAlerts {
			a.Summary = ""
			g.Alerts = append(g.Alerts, recordedAlert(a))
		}
	}
	for _, s := range e.History[:min(len(e.History), historyLimit)] {
		g.History = append(g.History, recordedStay(s))
	}
	g.Versions = recordedVersions(c)
	for _, d := range e.Past[:min(len(e.Past), maxPast)] {
		g.Past = append(g.Past, v1alpha1.PastDecision{
			At: metav1.NewMicroTime(d.At), Action: string(d.Action), From: d.From, To: d.To, Cause: string(d.Cause),
		})
	}
	return g
}

// recordedVersions keeps those that were in service or ranked, and of others as
// many as there is room for.
func recordedVersions(c decide.Case) []v1alpha1.KnownVersion {
	wanted := map[string]bool{c.Evidence.Active: true}
	for _, s := range c.Evidence.History {
		wanted[s.Version] = true
	}
	if c.Match != nil {
		for _, m := range c.Match.Candidates {
			wanted[m.Version] = true
		}
	}
	if c.Evidence.Evaluation != nil {
		for _, m := range c.Evidence.Evaluation.Versions {
			wanted[m.Version] = true
		}
	}
	versions := slices.Clone(c.Evidence.Versions)
	slices.SortStableFunc(versions, func(a, b decide.Known) int {
		switch {
		case wanted[a.Version] == wanted[b.Version]:
			return 0
		case wanted[a.Version]:
			return -1
		}
		return 1
	})
	var active decide.Known
	for _, k := range versions {
		if k.Version == c.Evidence.Active {
			active = k
		}
	}
	var out []v1alpha1.KnownVersion
	for _, k := range versions[:min(len(versions), maxVersions)] {
		out = append(out, v1alpha1.KnownVersion{
			Version: k.Version, Rejected: k.Rejected, Retired: k.Retired, Gated: k.Gated,
			Differs: k.Compat != active.Compat || k.Schema != active.Schema,
		})
	}
	return out
}

// CaseOf is what a record says that its judgement rested on; false where it says
// nothing of it.
func CaseOf(d *v1alpha1.ModelDecision) (decide.Case, bool) {
	s, g := &d.Spec, d.Spec.Grounds
	if g == nil {
		return decide.Case{}, false
	}
	e := decide.Evidence{
		Namespace: d.Namespace, Model: s.Model, Active: s.From,
		SettledAt: Time(g.SettledAt), RollingOut: g.SettledAt == nil, RolloutSince: Time(g.RolloutSince), RolloutRequests: parse(g.RolloutRequests),
		Load: load(g.Load), RetrainOpen: g.RetrainOpen, FleetGuards: int(g.FleetGuards), FleetActing: int(g.FleetActing),
		Evaluation: evaluationOf(s.Evaluation),
	}
	if g.Human != nil {
		e.Human, e.HumanManager, e.HumanAt = true, g.Human.Manager, g.Human.At.Time
	}
	for _, a := range slices.Concat(s.Alerts, g.Alerts) {
		e.Alerts = append(e.Alerts, alertOf(a, e))
	}
	for _, o := range s.Onsets {
		e.Onsets = append(e.Onsets, decide.Onset{Namespace: d.Namespace, Model: o.Model, Subject: o.Subject, At: o.At.Time})
	}
	for _, stay := range g.History {
		e.History = append(e.History, Served(stay))
	}
	for _, k := range g.Versions {
		known := decide.Known{Version: k.Version, Rejected: k.Rejected, Retired: k.Retired, Gated: k.Gated}
		if k.Differs {
			known.Compat = "differs"
		}
		e.Versions = append(e.Versions, known)
	}
	for _, p := range g.Past {
		e.Past = append(e.Past, decide.Past{
			At: p.At.Time, Action: decide.Action(p.Action), From: p.From, To: p.To, Cause: decide.Cause(p.Cause),
		})
	}
	c := decide.Case{Evidence: e, Match: matchOf(s.Match), Policy: policyOf(g.Policy), Now: s.DecidedAt.Time}
	if s.Action == string(decide.Redeploy) {
		c.Retrained = &decide.Retrained{Version: s.To, Cause: decide.Cause(s.Cause)}
	}
	return c, true
}

func alertOf(a v1alpha1.AlertEvidence, e decide.Evidence) decide.Alert {
	out := decide.Alert{
		Name: a.Name, Cause: decide.AlertCause(a.Cause), Clock: decide.Clock(a.Clock), Window: math.MaxInt64,
		Firing: a.State == "firing", ActiveAt: a.ActiveAt.Time, Namespace: e.Namespace, Model: e.Model, Version: e.Active,
		Subject: a.Subject, Value: parse(a.Value), Threshold: parse(a.Threshold), Summary: a.Summary, Estimated: a.Estimated,
	}
	if w, err := model.ParseDuration(a.Window); err == nil {
		out.Window = time.Duration(w)
	}
	return out
}

func load(l *v1alpha1.LoadEvidence) decide.Load {
	if l == nil {
		return decide.Load{}
	}
	return decide.Load{
		Requests: zero(parse(l.Requests)), RequestsBefore: zero(parse(l.RequestsBefore)),
		P99: zero(parse(l.P99Seconds)), P99Before: zero(parse(l.P99Before)),
	}
}

// matchOf is the registry's answer as it was judged.
func matchOf(m *v1alpha1.MatchEvidence) *decide.Match {
	if m == nil {
		return nil
	}
	out := &decide.Match{Rows: m.Rows, ProposeOnly: m.ProposeOnly, Trust: m.Trust}
	for _, r := range m.Candidates {
		c := decide.Candidate{
			Version: r.Version, Distance: parse(r.Distance), Tolerance: parse(r.Tolerance), Fits: r.Fits, Better: r.Better,
			Calibrated: registry.Candidate{Basis: registry.Basis(r.ToleranceFrom)}.Calibrated(), Predicted: zero(parse(r.PredictedError)),
		}
		if newer := parse(r.Newer); !math.IsNaN(newer) {
			out.Newer = append(out.Newer, decide.Candidate{Version: r.Version, Distance: newer})
		}
		if r.Live {
			out.Live = &c
			continue
		}
		out.Candidates = append(out.Candidates, c)
	}
	return out
}

func policyOf(p v1alpha1.PolicyEvidence) decide.Policy {
	return decide.Policy{
		MatchWindow: p.MatchWindow.Duration, MinSamples: p.MinSamples, ToleranceAuto: p.ToleranceAuto, GoodAfter: p.GoodAfter.Duration,
		Cooldown: p.Cooldown.Duration, ChangesPerDay: int(p.ChangesPerDay), RetrainsPerWeek: int(p.RetrainsPerWeek),
		ReturnAfter: p.ReturnAfter.Duration, CanRetrain: p.CanRetrain, CanEvaluate: p.CanEvaluate,
	}
}

// recordedStay is a stay as Served reads it.
func recordedStay(s decide.Served) v1alpha1.ServedVersion {
	out := v1alpha1.ServedVersion{
		Version: s.Version, SettledAt: microTime(s.SettledAt), ReplacedAt: microTime(s.ReplacedAt), LeftFor: string(s.LeftFor),
		WantedSince: microTime(s.WantedSince),
	}
	for c, t := range s.LastAlert {
		put(&out.LastAlert, string(c), metav1.NewMicroTime(t))
	}
	for c, t := range s.SeenSince {
		put(&out.SeenSince, string(c), metav1.NewMicroTime(t))
	}
	for c, d := range s.LongestQuiet {
		put(&out.LongestQuiet, string(c), duration(d))
	}
	return out
}

func duration(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }

func microTime(t time.Time) *metav1.MicroTime {
	if t.IsZero() {
		return nil
	}
	m := metav1.NewMicroTime(t)
	return &m
}

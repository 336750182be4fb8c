package backtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

// Guarded is a model with its guard.
type Guarded struct {
	Guard v1alpha1.ModelGuard
	// Versions in the registry. One that was registered later than what is
	// replayed is not known yet, unless AllVersions.
	Versions    []registry.Version
	AllVersions bool
	// Rows of this model; nil: those of the Config.
	Rows Rows
}

// Rows gives profiles of the live rows of the past.
type Rows interface {
	// Live is the profile of the rows that a version answered; nil: there are none.
	Live(ctx context.Context, version string, from, to time.Time) (*profile.Profile, error)
}

// answer is a match, and what was asked when.
type answer struct {
	match    *evidence.Match
	from, at time.Time
}

// uid stands for the workload's: history knows none.
const uid = "history"

// judged is a guard through time. Its status is kept as the leader keeps it.
type judged struct {
	Guarded
	rows    Rows
	reader  evidence.Reader // but for Now
	schemas *evidence.Schemas
	matcher registry.Matcher
	policy  decide.Policy
	told    func(*v1alpha1.ModelGuard, decide.Decision, time.Time)

	present   []string // versions that were there at the last look
	decisions []v1alpha1.ModelDecision
	changes   []Release
	last      map[bool]answer // of the registry: about all rows, and about the newer half
}

// Release is one stay of a version in service.
type Release struct {
	Namespace string    `json:"namespace,omitempty"`
	Model     string    `json:"model"`
	Version   string    `json:"version"`
	Began     time.Time `json:"began"`
	// Settled is absent where it never was alone in service.
	Settled  *time.Time `json:"settled,omitempty"`
	Replaced *time.Time `json:"replaced,omitempty"`
}

// visit is one look of the leader at one guard: it follows what is served,
// gathers, judges, and records what would be decided.
func (j *judged) visit(ctx context.Context, at time.Time, alerts []decide.Alert, onsets []decide.Onset, guards int) error {
	if err := j.observe(ctx, at); err != nil {
		return err
	}
	status := &j.Guard.Status
	if len(status.History) == 0 {
		return nil // nothing was served yet
	}
	e := j.gather(at, alerts)
	e.Onsets, e.FleetGuards = onsets, guards
	if err := j.see(ctx, &e, at); err != nil {
		return err
	}
	evidence.Note(&status.History[0], &e, j.policy, at)
	m, decided, err := evidence.Judge(&e, j.policy, at, func(from time.Time, newer bool) (*evidence.Match, decide.Reason, string, error) {
		m, err := j.match(ctx, from, at, newer)
		return m, "", "", err
	})
	if err != nil {
		return err
	}
	c := j.unknown(decided(e), m)
	if j.told != nil {
		j.told(&j.Guard, c, at)
	}
	return j.record(ctx, c, m, e, at)
}

// observe follows which version is served, by whose metrics there are.
func (j *judged) observe(ctx context.Context, at time.Time) error {
	r := j.reader
	vector, err := r.Source.Query(ctx, fmt.Sprintf("count by (model_version) (count_over_time(leeway_model_info{%s}[%s]))",
		r.Everything(), evidence.Duration(r.Stale)), at)
	if err != nil {
		return err
	}
	var present []string
	for _, s := range vector {
		present = append(present, s.Metric.Get("model_version"))
	}
	slices.SortFunc(present, byNumber)
	status := &j.Guard.Status
	began := slices.DeleteFunc(slices.Clone(present), func(v string) bool { return slices.Contains(j.present, v) || v == status.ActiveVersion })
	if len(present) > 0 {
		j.present = present
	}
	back := len(present) == 1 && present[0] != status.ActiveVersion // a rollout that was taken back
	switch {
	case len(began) > 0:
		j.change(began[len(began)-1], at)
	case back:
		j.change(present[0], at)
	}
	if len(present) == 1 && len(status.History) > 0 && status.SettledAt == nil {
		evidence.Settle(status, at)
		j.changes[len(j.changes)-1].Settled = &at
	}
	return nil
}

func byNumber(a, b string) int {
	x, _ := strconv.ParseInt(a, 10, 64)
	y, _ := strconv.ParseInt(b, 10, 64)
	return int(x - y)
}

// change begins a stay. If it is of the version that the latest record would
// have gone to, that was carried out.
func (j *judged) change(version string, at time.Time) {
	leftFor := ""
	for i := range j.decisions {
		d := &j.decisions[i]
		if d.Spec.From != j.Guard.Status.ActiveVersion || !decide.Action(d.Spec.Action).Acts() {
			continue
		}
		if d.Spec.To == version {
			leftFor = d.Spec.Cause
			journal.Step(d, journal.Applied, at, "version "+version+" was deployed")
		}
		break
	}
	evidence.Change(&j.Guard.Status, version, leftFor, at)
	if n := len(j.changes); n > 0 {
		j.changes[n-1].Replaced = &at
	}
	j.changes = append(j.changes, Release{Namespace: j.Guard.Namespace, Model: j.Guard.Spec.Model, Version: version, Began: at})
}

// gather puts together what is known without asking for numbers.
func (j *judged) gather(at time.Time, alerts []decide.Alert) decide.Evidence {
	g := &j.Guard
	e := decide.Evidence{
		Namespace: g.Namespace, Model: g.Spec.Model, Active: g.Status.ActiveVersion,
		SettledAt: evidence.Time(g.Status.SettledAt), RollingOut: g.Status.SettledAt == nil,
		RolloutSince: evidence.Time(g.Status.History[0].BeganAt),
		Past:         evidence.Past(j.decisions, uid),
		Alerts:       alerts,
	}
	for _, s := range g.Status.History {
		e.History = append(e.History, evidence.Served(s))
	}
	known := evidence.Versions{Guard: g, Active: e.Active, Decisions: j.decisions, Schemas: j.schemas}
	for _, v := range j.known(at) {
		e.Versions = append(e.Versions, known.Known(&v))
	}
	return e
}

// known are the versions that were registered by a time.
func (j *judged) known(at time.Time) []registry.Version {
	if j.AllVersions {
		return j.Versions
	}
	return slices.DeleteFunc(slices.Clone(j.Versions), func(v registry.Version) bool { return v.Created.After(at) })
}

func (j *judged) see(ctx context.Context, e *decide.Evidence, at time.Time) (err error) {
	r := j.reader
	r.Now = at
	if settled := e.SettledAt; !settled.IsZero() && at.Sub(settled) >= r.TrafficWindow {
		if e.Blind, e.BlindDetail, err = r.Traffic(ctx, e.Active); err != nil || e.Blind != "" {
			return err
		}
	}
	return r.Measure(ctx, e, &j.Guard.Status.History[0])
}

// record writes down a decision that is one, and not the one that stands.
func (j *judged) record(ctx context.Context, c decide.Decision, m *evidence.Match, e decide.Evidence, at time.Time) error {
	if _, calm := evidence.Calm(c); calm {
		return nil
	}
	level := v1alpha1.AutonomyLevel("")
	if act := c.Action; act.Acts() || c.Proposed != "" {
		if c.Proposed != "" {
			act = c.Proposed
		}
		level = evidence.Level(j.Guard.Spec.Autonomy, c.Cause, act)
		evidence.Approvable(&c, &level)
	}
	trouble := evidence.Trouble{From: e.Active, WorkloadUID: uid, Since: e.RolloutSince}
	if evidence.Standing(j.decisions, trouble, c, level, j.policy, at) != nil {
		return nil
	}
	r := j.reader
	r.Now = at
	before, err := r.Sample(ctx, e.Active, max(j.policy.VerifyFor, 5*time.Second))
	if err != nil {
		return err
	}
	since := e.SettledAt
	if since.IsZero() {
		since = e.RolloutSince
	}
	d := evidence.Record{
		Guard: &j.Guard, Decision: c, Match: m, Evidence: e, Policy: j.policy, Level: level, From: e.Active, FromArtifact: j.artifact(e.Active), WorkloadUID: uid,
		To: j.version(c.Target), Before: before, Since: since, Attempt: evidence.Attempt(j.decisions, trouble, c.Cause), Now: at,
	}.Document()
	d.Status.State, d.Status.Reason, d.Status.Message = v1alpha1.Proposed, d.Spec.Reason, c.Message
	if !c.Action.Acts() {
		d.Status.State = v1alpha1.StateHeld
	}
	journal.Step(d, journal.Decided, at, c.Message)
	j.decisions = slices.Insert(j.decisions, 0, *d)
	return nil
}

func (j *judged) version(number string) *registry.Version {
	for i := range j.Versions {
		if strconv.FormatInt(j.Versions[i].Number, 10) == number {
			return &j.Versions[i]
		}
	}
	return nil
}

func (j *judged) artifact(version string) string {
	if v := j.version(version); v != nil {
		return v.Spec.Artifact.URI
	}
	return ""
}

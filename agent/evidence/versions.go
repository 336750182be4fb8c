package evidence

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Versions says what the judgement needs to know of registered versions.
type Versions struct {
	Guard *v1alpha1.ModelGuard
	// Active is the version in service.
	Active string
	// Decisions of the namespace.
	Decisions []v1alpha1.ModelDecision
	Schemas   *Schemas
}

// Known is what is known of a version.
func (v Versions) Known(r *registry.Version) decide.Known {
	k := decide.Known{
		Version:  strconv.FormatInt(r.Number, 10),
		Rejected: r.Lifecycle == registryv1.Rejected,
		Retired:  r.Lifecycle == registryv1.Retired,
		Gated:    v.gated(r),
		Compat:   r.Spec.Compat,
		Schema:   v.Schemas.of(r),
	}
	if k.Rejected {
		for _, line := range r.Audit {
			if line.To == registryv1.Rejected {
				k.RejectedAt = line.Time.Time
			}
		}
	}
	return k
}

// gated says that a version passed the gate: by a person who said so in the
// registry (a lifecycle reason that begins with "gated"), of the training of
// ours that made it, or by what it was registered with, compared on the same
// rows with its parent, or without one with the version in service.
func (v Versions) gated(r *registry.Version) bool {
	if slices.ContainsFunc(r.Audit, func(line registryv1.AuditLine) bool { return strings.HasPrefix(line.Reason, "gated") }) {
		return true
	}
	for i := range v.Decisions {
		if d := &v.Decisions[i]; d.Name == r.Spec.Lineage.Decision {
			return journal.Has(d, journal.GatePassed) // what it was registered with, that training's gate judges
		}
	}
	parent := v.Active
	if r.Spec.Lineage.Parent != 0 {
		parent = strconv.FormatInt(r.Spec.Lineage.Parent, 10)
	}
	own, live := Comparison(r, parent)
	ok, _, _ := decide.Gate(GateRules(v.Guard.Spec.Gate), own, live)
	return ok
}

// Comparison reads what a version and the live one showed on the same rows. Of
// several data sets the first that the live version was evaluated on counts.
// The version's own metrics are those of that data set, where it has any of its
// own there, else those it was registered with.
func Comparison(candidate *registry.Version, live string) (own, other map[string]float64) {
	own, other = map[string]float64{}, map[string]float64{}
	for name, value := range candidate.Spec.Metrics {
		put64(own, name, value)
	}
	dataset := ""
	for _, e := range candidate.Spec.Evaluations {
		if strconv.FormatInt(e.Version, 10) == live && (dataset == "" || e.Dataset < dataset) {
			dataset = e.Dataset
		}
	}
	if dataset == "" {
		return own, other
	}
	for _, e := range candidate.Spec.Evaluations {
		switch {
		case e.Dataset != dataset:
		case strconv.FormatInt(e.Version, 10) == live:
			put64(other, e.Metric, e.Value)
		case e.Version == candidate.Number:
			put64(own, e.Metric, e.Value)
		}
	}
	return own, other
}

func put64(m map[string]float64, name, value string) {
	if x := parse(value); !math.IsNaN(x) {
		m[name] = x
	}
}

// GateRules are a guard's, in plain types.
func GateRules(rules []v1alpha1.GateRule) []decide.GateRule {
	out := make([]decide.GateRule, 0, len(rules))
	for _, r := range rules {
		g := decide.GateRule{Metric: r.Metric, RelativeToLive: r.RelativeTo == "live"}
		if x := parse(r.Max); !math.IsNaN(x) {
			g.Max = &x
		}
		if x := parse(r.Min); !math.IsNaN(x) {
			g.Min = &x
		}
		out = append(out, g)
	}
	return out
}

// Past are the decisions that changed the workload, or started a training,
// by whichever guard: the limits count by the workload's UID.
func Past(decisions []v1alpha1.ModelDecision, uid string) []decide.Past {
	var past []decide.Past
	for i := range decisions {
		d := &decisions[i]
		if d.Spec.WorkloadUID != uid {
			continue
		}
		at := journal.At(d, journal.Applied)
		if d.Spec.Action == string(decide.Train) {
			at = journal.At(d, journal.JobStarted)
		}
		if undone := journal.At(d, journal.Undone); !undone.IsZero() {
			at = undone
		}
		if at.IsZero() {
			continue
		}
		past = append(past, decide.Past{
			At: at, Action: decide.Action(d.Spec.Action), From: d.Spec.From, To: d.Spec.To, Cause: decide.Cause(d.Spec.Cause),
		})
	}
	return past
}

package guard

import (
	"context"
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

// enoughLabels is the fewest labelled rows that live's error of now is read from.
const enoughLabels = 200

// gate says whether a trained version may be deployed. Both are compared on the
// same rows: the Job's hold-out, where it evaluated the live version too; else
// live's labelled error of now stands in.
func (v *visit) gate(ctx context.Context, candidate *registry.Version, d *v1alpha1.ModelDecision) (bool, decide.Reason, string, error) {
	own, live := comparison(candidate, v.fields.Version)
	from := ""
	if len(live) == 0 {
		window := max(v.now.Sub(v.trainFrom(d)), v.verifyWindow())
		s, err := v.sample(ctx, v.fields.Version, window)
		if err != nil {
			return false, "", "", err
		}
		live = labelled(s)
		from = " (live: its labelled error of the last " + promDuration(window) + ")"
	}
	ok, reason, message := decide.Gate(gateRules(v.guard.Spec.Gate), own, live)
	return ok, reason, message + from, nil
}

// comparison reads what a version and the live one showed on the same rows. Of
// several data sets the first that the live version was evaluated on counts.
// The version's own metrics are those of that data set, where it has any of its
// own there, else those it was registered with.
func comparison(candidate *registry.Version, live string) (own, other map[string]float64) {
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

// labelled are the metrics that late labels give, by the names that trainers
// use. For classes the error is 0 or 1, so its square is itself.
func labelled(s decide.Sample) map[string]float64 {
	out := map[string]float64{}
	if s.Labels < enoughLabels {
		return out
	}
	mean, square := s.ErrorSum/s.Labels, s.ErrorSquares/s.Labels
	out["mae"], out["mse"], out["rmse"], out["error"] = mean, square, math.Sqrt(square), mean
	if s.ErrorSum == s.ErrorSquares {
		out["accuracy"] = 1 - mean
	}
	return out
}

func gateRules(rules []v1alpha1.GateRule) []decide.GateRule {
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

// gated says that a version passed the gate: by a person who said so in the
// registry (a lifecycle reason that begins with "gated"), of the training of
// ours that made it, or by what it was registered with, compared on the same
// rows with its parent, or without one with the version in service.
func (v *visit) gated(r *registry.Version) bool {
	if slices.ContainsFunc(r.Audit, func(line registryv1.AuditLine) bool { return strings.HasPrefix(line.Reason, "gated") }) {
		return true
	}
	for i := range v.all {
		if d := &v.all[i]; d.Name == r.Spec.Lineage.Decision {
			return journal.Has(d, journal.GatePassed) // what it was registered with, that training's gate judges
		}
	}
	parent := v.fields.Version
	if r.Spec.Lineage.Parent != 0 {
		parent = strconv.FormatInt(r.Spec.Lineage.Parent, 10)
	}
	own, live := comparison(r, parent)
	ok, _, _ := decide.Gate(gateRules(v.guard.Spec.Gate), own, live)
	return ok
}

package decide

import (
	"fmt"
	"math"
	"strings"
)

// GateRule is one metric that a new version must reach.
type GateRule struct {
	Metric string
	// Max and Min are bounds, both inclusive; with RelativeToLive they are
	// factors of what the live version shows on the same rows.
	Max, Min       *float64
	RelativeToLive bool
}

// Gate says whether a candidate passes; live is measured on the same rows. All
// rules must hold. A gate without rules passes nobody: nothing was compared.
func Gate(rules []GateRule, candidate, live map[string]float64) (ok bool, reason Reason, message string) {
	if len(rules) == 0 {
		return false, ReasonNoComparison, "the guard names no metric to compare by"
	}
	var passed, failed, unknown []string
	for _, r := range rules {
		reason, message := r.judge(candidate, live)
		switch reason {
		case ReasonGatePassed:
			passed = append(passed, message)
		case ReasonGateFailed:
			failed = append(failed, message)
		default:
			unknown = append(unknown, message)
		}
	}
	switch {
	case len(failed) > 0:
		return false, ReasonGateFailed, strings.Join(failed, "; ")
	case len(unknown) > 0:
		return false, ReasonNoComparison, strings.Join(unknown, "; ")
	}
	return true, ReasonGatePassed, strings.Join(passed, "; ")
}

func (r GateRule) judge(candidate, live map[string]float64) (Reason, string) {
	value, ok := finite(candidate, r.Metric)
	if !ok {
		return ReasonGateFailed, fmt.Sprintf("the new version was not measured by %s", r.Metric)
	}
	if r.Max == nil && r.Min == nil {
		return ReasonNoComparison, fmt.Sprintf("the rule on %s has neither max nor min", r.Metric)
	}
	factor, of := 1.0, ""
	if r.RelativeToLive {
		base, ok := finite(live, r.Metric)
		switch {
		case !ok:
			return ReasonNoComparison, fmt.Sprintf("the live version was not measured by %s on the same rows", r.Metric)
		case base < 0:
			return ReasonNoComparison, fmt.Sprintf("the live version's %s is %s, and a factor of a negative number compares nothing", r.Metric, number(base))
		}
		factor, of = base, fmt.Sprintf(" (live: %s)", number(base))
	}
	if r.Max != nil && !(value <= *r.Max*factor) {
		return ReasonGateFailed, fmt.Sprintf("%s %s is above %s%s", r.Metric, number(value), number(*r.Max*factor), of)
	}
	if r.Min != nil && !(value >= *r.Min*factor) {
		return ReasonGateFailed, fmt.Sprintf("%s %s is below %s%s", r.Metric, number(value), number(*r.Min*factor), of)
	}
	return ReasonGatePassed, fmt.Sprintf("%s %s%s is within bounds", r.Metric, number(value), of)
}

func finite(metrics map[string]float64, name string) (float64, bool) {
	x, ok := metrics[name]
	return x, ok && !math.IsNaN(x) && !math.IsInf(x, 0)
}

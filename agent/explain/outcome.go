package explain

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

func outcome(d v1alpha1.ModelDecision) []string {
	var lines []string
	s := d.Status
	line := "The record has no state yet"
	switch s.State {
	case "":
	case v1alpha1.Proposed:
		line = "Proposed: nothing was done"
	case v1alpha1.AwaitingApproval:
		line = fmt.Sprintf("It waits for a person. To approve: kubectl annotate modeldecision %s %s=YOUR-USER-NAME", d.Name, v1alpha1.AnnotationApprovedBy)
		if d.Namespace != "" {
			line += " -n " + d.Namespace
		}
	case v1alpha1.StateActing:
		line = "The change is under way"
	case v1alpha1.StateVerifying:
		line = fmt.Sprintf("%s is being watched", sentence(version(cmp.Or(d.Spec.To, s.Version))))
	case v1alpha1.StateTraining:
		line = "The training is under way"
	case v1alpha1.StateEvaluating:
		line = "The evaluation is under way"
	default:
		line = string(s.State)
	}
	if s.Outcome != "" {
		line += ", outcome " + s.Outcome
	}
	if s.VerifiedBy != "" {
		line += ", judged by " + s.VerifiedBy
	}
	if s.Reason != "" && s.Reason != s.Outcome && s.State != v1alpha1.AwaitingApproval {
		line += " (" + s.Reason + ")"
	}
	lines = append(lines, line+".")
	if s.Message != "" {
		lines = append(lines, sentence(strings.TrimSuffix(s.Message, "."))+".")
	}
	before, after := compared(d)
	return append(append(lines, compare(before, after)...), verdict(d)...)
}

func compare(before, after *v1alpha1.Baseline) []string {
	var lines []string
	add := func(what, before, after string) {
		switch {
		case before != "" && after != "":
			lines = append(lines, fmt.Sprintf("%s: %s before, %s after.", what, before, after))
		case before != "":
			lines = append(lines, fmt.Sprintf("%s: %s before, not known after.", what, before))
		case after != "":
			lines = append(lines, fmt.Sprintf("%s: not known before, %s after.", what, after))
		}
	}
	b, a := tell(before), tell(after)
	add("Error against the truth", b.quality, a.quality)
	add("Failed requests", b.errors, a.errors)
	add("Latency, 99th percentile", b.latency, a.latency)
	if a.predictions != "" {
		lines = append(lines, "Predictions, after: "+a.predictions+".")
	}
	return lines
}

// told holds a baseline in words, "" for what was not known.
type told struct{ quality, errors, latency, predictions string }

func tell(b *v1alpha1.Baseline) (t told) {
	if b == nil {
		return t
	}
	if b.Error != "" {
		t.quality = short(b.Error)
		if b.Labels != "" {
			t.quality += fmt.Sprintf(" over %s labels", short(b.Labels))
		}
	}
	if b.ErrorRatio != "" {
		t.errors = ratio(b.ErrorRatio)
		if b.Requests != "" {
			t.errors += fmt.Sprintf(" of %s", short(b.Requests))
		}
	}
	if b.P99Seconds != "" {
		t.latency = short(b.P99Seconds) + " s"
	}
	if b.PredictionThreshold != "" {
		t.predictions = fmt.Sprintf("distance %s from their reference, z %s of %s", short(b.PredictionDistance), short(b.PredictionZ), short(b.PredictionThreshold))
	}
	return t
}

func ratio(s string) string {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	return percent(f)
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

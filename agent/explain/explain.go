// Package explain tells a decision in sentences with numbers, from its record
// alone: no clock, no cluster, no registry. What it can't say, the record does
// not hold, and a person who was not there can't know. What would have changed a
// decision is found by making it again with one thing changed, so that no rule is
// written down twice. It also holds what to do about each reason.
package explain

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Decision tells one decision: what was seen, what was made of it, what the
// registry answered, what was decided, what would have changed it, what happened,
// and how it came out.
func Decision(d v1alpha1.ModelDecision) string {
	var b strings.Builder
	s := d.Spec
	fmt.Fprintf(&b, "Decision %s", d.Name)
	if s.Attempt > 1 {
		fmt.Fprintf(&b, ", attempt %d", s.Attempt)
	}
	fmt.Fprintf(&b, "\nGuard %s, model %s, %s %s", s.Guard, s.Model, cmp.Or(s.Workload.Kind, "workload"), s.Workload.Name)
	if d.Namespace != "" {
		fmt.Fprintf(&b, ", namespace %s", d.Namespace)
	}
	fmt.Fprintf(&b, ". Decided %s.\n", moment(s.DecidedAt))

	paragraph(&b, "What was seen", alerts(s))
	paragraph(&b, "What it was taken for", append([]string{diagnosis(s)}, rests(s)...))
	paragraph(&b, "What the registry answered", match(s))
	paragraph(&b, "What the evaluation before it came to", evaluated(s.Evaluation, s))
	paragraph(&b, "What was decided", []string{action(s)})
	paragraph(&b, "What would have changed it", whatIf(&d))
	paragraph(&b, "What happened", steps(d))
	paragraph(&b, "What was measured", evaluated(d.Status.Evaluation, s))
	paragraph(&b, "How it came out", outcome(d))
	return b.String()
}

func paragraph(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, l := range lines {
		fmt.Fprintf(b, "  %s\n", l)
	}
}

func alerts(s v1alpha1.ModelDecisionSpec) []string {
	if len(s.Alerts) == 0 {
		return []string{"No alert is in the record."}
	}
	var lines []string
	for _, a := range s.Alerts {
		var l strings.Builder
		l.WriteString(a.Name)
		if a.Subject != "" {
			fmt.Fprintf(&l, " of %s", a.Subject)
		}
		var rule []string
		if a.Clock != "" {
			rule = append(rule, "clock "+a.Clock)
		}
		if a.Window != "" {
			rule = append(rule, "window "+a.Window)
		}
		if len(rule) > 0 {
			fmt.Fprintf(&l, " (%s)", strings.Join(rule, ", "))
		}
		fmt.Fprintf(&l, " was %s, active since %s", cmp.Or(a.State, "firing"), moment(a.ActiveAt))
		if s.DecidedAt.After(a.ActiveAt.Time) {
			fmt.Fprintf(&l, ", %s before the decision", span(s.DecidedAt.Sub(a.ActiveAt.Time)))
		}
		if a.Value != "" {
			fmt.Fprintf(&l, ", at %s", short(a.Value))
		}
		l.WriteString(".")
		if a.Summary != "" {
			l.WriteString(" " + strings.TrimSuffix(a.Summary, ".") + ".")
		}
		lines = append(lines, l.String())
	}
	return lines
}

func diagnosis(s v1alpha1.ModelDecisionSpec) string {
	from := version(s.From)
	text := map[decide.Cause]string{
		decide.Blind:           "too little could be seen to say anything, and no data is not good news",
		decide.HumanChanged:    "somebody else changed the model's fields of the workload",
		decide.RollingOut:      "a rollout was under way",
		decide.Correlated:      "several models drifted at once, which points upstream of all of them",
		decide.BrokenInput:     "the inputs are broken (missing, unknown, unreadable or far out of range), which no version of the model can mend",
		decide.BadRelease:      from + " has been worse than the version before it since its release",
		decide.Saturation:      "the latency rose with the load, and the version did not change",
		decide.Serving:         from + " was long clean under the same load: what fails is the serving, not the model",
		decide.InputDrift:      "the inputs no longer look like what " + from + " was trained on",
		decide.PredictionDrift: "the predictions changed while inputs and version did not",
		decide.ConceptDrift:    "the quality fell while the inputs stayed the same: the right answers have changed",
	}[decide.Cause(s.Cause)]
	line := s.Cause
	if text != "" {
		line += ": " + text
	}
	if len(s.Columns) > 0 {
		line += ". Columns: " + strings.Join(s.Columns, ", ")
	}
	return line + "."
}

func action(s v1alpha1.ModelDecisionSpec) string {
	var line string
	switch decide.Action(s.Action) {
	case decide.Rollback:
		line = fmt.Sprintf("To go back from %s to %s", version(s.From), version(s.To))
	case decide.Redeploy:
		line = fmt.Sprintf("To deploy %s in place of %s", version(s.To), version(s.From))
	case decide.Train:
		line = "To have a new version trained"
	case decide.Evaluate:
		line = fmt.Sprintf("To have %s measured beside %s on labelled rows", Versions(s.Asked), version(s.From))
	case decide.Hold:
		line = "To hold: nothing was to be changed"
	default:
		line = "To " + s.Action
	}
	line += fmt.Sprintf(", because %s.", because(s))
	if s.ToArtifact != "" {
		line += fmt.Sprintf(" Artifact %s", s.ToArtifact)
		if s.FromArtifact != "" {
			line += fmt.Sprintf(" in place of %s", s.FromArtifact)
		}
		line += "."
	}
	if !decide.Action(s.Action).Acts() {
		return line // nobody has to allow that nothing is done
	}
	switch s.Autonomy {
	case v1alpha1.Observe:
		line += " The guard is on Observe for this: it says what it would do, and does nothing."
	case v1alpha1.Approve:
		if decide.Action(s.Action) == decide.Evaluate {
			return line + " The guard is on Approve for this; an evaluation changes nothing in service, so nobody is asked."
		}
		line += " The guard is on Approve for this: a person must agree."
	case v1alpha1.Auto:
		line += " The guard is on Auto for this."
	}
	return line
}

// because says the reason and its word, which is the same in logs and metrics.
func because(s v1alpha1.ModelDecisionSpec) string {
	text := map[decide.Reason]string{
		decide.ReasonFits:             "of the versions that fit today's data it is the best, and better than live by enough",
		decide.ReasonLastGood:         "it is the last version that was clean of this cause",
		decide.ReasonNoneFits:         "no registered version fits today's data and is better than live",
		decide.ReasonInputsMoving:     "inputs go on changing, or are on their way to what a version is at home in",
		decide.ReasonCorrelated:       "what comes upon several models at once is upstream of them",
		decide.ReasonSaturation:       "another version would be as slow",
		decide.ReasonLiveFits:         "live itself fits today's data: there is nothing to gain",
		decide.ReasonNoGoodVersion:    "there is no earlier version that was clean of this cause",
		decide.ReasonGatePassed:       "it passed the gate",
		decide.ReasonConceptDrift:     "no match by inputs can answer this",
		decide.ReasonEvaluatedBetter:  "of the versions that were measured on the same labelled rows it gains most, by more than two standard errors",
		decide.ReasonNoneBetter:       "no other version is better on labelled rows by two standard errors",
		decide.ReasonEvaluationFailed: "the evaluation of other versions came to nothing",
		decide.ReasonExpectedError:    "it is an estimate from the predictions alone, and labels can tell",
		decide.ReasonOscillation:      "the version to go to was itself left for drift not long ago",
		decide.ReasonInputsSayNothing: "inputs do not predict which version of this model is better, so they may only propose",
		decide.ReasonToleranceAuto:    "the tolerance auto has no time order to go by and may only propose",
		decide.ReasonNoRetrain:        "the guard names no way to retrain",

		decide.ReasonArtifactMissing:     "the artifact of the version to go to is gone",
		decide.ReasonArtifactDigest:      "the artifact of the version to go to is not the one that was registered",
		decide.ReasonNotAllowed:          "the artifact of the version to go to is not among those that are allowed",
		decide.ReasonArtifactUnreachable: "the artifact of the version to go to could not be reached, and a worse version is not taken instead",
	}[decide.Reason(s.Reason)]
	if text == "" {
		return "of " + s.Reason
	}
	return text + " (" + s.Reason + ")"
}

func steps(d v1alpha1.ModelDecision) []string {
	s := d.Status
	var lines []string
	if s.ApprovedBy != "" {
		lines = append(lines, "Approved by "+s.ApprovedBy+".")
	}
	if s.Job != "" {
		line := "Training ran as "
		if d.Spec.Action == string(decide.Evaluate) {
			line = "The evaluation ran as "
		}
		line += trainer(s.Job)
		if s.Version != "" {
			line += " and registered " + version(s.Version)
		}
		lines = append(lines, line+".")
	}
	for i, step := range s.Steps {
		line := step.Time.UTC().Format("15:04:05.000000")
		if i > 0 {
			line += fmt.Sprintf(" (+%s)", span(step.Time.Sub(s.Steps[0].Time.Time)))
		}
		line += " " + step.Name
		if step.Message != "" {
			line += ": " + step.Message
		}
		lines = append(lines, line)
	}
	return lines
}

// trainer is a Job, or by its slashes a run of a workflow.
func trainer(name string) string {
	if strings.Contains(name, "/") {
		return "workflow " + name
	}
	return "Job " + name
}

func moment(t metav1.MicroTime) string {
	if t.IsZero() {
		return "at an unknown time"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 UTC")
}

// span is a length of time as people say it: two units at most.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

// Versions names some.
func Versions(list []string) string {
	if len(list) == 1 {
		return version(list[0])
	}
	return "versions " + strings.Join(list, ", ")
}

func version(v string) string {
	if v == "" {
		return "an unknown version"
	}
	return "version " + v
}

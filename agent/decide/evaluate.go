package decide

import (
	"fmt"
	"slices"
	"time"
)

// Evaluation is what the last evaluation of the version in service came to: other
// versions measured beside it, all on the same rows whose truth is known.
type Evaluation struct {
	// Decision that asked for it, when, and when it ended.
	Decision         string
	AskedAt, EndedAt time.Time
	// Failed is why nothing was measured, empty where something was; Detail says it in
	// a sentence.
	Failed Reason
	Detail string
	// Rows that were measured on, and by what: mae, log_loss, error or loss.
	Rows int64
	Loss string
	// Live is the mean loss of the version in service.
	Live     float64
	Versions []Measured
}

// Measured is what one version showed beside the one in service.
type Measured struct {
	Version string
	// Mean loss, and by how much less it is: the mean over the rows of the difference
	// on each, with its standard error.
	Mean, Gain, StandardError float64
}

const (
	// Beyond is how many standard errors a version must gain to be gone to.
	Beyond = 2
	// MinEvaluated is the fewest rows to go by: as many as a verdict by labels needs.
	MinEvaluated = minLabels
	// MaxAsked bounds the versions of one evaluation: its report and its record have
	// room for so many.
	MaxAsked = 20
)

// Better says that the gain is beyond chance.
func (m Measured) Better() bool { return m.Gain > 0 && m.Gain > Beyond*m.StandardError }

// short is by how much a version misses being better.
func (m Measured) short() float64 { return Beyond*m.StandardError - m.Gain }

// evaluated turns fallen quality into what an evaluation calls for, or asks for one.
// An evaluation is its own gate: it measured the version on the same rows as the one
// in service, so a version need not have been live and clean to be gone to.
func evaluated(r Decision, e Evidence, p Policy, now time.Time) Decision {
	last := e.Evaluation
	switch {
	case last == nil || !last.counts(r.Alerts, p, now):
		return evaluate(r, e, p, now)
	case last.Failed != "":
		return orTrain(r, p, ReasonEvaluationFailed, "; the evaluation of %s ago came to nothing (%s: %s)", span(now.Sub(last.EndedAt)), last.Failed, last.Detail)
	case last.Rows < MinEvaluated:
		return orTrain(r, p, ReasonEvaluationFailed, "; the evaluation of %s ago had %d labelled rows, and %d are needed", span(now.Sub(last.EndedAt)), last.Rows, MinEvaluated)
	}
	best, near := last.best(e)
	switch {
	case near == nil:
		return orTrain(r, p, ReasonNoneBetter, "; no other version was measured beside it")
	case best == nil:
		verdict := "is not better by two standard errors"
		if near.Better() {
			verdict = "may not stand in"
		}
		return orTrain(r, p, ReasonNoneBetter, "; of %s measured on %d labelled rows none may be gone to: the nearest, version %s, %s (%s)",
			count(len(last.Versions), "other version"), last.Rows, near.Version, verdict, last.shows(*near))
	}
	r.Action, r.Reason, r.Target = Rollback, ReasonEvaluatedBetter, best.Version
	r.Message += fmt.Sprintf("; on %d labelled rows version %s is better by more than two standard errors (%s); go back to version %s",
		last.Rows, best.Version, last.shows(*best), best.Version)
	return r
}

// counts says that an evaluation is about this trouble and of today: it was asked for
// since quality fell, and ended within the window of rows that count as today's.
func (v *Evaluation) counts(alerts []Alert, p Policy, now time.Time) bool {
	if v.AskedAt.Before(earliest(alerts)) {
		return false
	}
	return p.MatchWindow <= 0 || now.Sub(v.EndedAt) < p.MatchWindow
}

// best is the version that gains most, of those that do so beyond chance and may
// stand in; near is the one that misses that by least, or is beyond it and may not.
func (v *Evaluation) best(e Evidence) (best, near *Measured) {
	for i := range v.Versions {
		m := &v.Versions[i]
		if near == nil || m.short() < near.short() {
			near = m
		}
		if m.Better() && exchangeable(e, m.Version) && (best == nil || m.Gain > best.Gain) {
			best = m
		}
	}
	return best, near
}

func (v *Evaluation) shows(m Measured) string {
	return fmt.Sprintf("%s less by %s ± %s: %s, version in service %s", v.Loss, number(m.Gain), number(m.StandardError), number(m.Mean), number(v.Live))
}

// evaluate asks for an evaluation. One that ended lately, of an alert that has cleared
// since, is not repeated before the cooldown is over: an alert that comes and goes
// would start a Job each time.
func evaluate(r Decision, e Evidence, p Policy, now time.Time) Decision {
	versions := asked(e, p)
	if len(versions) == 0 {
		return orTrain(r, p, ReasonNoneBetter, "; there is no other version to measure beside it")
	}
	if last := e.Evaluation; last != nil && now.Sub(last.EndedAt) < p.Cooldown {
		return r.hold(ReasonCooldown, "; held: the last evaluation ended %s ago, and the cooldown is %s", span(now.Sub(last.EndedAt)), span(p.Cooldown))
	}
	r.Action, r.Asked = Evaluate, versions
	r.Message += fmt.Sprintf("; measure %s beside it on labelled rows", count(len(versions), "other version"))
	return r
}

// asked are the versions that may stand in, those that have proven themselves first,
// the newest first, and no more than there is room for.
func asked(e Evidence, p Policy) []string {
	var have, others []string
	for _, k := range slices.Backward(e.Versions) {
		switch {
		case !exchangeable(e, k.Version):
		case proven(e, p, k.Version):
			have = append(have, k.Version)
		default:
			others = append(others, k.Version)
		}
	}
	have = append(have, others...)
	return have[:min(len(have), MaxAsked)]
}

// orTrain trains where there is something to train with, and else holds.
func orTrain(r Decision, p Policy, reason Reason, format string, args ...any) Decision {
	r.Message += fmt.Sprintf(format, args...)
	if !p.CanRetrain {
		return r.hold(reason, "; held: the guard names nothing to train with")
	}
	r.Action, r.Reason = Train, reason
	r.Message += "; train on today's labels"
	return r
}

package evidence

import (
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Asker asks the registry which versions are at home in the rows since a time: all
// of them, or the newer half of those that were asked about before. Without rows it
// says why instead.
type Asker func(from time.Time, newer bool) (m *Match, blind decide.Reason, detail string, err error)

// Judge diagnoses and, where the diagnosis asks for a match, has it asked for.
// What can't be matched makes the evidence blind. decided is then to decide, on
// the evidence as it is or with less: it may be called more than once.
func Judge(e *decide.Evidence, p decide.Policy, now time.Time, ask Asker) (m *Match, decided func(decide.Evidence) decide.Decision, err error) {
	decided = func(e decide.Evidence) decide.Decision {
		return decide.Case{Evidence: e, Match: m.Judged(), Policy: p, Now: now}.Decide()
	}
	if d := decide.Diagnose(*e, p, now); d.NeedsMatch {
		found, reason, detail, err := ask(d.MatchFrom, false)
		if err != nil {
			return nil, nil, err
		}
		if reason != "" {
			e.Blind, e.BlindDetail = reason, detail
		} else {
			m = found
		}
		if m != nil {
			if err := newerHalf(m, decided(*e), now, ask); err != nil {
				return nil, nil, err
			}
		}
	}
	return m, decided, nil
}

// newerHalf asks about the newer half of the rows before a version is trained
// because none fits: inputs may be on their way to one that will. Without an
// answer there is none.
func newerHalf(m *Match, r decide.Decision, now time.Time, ask Asker) error {
	if r.Action != decide.Train || r.Reason != decide.ReasonNoneFits {
		return nil
	}
	newer, _, _, err := ask(m.From.Add(now.Sub(m.From)/2), true)
	if newer != nil && newer.Live != nil && newer.Live.Rows > 0 {
		m.Newer = newer
	}
	return err
}

// Calm says that a decision is none that is recorded: those are made for
// eligible alerts only.
func Calm(r decide.Decision) (v1alpha1.Phase, bool) {
	switch r.Action {
	case decide.NoAction, "":
		return v1alpha1.Watching, true
	case decide.Wait:
		if r.Cause == decide.RollingOut || r.Reason == decide.ReasonSettling {
			return v1alpha1.Watching, true
		}
		return v1alpha1.Deciding, true
	}
	switch {
	case r.Reason == decide.ReasonRetrainOpen:
		return v1alpha1.Watching, true // its decision is there: the one that trains
	case len(r.Alerts) == 0, r.Cause == decide.Blind, r.Cause == decide.HumanChanged, r.Cause == decide.RollingOut:
		return v1alpha1.Held, true
	}
	return "", false
}

// Same says that a record decides the same. It leaves columns and numbers aside: they move every second.
func Same(d *v1alpha1.ModelDecision, c decide.Decision) bool {
	return d.Spec.Action == string(c.Action) && d.Spec.Reason == string(c.Reason) && d.Spec.To == c.Target
}

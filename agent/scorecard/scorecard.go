package scorecard

import (
	"cmp"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
)

// Verdict is what became of a proposal.
type Verdict string

// The verdicts. Acted is Leeway's own doing, under Auto or approved; the others
// are of people, or of nobody.
const (
	Acted    Verdict = "acted"    // Leeway did it, and nobody had to be asked
	Agreed   Verdict = "agreed"   // a person approved it, or did the same
	Differed Verdict = "differed" // a person went to another version
	Declined Verdict = "declined" // nobody did anything, and the trouble passed
	Open     Verdict = "open"     // nobody has done anything yet
)

// Line is one proposal, and what became of it.
type Line struct {
	Decision string    `json:"decision"`
	At       time.Time `json:"at"`
	// Kind is the autonomy that the act is under: badRelease, inputDrift,
	// conceptDrift, retrain or default.
	Kind   string `json:"kind"`
	Cause  string `json:"cause"`
	Action string `json:"action"`
	From   string `json:"from"`
	// To is the version proposed, empty for a training.
	To      string  `json:"to,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Did is the version that was gone to, empty if none was.
	Did string `json:"did,omitempty"`
	// By is who approved it, as far as that is known.
	By string `json:"by,omitempty"`
	// Outcome of Leeway's own act: ok, worse, inconclusive, undone.
	Outcome string `json:"outcome,omitempty"`
	// BadSeconds went by between the decision and the change, or the last alert.
	BadSeconds float64 `json:"badSeconds"`
}

// Kind sums up the lines of one kind of act.
type Kind struct {
	Name  string                 `json:"name"`
	Level v1alpha1.AutonomyLevel `json:"level"`
	Count map[Verdict]int        `json:"count"`
	// BadSeconds of all lines.
	BadSeconds float64 `json:"badSeconds"`
	// Worse are Leeway's own acts that proved worse, or were undone.
	Worse int `json:"worse,omitempty"`
	// Raise is the level that it has earned, empty while it has earned none. It is
	// said, and never done.
	Raise v1alpha1.AutonomyLevel `json:"raise,omitempty"`
}

// Unsaid is a change that people made without a proposal.
type Unsaid struct {
	At   time.Time `json:"at"`
	From string    `json:"from"`
	To   string    `json:"to"`
}

// Card is the whole of it.
type Card struct {
	Guard string    `json:"guard"`
	Model string    `json:"model"`
	Since time.Time `json:"since"`
	Kinds []Kind    `json:"kinds"`
	Lines []Line    `json:"lines"`
	// Unsaid are the ways back that people took by themselves.
	Unsaid []Unsaid `json:"unsaid,omitempty"`
}

// How often people must have agreed, and nobody otherwise, before more may be left
// to Leeway: with n of n the share in which they would not is below 45, 26 % with
// 95 % (1 − 0.05^(1/n)).
const (
	ToApprove = 5
	ToAuto    = 10
)

// passed is how long there must have been no alert for trouble to be over.
const passed = time.Hour

// New makes the card of a guard from its decisions, as far back as they are kept
// and no further than since.
func New(g v1alpha1.ModelGuard, decisions []v1alpha1.ModelDecision, since, now time.Time) Card {
	c := Card{Guard: g.Name, Model: g.Spec.Model, Since: since}
	said := map[int]bool{}
	for _, d := range decisions {
		action := decide.Action(d.Spec.Action)
		if d.Spec.Guard != g.Name || d.Spec.DecidedAt.Time.Before(since) || !action.Acts() || action == decide.Evaluate {
			continue // an evaluation changes nothing that people could agree to
		}
		stay := during(g.Status.History, d)
		c.Lines = append(c.Lines, judge(d, g.Status.History, stay, now))
		said[stay] = true
	}
	slices.SortFunc(c.Lines, func(a, b Line) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Decision, b.Decision)) })
	c.Unsaid = unsaid(g.Status.History, said, since)
	for _, name := range []string{"badRelease", "inputDrift", "conceptDrift", "retrain", "default"} {
		if k, any := sum(name, c.Lines, g.Spec.Autonomy); any {
			c.Kinds = append(c.Kinds, k)
		}
	}
	return c
}

// during is the stay, by its place in the history, in which a decision was made;
// -1: it is no longer kept.
func during(history []v1alpha1.ServedVersion, d v1alpha1.ModelDecision) int {
	at := d.Spec.DecidedAt.Time
	return slices.IndexFunc(history, func(s v1alpha1.ServedVersion) bool {
		return s.Version == d.Spec.From && !evidence.Time(s.BeganAt).After(at) &&
			(s.ReplacedAt == nil || s.ReplacedAt.After(at))
	})
}

func judge(d v1alpha1.ModelDecision, history []v1alpha1.ServedVersion, stay int, now time.Time) Line {
	s := d.Spec
	l := Line{
		Decision: d.Name, At: s.DecidedAt.Time, Cause: s.Cause, Action: s.Action, From: s.From, To: s.To,
		Kind: evidence.Kind(decide.Cause(s.Cause), decide.Action(s.Action)), By: d.Status.ApprovedBy, Outcome: d.Status.Outcome,
		Verdict: Open,
	}
	end := now
	if stay >= 0 {
		left := history[stay]
		last := lastAlert(left)
		switch {
		case left.ReplacedAt != nil && stay > 0:
			end, l.Did = left.ReplacedAt.Time, history[stay-1].Version
			l.Verdict = Differed
			if left.LeftFor != "" {
				l.Verdict = Acted
			} else if same(l, history[stay:]) {
				l.Verdict = Agreed
			}
		case now.Sub(last) > passed:
			end, l.Verdict = last, Declined
		}
	}
	if l.By != "" {
		l.Verdict = Agreed
	}
	l.BadSeconds = max(end.Sub(l.At), 0).Seconds()
	return l
}

// same says that people did what was proposed: they went to that version, or,
// after a training was, to one that was never served before.
func same(l Line, before []v1alpha1.ServedVersion) bool {
	if l.To != "" {
		return l.Did == l.To
	}
	did, err := registry.ParseNumber(l.Did)
	return err == nil && !slices.ContainsFunc(before, func(s v1alpha1.ServedVersion) bool {
		n, err := registry.ParseNumber(s.Version)
		return err != nil || n >= did
	})
}

func lastAlert(s v1alpha1.ServedVersion) time.Time {
	var last time.Time
	for _, at := range s.LastAlert {
		if at.After(last) {
			last = at.Time
		}
	}
	return last
}

// unsaid are ways back that nobody had proposed: from a version to one before it.
func unsaid(history []v1alpha1.ServedVersion, said map[int]bool, since time.Time) []Unsaid {
	var out []Unsaid
	for i := len(history) - 1; i > 0; i-- {
		from, to := history[i], history[i-1]
		a, errA := registry.ParseNumber(from.Version)
		b, errB := registry.ParseNumber(to.Version)
		if said[i] || from.LeftFor != "" || from.ReplacedAt == nil || from.ReplacedAt.Time.Before(since) || errA != nil || errB != nil || b >= a {
			continue
		}
		out = append(out, Unsaid{At: from.ReplacedAt.Time, From: from.Version, To: to.Version})
	}
	return out
}

func sum(name string, lines []Line, a v1alpha1.Autonomy) (k Kind, any bool) {
	k = Kind{Name: name, Count: map[Verdict]int{}}
	for _, l := range lines {
		if l.Kind != name {
			continue
		}
		any = true
		k.Level = evidence.Level(a, decide.Cause(l.Cause), decide.Action(l.Action))
		k.Count[l.Verdict]++
		k.BadSeconds += l.BadSeconds
		if l.Outcome == string(decide.Worse) || l.Outcome == "undone" {
			k.Worse++
		}
	}
	agreed := k.Count[Agreed]
	if k.Count[Differed]+k.Count[Declined]+k.Worse > 0 {
		return k, any
	}
	switch {
	case k.Level == v1alpha1.Observe && agreed >= ToApprove:
		k.Raise = v1alpha1.Approve
	case k.Level == v1alpha1.Approve && agreed >= ToAuto:
		k.Raise = v1alpha1.Auto
	}
	return k, any
}

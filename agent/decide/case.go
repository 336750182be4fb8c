package decide

import "time"

// Case is everything that one decision rests on.
type Case struct {
	Evidence
	Match  *Match // nil: there is none
	Policy Policy
	Now    time.Time
	// Retrained is the version that a training made, where that is what is decided
	// about; else nil.
	Retrained *Retrained
}

// Decide judges the case. Whoever changes one thing in it and asks again learns
// whether the decision rested on that.
func (c Case) Decide() Decision {
	d := Diagnose(c.Evidence, c.Policy, c.Now)
	if c.Retrained != nil {
		return AfterRetrain(*c.Retrained, d, c.Match, c.Evidence, c.Policy, c.Now)
	}
	return Decide(d, c.Match, c.Evidence, c.Policy, c.Now)
}

package decide_test

import (
	"math"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

// tape turns bytes into choices, so that a fuzzer drives what is built.
type tape struct {
	bytes []byte
	at    int
}

func (t *tape) next() int {
	if t.at >= len(t.bytes) {
		return 0
	}
	t.at++
	return int(t.bytes[t.at-1])
}

func (t *tape) pick(n int) int      { return t.next() % n }
func (t *tape) yes() bool           { return t.next()%2 == 1 }
func (t *tape) rarely() bool        { return t.next()%8 == 7 }
func (t *tape) version() string     { return []string{"1", "2", "3", "5", ""}[t.pick(5)] }
func (t *tape) cause() decide.Cause { return causes()[t.pick(len(causes()))] }
func (t *tape) number() float64 {
	return []float64{0, 1, 99, 100, 1e6, -1, math.NaN(), math.Inf(1)}[t.pick(8)]
}
func (t *tape) span() time.Duration {
	return time.Duration(t.next()) * []dur{second, minute, hour, -second}[t.pick(4)]
}
func (t *tape) alertCause() decide.AlertCause { return alertCauses()[t.pick(len(alertCauses()))] }

// when is a time, or none.
func (t *tape) when() time.Time {
	if t.pick(4) == 3 {
		return time.Time{}
	}
	return now.Add(-t.span())
}

func causes() []decide.Cause {
	return []decide.Cause{decide.None, decide.InputDrift, decide.BadRelease, decide.ConceptDrift}
}

func alertCauses() []decide.AlertCause {
	return []decide.AlertCause{decide.AlertInputDrift, decide.AlertErrors, decide.AlertQuality,
		decide.AlertPredictionDrift, decide.AlertLatency, decide.AlertBrokenInput}
}

func (t *tape) evidence() decide.Evidence {
	e := settled("3", "1")
	if t.yes() {
		e = released(t.span(), t.yes())
	}
	if t.rarely() {
		e.SettledAt, e.RollingOut, e.RolloutRequests, e.RolloutSince = t.when(), t.yes(), t.number(), t.when()
	}
	if t.rarely() {
		e.Blind = decide.ReasonNoTraffic
	}
	if t.rarely() {
		e.Active = t.version()
	}
	if t.rarely() {
		e.Human, e.HumanAt, e.OpenSince = t.yes(), t.when(), t.when()
	}
	drifting := t.yes() // else any cause: then one high in the table nearly always wins
	for range t.pick(8) {
		cause := t.alertCause()
		if drifting && !t.rarely() {
			cause = decide.AlertInputDrift
		}
		a := on(e.Active, alert(cause, t.span(), []string{"temp", "dewp", ""}[t.pick(3)]))
		a.Firing, a.Value = !t.rarely(), t.number()
		a.Estimated = cause == decide.AlertQuality && t.rarely()
		if t.yes() && a.Clock != "" {
			a = page(a)
		}
		if t.rarely() {
			a.Version = t.version()
		}
		if t.rarely() {
			a.ActiveAt, a.Window = t.when(), t.span()
		}
		e.Alerts = append(e.Alerts, a)
	}
	for i := range e.Versions {
		e.Versions[i].Rejected, e.Versions[i].Gated = t.rarely(), t.yes()
	}
	if t.rarely() {
		e.Versions = e.Versions[:t.pick(len(e.Versions))]
	}
	for range t.pick(4) {
		e.History = append(e.History, decide.Served{
			Version: t.version(), SettledAt: t.when(), ReplacedAt: t.when(), LeftFor: t.cause(),
			LastAlert: map[decide.AlertCause]time.Time{t.alertCause(): t.when()},
		})
		if t.yes() {
			e.History[len(e.History)-1].SeenSince = seen(t.when())
		}
	}
	if t.rarely() {
		e.History = e.History[t.pick(len(e.History)):]
	}
	for range t.pick(4) {
		e.Past = append(e.Past, decide.Past{At: t.when(), From: t.version(), To: t.version(), Cause: t.cause(),
			Action: []decide.Action{decide.Rollback, decide.Redeploy, decide.Train}[t.pick(3)]})
	}
	e.RetrainOpen, e.FleetActing = t.rarely(), t.pick(16)/15
	for range t.pick(8) - 4 {
		e.Onsets = append(e.Onsets, decide.Onset{Namespace: "ml", Model: []string{"flights", "fraud", "price", "churn"}[t.pick(4)], At: t.when()})
	}
	e.Load = decide.Load{Requests: t.number(), RequestsBefore: t.number(), P99: t.number(), P99Before: t.number()}
	return e
}

func (t *tape) evaluation() *decide.Evaluation {
	if t.rarely() {
		return nil
	}
	e := &decide.Evaluation{AskedAt: t.when(), EndedAt: t.when(), Rows: []int64{4000, 4000, 199, -1}[t.pick(4)], Loss: "mae", Live: t.number()}
	if t.yes() {
		e.AskedAt, e.EndedAt = now, now
	}
	if t.rarely() {
		e.Failed = decide.ReasonJobFailed
	}
	for range t.pick(4) {
		e.Versions = append(e.Versions, decide.Measured{Version: t.version(), Mean: t.number(), Gain: t.number(), StandardError: t.number() / 100})
	}
	return e
}

func (t *tape) match() *decide.Match {
	if t.rarely() {
		return nil
	}
	m := &decide.Match{Rows: []int64{4000, 4000, 999, -1}[t.pick(4)]}
	if !t.rarely() {
		live := candidate("3", t.number(), t.rarely(), false)
		m.Live = &live
	}
	for range t.pick(8) - 5 {
		m.Newer = append(m.Newer, candidate(t.version(), t.number(), false, false))
	}
	for range t.pick(5) {
		m.Candidates = append(m.Candidates, candidate(t.version(), t.number(), !t.rarely(), !t.rarely()))
	}
	return m
}

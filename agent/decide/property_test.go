package decide_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

// examine asks everything that must hold whatever is put in, and returns what
// was decided.
func examine(t *testing.T, data []byte) decide.Decision {
	t.Helper()
	tape := &tape{bytes: data}
	e, m, p := tape.evidence(), tape.match(), policy()
	p.ToleranceAuto, p.CanRetrain = tape.rarely(), !tape.rarely()
	e.Evaluation, p.CanEvaluate = tape.evaluation(), tape.yes()
	d := decide.Diagnose(e, p, now)
	got := decide.Decide(d, m, e, p, now)

	again := e
	again.Alerts = slices.Clone(e.Alerts)
	slices.Reverse(again.Alerts)
	if d2 := decide.Diagnose(again, p, now); !reflect.DeepEqual(printable(d2.Alerts), printable(d.Alerts)) || d2.Message != d.Message ||
		d2.Cause != d.Cause || !d2.MatchFrom.Equal(d.MatchFrom) || decide.Decide(d2, m, again, p, now).Message != got.Message {
		t.Errorf("the same input, in another order, came out differently:\n%+v\n%+v", d, d2)
	}
	retrained := decide.Retrained{Version: tape.version(), Cause: tape.cause(), Tainted: tape.rarely()}
	after := decide.AfterRetrain(retrained, d, m, e, p, now)
	if after.Action.Acts() && retrained.Tainted {
		t.Errorf("a tainted version is deployed: %+v", after)
	}
	for _, r := range []decide.Decision{got, after} {
		justified(t, r, e, p)
	}
	measured(t, got, e, p)
	if p.ToleranceAuto && got.Cause == decide.InputDrift && got.Action == decide.Rollback {
		if !slices.ContainsFunc(m.Candidates, func(c decide.Candidate) bool { return c.Version == got.Target && c.Calibrated }) {
			t.Errorf("goes back on a tolerance that was not learned: %+v", got)
		}
	}
	if d.NeedsMatch && (d.MatchFrom.IsZero() || d.MatchFrom.Before(now.Add(-p.MatchWindow))) {
		t.Errorf("match from %s", d.MatchFrom)
	}
	proposing := decide.Match{}
	if m != nil {
		proposing = *m
		proposing.ProposeOnly = true
	}
	if r := decide.Decide(d, &proposing, e, p, now); r.Cause == decide.InputDrift && r.Action == decide.Rollback {
		t.Errorf("goes back on inputs that tell nothing: %+v", r)
	}
	decide.Track(e, now)
	decide.Verify(sample(tape), sample(tape), p, tape.when(), now)
	return got
}

// printable makes NaN equal to itself.
func printable(alerts []decide.Alert) []decide.Alert {
	alerts = slices.Clone(alerts)
	for i := range alerts {
		alerts[i].Value = float64(math.Float64bits(alerts[i].Value))
	}
	return alerts
}

// justified says what every decision must be.
func justified(t *testing.T, r decide.Decision, e decide.Evidence, p decide.Policy) {
	t.Helper()
	if r.Message == "" || r.Reason == "" || r.Action == "" {
		t.Errorf("a decision that does not say why: %+v", r)
	}
	if !r.Action.Acts() {
		return
	}
	if e.Blind != "" {
		t.Errorf("acts blind: %+v", r)
	}
	firing := 0
	for _, a := range r.Alerts {
		if ok, why := decide.Eligible(a, e, now); !ok {
			t.Errorf("acts on an alert that %s: %+v", why, a)
		}
		if a.Firing && a.Clock != decide.Page && !a.Estimated {
			firing++
		}
	}
	if firing == 0 {
		t.Errorf("acts without a firing alert: %+v", r)
	}
	for _, a := range e.Alerts {
		ok, _ := decide.Eligible(a, e, now)
		if ok && a.Cause == decide.AlertBrokenInput {
			t.Errorf("acts while input is broken or may be: %+v", r)
		}
	}
	if shared := decide.AtOnce(e.Onsets, e.Namespace, e.Model); len(shared) > 0 && now.Sub(shared[0].At) < decide.CorrelatedFor && r.Cause != decide.BadRelease {
		t.Errorf("acts on what came upon several models at once: %+v", r)
	}
	if r.Action == decide.Train || r.Action == decide.Evaluate {
		return
	}
	if r.Target == "" || r.Target == e.Active {
		t.Errorf("deploys %q over %q", r.Target, e.Active)
	}
	for _, k := range e.Versions {
		if k.Version == r.Target && k.Rejected {
			t.Errorf("deploys a rejected version: %+v", r)
		}
	}
	for _, d := range e.Past {
		if recent := now.Sub(d.At) < p.Cooldown && d.Action != decide.Train; recent && !(e.Human && e.HumanAt.After(d.At)) {
			t.Errorf("acts within the cooldown: %+v", r)
		}
	}
}

// measured says what must be of evaluations, and of what rests on one.
func measured(t *testing.T, r decide.Decision, e decide.Evidence, p decide.Policy) {
	t.Helper()
	mayStandIn := func(version string) bool {
		return version != e.Active && slices.ContainsFunc(e.Versions, func(k decide.Known) bool {
			return k.Version == version && !k.Rejected && !k.Retired
		})
	}
	switch {
	case (r.Action == decide.Evaluate || r.Reason == decide.ReasonEvaluatedBetter) && !p.CanEvaluate:
		t.Errorf("evaluates by nothing: %+v", r)
	case r.Action == decide.Evaluate:
		if len(r.Asked) == 0 || len(r.Asked) > decide.MaxAsked || e.RetrainOpen || slices.ContainsFunc(r.Asked, func(v string) bool { return !mayStandIn(v) }) {
			t.Errorf("asks for %v: %+v", r.Asked, r)
		}
	case r.Reason == decide.ReasonEvaluatedBetter:
		ok := slices.ContainsFunc(e.Evaluation.Versions, func(m decide.Measured) bool {
			return m.Version == r.Target && m.Gain > 0 && m.Gain > 2*m.StandardError
		})
		if !ok || !mayStandIn(r.Target) || e.Evaluation.Rows < 200 || e.Evaluation.Failed != "" {
			t.Errorf("goes to what was not measured to be better: %+v, %+v", r, e.Evaluation)
		}
	}
}

func sample(t *tape) decide.Sample {
	return decide.Sample{Requests: t.number(), Errors: t.number(), P99: t.number(), Labels: t.number(), ErrorSum: t.number(),
		ErrorSquares: t.number(), PredictionZ: t.number(), PredictionCritical: t.number(), PredictionJS: t.number(), Ready: t.yes(), ReadySince: t.when()}
}

func FuzzDecide(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(randomBytes(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { examine(t, data) })
}

func randomBytes(seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, 400)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return data
}

// The properties say little unless the worlds that are drawn lead to every kind
// of decision.
func TestProperties(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(20000) {
		got := examine(t, randomBytes(seed))
		seen[string(got.Action)]++
		seen[string(got.Cause)+"/"+string(got.Reason)]++
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, kind := range []string{
		"rollback", "retrain", "hold", "wait", "none", "bad_release/last_good", "input_drift/fits_and_better", "input_drift/none_fits",
		"input_drift/live_fits", "concept_drift/concept_drift", "blind/no_traffic", "broken_input/broken_input", "serving/serving",
		"input_drift/oscillation", "bad_release/cooldown", "human_changed/rejected_version_returned", "rolling_out/rolling_out",
		"correlated/correlated", "saturation/saturation", "input_drift/inputs_moving",
		"evaluate", "concept_drift/evaluated_better", "concept_drift/none_better", "concept_drift/evaluation_failed",
	} {
		if seen[kind] == 0 {
			t.Errorf("no world led to %s: %v", kind, seen)
		}
	}
}

// Day and night, each at home in a version of its own: however long it goes on,
// there is one change and no way back. What then stays for returnAfter is returned
// to.
func TestNeverBackAndForth(t *testing.T) {
	p := policy()
	p.ReturnAfter, p.ChangesPerDay, p.Cooldown, p.GoodAfter = 7*day, 1000, 0, hour
	start := now
	e := settled("1", "")
	e.SettledAt, e.RolloutSince = start.Add(-10*day), time.Time{}
	e.History[0].SettledAt = e.SettledAt
	changes := 0
	season := 80 // from then on it is as in every second half day
	for half := range 100 {
		at := start.Add(dur(half)*12*hour + 6*hour)
		today := []string{"1", "2"}[half%2]
		if half >= season {
			today = "1"
		}
		e.Alerts = nil
		m := &decide.Match{Rows: 5000}
		live := candidate(e.Active, 0.1, true, false)
		if today != e.Active {
			a := on(e.Active, alert(decide.AlertInputDrift, 0, "temp"))
			a.Window, a.ActiveAt = hour, at.Add(-hour)
			if half >= season {
				a.ActiveAt = start.Add(dur(season)*12*hour + 5*hour)
			}
			e.Alerts = []decide.Alert{a}
			live = candidate(e.Active, 0.4, false, false)
			m.Candidates = []decide.Candidate{candidate(today, 0.1, true, true)}
		}
		m.Live = &live
		d := decide.Decide(decide.Diagnose(e, p, at), m, e, p, at)
		if version, since, ok := decide.WantedBack(d); ok {
			for i := range e.History {
				if e.History[i].Version == version {
					e.History[i].WantedSince = since
					break
				}
			}
		}
		if !d.Action.Acts() {
			if today != e.Active && d.Reason != decide.ReasonOscillation {
				t.Errorf("half day %d: %s/%s: %s", half, d.Action, d.Reason, d.Message)
			}
			continue
		}
		if changes++; changes == 2 && half < season+14 {
			t.Errorf("half day %d: returned to, when inputs had stayed for %d half days", half, half-season)
		}
		e.Past = append([]decide.Past{{At: at, Action: d.Action, From: e.Active, To: d.Target, Cause: d.Cause}}, e.Past...)
		e.History[0].ReplacedAt, e.History[0].LeftFor = at, d.Cause
		e.Active, e.SettledAt = d.Target, at.Add(minute)
		e.History = append([]decide.Served{{Version: d.Target, SettledAt: e.SettledAt, SeenSince: seen(e.SettledAt)}}, e.History...)
	}
	if changes != 2 {
		t.Errorf("%d changes, want one at first, and one when inputs had stayed for a week", changes)
	}
}

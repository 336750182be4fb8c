package decide_test

import (
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

// december3 is summer's version in December; winter's served before it and was
// left by a person.
func december3() decide.Evidence {
	e := settled("3", "1")
	e.Alerts = drifted("3", 10*second)
	return e
}

func TestDecideByMatch(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*decide.Evidence, *decide.Match, *decide.Policy)
		want   want
	}{
		{"the nearest that fits", func(*decide.Evidence, *decide.Match, *decide.Policy) {},
			want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "1", "version 3 now in service: 0.245"}},
		{"too few rows", func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) { m.Rows = 999 },
			want{decide.InputDrift, decide.Hold, decide.ReasonTooFewRows, "", "needs 1000 rows and there are 999"}},
		{"live fits", func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) { m.Live.Fits = true },
			want{decide.InputDrift, decide.Hold, decide.ReasonLiveFits, "", ""}},
		{"live without a profile", func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) { m.Live = nil },
			want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "1", ""}},
		{"fits, but no better", func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) { m.Candidates[0].Better = false },
			want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", "not enough of an improvement"}},
		{"better, but does not fit", func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) { m.Candidates[0].Fits = false },
			want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", "does not fit"}},
		{"no other version", func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) { m.Candidates = nil },
			want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", "no other version"}},
		{"rejected", func(e *decide.Evidence, _ *decide.Match, _ *decide.Policy) { e.Versions[0].Rejected = true },
			want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", "may not stand in"}},
		{"rejected, the next fits as well", func(e *decide.Evidence, m *decide.Match, _ *decide.Policy) {
			e.Versions[0].Rejected = true
			m.Candidates[1] = candidate("2", 0.15, true, true)
		}, want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "2", ""}},
		{"neither served nor gated", func(e *decide.Evidence, _ *decide.Match, _ *decide.Policy) { e.History = e.History[:1] },
			want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", "version 1 would fit"}},
		{"gated, never served", func(e *decide.Evidence, _ *decide.Match, _ *decide.Policy) {
			e.History, e.Versions[0].Gated = e.History[:1], true
		}, want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "1", ""}},
		{"served with errors at its end", func(e *decide.Evidence, _ *decide.Match, _ *decide.Policy) {
			e.History[1].LastAlert = map[decide.AlertCause]time.Time{decide.AlertErrors: e.History[1].ReplacedAt}
		}, want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", "live and clean"}},
		{"served without anybody seeing it", func(e *decide.Evidence, _ *decide.Match, _ *decide.Policy) { e.History[1].SeenSince = nil },
			want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", "live and clean"}},
		{"served without labels", func(e *decide.Evidence, _ *decide.Match, _ *decide.Policy) {
			delete(e.History[1].SeenSince, decide.AlertQuality)
		}, want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "1", ""}},
		{"left with bad quality on its own inputs", func(e *decide.Evidence, _ *decide.Match, _ *decide.Policy) {
			e.History[1].LastAlert = map[decide.AlertCause]time.Time{decide.AlertQuality: e.History[1].ReplacedAt}
		}, want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", "live and clean"}},
		{"left with bad quality as inputs drifted", func(e *decide.Evidence, _ *decide.Match, _ *decide.Policy) {
			at := e.History[1].ReplacedAt
			e.History[1].LastAlert = map[decide.AlertCause]time.Time{decide.AlertQuality: at, decide.AlertInputDrift: at}
		}, want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "1", ""}},
		{"tolerance auto proposes", func(_ *decide.Evidence, _ *decide.Match, p *decide.Policy) { p.ToleranceAuto = true },
			want{decide.InputDrift, decide.Hold, decide.ReasonToleranceAuto, "1", "may approve"}},
		{"tolerance auto, calibrated", func(_ *decide.Evidence, m *decide.Match, p *decide.Policy) {
			p.ToleranceAuto, m.Candidates[0].Calibrated = true, true
		}, want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "1", ""}},
		{"tolerance auto: a calibrated one is acted on, though another is nearer", func(e *decide.Evidence, m *decide.Match, p *decide.Policy) {
			p.ToleranceAuto, e.Versions[1].Gated = true, true
			second := candidate("2", 0.16, true, true)
			second.Calibrated = true
			m.Candidates[1] = second
		}, want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "2", "version 1 ranks before it (distance 0.144, tolerance 0.2), but its tolerance was not learned"}},
		{"tolerance auto: a calibrated one that is no better is not", func(e *decide.Evidence, m *decide.Match, p *decide.Policy) {
			p.ToleranceAuto, e.Versions[1].Gated = true, true
			m.Candidates[1] = candidate("2", 0.2, true, false)
			m.Candidates[1].Calibrated = true
		}, want{decide.InputDrift, decide.Hold, decide.ReasonToleranceAuto, "1", "may approve"}},
		{"tolerance auto: a calibrated one that is not proven is not", func(e *decide.Evidence, m *decide.Match, p *decide.Policy) {
			p.ToleranceAuto, e.Versions[1].Gated = true, false
			m.Candidates[1] = candidate("2", 0.16, true, true)
			m.Candidates[1].Calibrated = true
		}, want{decide.InputDrift, decide.Hold, decide.ReasonToleranceAuto, "1", "may approve"}},
		{"a tolerance that was given: the nearest", func(e *decide.Evidence, m *decide.Match, p *decide.Policy) {
			e.Versions[1].Gated = true
			m.Candidates[1] = candidate("2", 0.16, true, true)
			m.Candidates[1].Calibrated = true
		}, want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "1", ""}},
		{"nothing may be acted on: the nearest is proposed", func(e *decide.Evidence, m *decide.Match, p *decide.Policy) {
			p.ToleranceAuto, e.Versions[1].Gated, m.ProposeOnly = true, true, true
			m.Candidates[1] = candidate("2", 0.16, true, true)
			m.Candidates[1].Calibrated = true
		}, want{decide.InputDrift, decide.Hold, decide.ReasonToleranceAuto, "1", "may approve"}},
		{"inputs do not predict quality", func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) {
			m.ProposeOnly, m.Trust = true, "inputs do not predict quality for this model: R2 = 0.04 over 11 data sets"
		}, want{decide.InputDrift, decide.Hold, decide.ReasonInputsSayNothing, "1", "but inputs do not predict quality for this model: R2 = 0.04 over 11 data sets: a person may"}},
		{"inputs do not predict quality, and nothing fits", func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) {
			m.ProposeOnly, m.Candidates[0].Fits = true, false
		}, want{decide.InputDrift, decide.Train, decide.ReasonNoneFits, "", ""}},
		{"by predicted error", func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) {
			m.Candidates[0].Predicted, m.Live.Predicted = 8.9, 13.3
		}, want{decide.InputDrift, decide.Rollback, decide.ReasonFits, "1", "tolerance 0.2, predicted error 8.9; version 3 now in service: 0.245, predicted error 13.3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, m, p := december3(), december(), policy()
			test.change(&e, m, &p)
			got := decide.Decide(decide.Diagnose(e, p, now), m, e, p, now)
			check(t, got, test.want)
			if proposes := got.Proposed == decide.Rollback && got.Target == "1"; proposes != (got.Reason == decide.ReasonToleranceAuto || got.Reason == decide.ReasonInputsSayNothing) {
				t.Errorf("proposed %q to %q", got.Proposed, got.Target)
			}
		})
	}
	check(t, both(december3(), nil), want{decide.InputDrift, decide.Hold, decide.ReasonNoData, "", "no live rows"})
}

func TestLimits(t *testing.T) {
	past := func(d time.Duration, action decide.Action, from, to string, cause decide.Cause) decide.Past {
		return decide.Past{At: ago(d), Action: action, From: from, To: to, Cause: cause}
	}
	none := december()
	none.Candidates = nil
	for _, test := range []struct {
		name   string
		m      *decide.Match
		change func(*decide.Evidence, *decide.Policy)
		reason decide.Reason // of the hold; empty: it acts
	}{
		{"cooldown", december(), func(e *decide.Evidence, _ *decide.Policy) {
			e.Past = []decide.Past{past(4*second, decide.Rollback, "2", "3", decide.BadRelease)}
		}, decide.ReasonCooldown},
		{"cooldown is over", december(), func(e *decide.Evidence, _ *decide.Policy) {
			e.Past = []decide.Past{past(5*second, decide.Rollback, "2", "3", decide.BadRelease)}
		}, ""},
		{"a training is no change", december(), func(e *decide.Evidence, _ *decide.Policy) {
			e.Past = []decide.Past{past(4*second, decide.Train, "3", "", decide.InputDrift)}
		}, ""},
		{"a person's change ends the cooldown", december(), func(e *decide.Evidence, _ *decide.Policy) {
			e.Past = []decide.Past{past(4*second, decide.Rollback, "2", "1", decide.BadRelease)}
			e.Human, e.HumanAt = true, ago(3*second)
		}, ""},
		{"a person's change of before does not", december(), func(e *decide.Evidence, _ *decide.Policy) {
			e.Past = []decide.Past{past(4*second, decide.Rollback, "2", "3", decide.BadRelease)}
			e.Human, e.HumanAt = true, ago(5*second)
		}, decide.ReasonCooldown},
		{"changes a day", december(), func(e *decide.Evidence, p *decide.Policy) {
			p.ChangesPerDay = 2
			e.Past = []decide.Past{past(hour, decide.Redeploy, "1", "3", decide.None), past(23*hour, decide.Rollback, "2", "1", decide.None)}
		}, decide.ReasonChangesPerDay},
		{"changes of the day before", december(), func(e *decide.Evidence, p *decide.Policy) {
			p.ChangesPerDay = 2
			e.Past = []decide.Past{past(hour, decide.Redeploy, "1", "3", decide.None), past(24*hour, decide.Rollback, "2", "1", decide.None)}
		}, ""},
		{"no changes allowed", december(), func(_ *decide.Evidence, p *decide.Policy) { p.ChangesPerDay = 0 }, decide.ReasonChangesPerDay},
		{"others act", december(), func(e *decide.Evidence, _ *decide.Policy) { e.FleetGuards, e.FleetActing = 39, 1 }, decide.ReasonFleetLimit},
		{"one in twenty may", december(), func(e *decide.Evidence, _ *decide.Policy) { e.FleetGuards, e.FleetActing = 40, 1 }, ""},
		{"left for drift, says the history", december(), func(e *decide.Evidence, p *decide.Policy) {
			p.ReturnAfter = hour
			e.History[1].LeftFor = decide.InputDrift
		}, decide.ReasonOscillation},
		{"left for drift, long ago", december(), func(e *decide.Evidence, p *decide.Policy) {
			p.ReturnAfter = 10 * minute
			e.History[1].LeftFor = decide.InputDrift
		}, ""},
		{"left for something else", december(), func(e *decide.Evidence, p *decide.Policy) {
			p.ReturnAfter = hour
			e.Past = []decide.Past{past(10*minute+10*second, decide.Rollback, "1", "3", decide.BadRelease)}
		}, ""},
		{"left for drift, says the past alone", december(), func(e *decide.Evidence, p *decide.Policy) {
			p.ReturnAfter = hour
			e.History, e.Versions[0].Gated = e.History[:1], true
			e.Past = []decide.Past{past(10*minute, decide.Redeploy, "1", "3", decide.InputDrift)}
		}, decide.ReasonOscillation},
		{"left for drift, but served again since", december(), func(e *decide.Evidence, p *decide.Policy) {
			p.ReturnAfter = day
			e.Past = []decide.Past{past(2*hour, decide.Redeploy, "1", "3", decide.InputDrift)}
		}, ""},
		{"an earlier stay was left for drift, the latest was not", december(), func(e *decide.Evidence, p *decide.Policy) {
			p.ReturnAfter = day
			e.History = append(e.History, decide.Served{Version: "1", SettledAt: ago(3 * hour), ReplacedAt: ago(2 * hour), LeftFor: decide.InputDrift, SeenSince: seen(ago(3 * hour))})
		}, ""},
		{"a training is open, a version fits", december(), func(e *decide.Evidence, _ *decide.Policy) { e.RetrainOpen = true }, ""},

		{"train", none, func(*decide.Evidence, *decide.Policy) {}, ""},
		{"nothing to train with", none, func(_ *decide.Evidence, p *decide.Policy) { p.CanRetrain = false }, decide.ReasonNoRetrain},
		{"a training is open", none, func(e *decide.Evidence, _ *decide.Policy) { e.RetrainOpen = true }, decide.ReasonRetrainOpen},
		{"trainings a week", none, func(e *decide.Evidence, p *decide.Policy) {
			p.RetrainsPerWeek = 1
			e.Past = []decide.Past{past(6*day, decide.Train, "3", "", decide.InputDrift)}
		}, decide.ReasonRetrainsPerWeek},
		{"trainings of the week before", none, func(e *decide.Evidence, p *decide.Policy) {
			p.RetrainsPerWeek = 1
			e.Past = []decide.Past{past(7*day, decide.Train, "3", "", decide.InputDrift)}
		}, ""},
		{"changes do not count as trainings", none, func(e *decide.Evidence, p *decide.Policy) {
			p.RetrainsPerWeek = 1
			e.Past = []decide.Past{past(4*second, decide.Rollback, "1", "3", decide.BadRelease)}
		}, ""},
		{"others act, so no training", none, func(e *decide.Evidence, _ *decide.Policy) { e.FleetActing = 1 }, decide.ReasonFleetLimit},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, p := december3(), policy()
			test.change(&e, &p)
			got := decide.Decide(decide.Diagnose(e, p, now), test.m, e, p, now)
			if test.reason == "" && !got.Action.Acts() || test.reason != "" && (got.Action != decide.Hold || got.Reason != test.reason) {
				t.Errorf("got %s/%s, want a hold for %q: %s", got.Action, got.Reason, test.reason, got.Message)
			}
		})
	}
}

// What has changed between the diagnosis and the decision still holds an act.
func TestDecideOnLaterEvidence(t *testing.T) {
	e := december3()
	d := decide.Diagnose(e, policy(), now)
	e.Blind = decide.ReasonPartialProfile
	check(t, decide.Decide(d, december(), e, policy(), now), want{decide.InputDrift, decide.Hold, decide.ReasonPartialProfile, "", ""})
	e.Blind, e.Versions = "", e.Versions[:2]
	check(t, decide.Decide(d, &decide.Match{Rows: 4000}, e, policy(), now), want{decide.InputDrift, decide.Hold, decide.ReasonUnregistered, "", ""})
}

func TestAfterRetrain(t *testing.T) {
	for _, test := range []struct {
		name   string
		cause  decide.Cause // trained for
		change func(*decide.Evidence, *decide.Match, *decide.Retrained)
		want   want
	}{
		{"fits and is better", decide.InputDrift, func(*decide.Evidence, *decide.Match, *decide.Retrained) {},
			want{decide.InputDrift, decide.Redeploy, decide.ReasonGatePassed, "4", "deploy version 4"}},
		{"tainted", decide.InputDrift, func(_ *decide.Evidence, _ *decide.Match, r *decide.Retrained) { r.Tainted = true },
			want{decide.InputDrift, decide.Hold, decide.ReasonTainted, "", ""}},
		{"rejected since", decide.InputDrift, func(e *decide.Evidence, _ *decide.Match, _ *decide.Retrained) { e.Versions[3].Rejected = true },
			want{decide.InputDrift, decide.Hold, decide.ReasonNoGoodVersion, "", ""}},
		{"drift is gone", decide.InputDrift, func(e *decide.Evidence, _ *decide.Match, _ *decide.Retrained) { e.Alerts = nil },
			want{decide.InputDrift, decide.Hold, decide.ReasonDriftGone, "", "version 3 stays"}},
		{"drift may come again", decide.InputDrift, func(e *decide.Evidence, _ *decide.Match, _ *decide.Retrained) {
			e.Alerts = []decide.Alert{on("3", pending(alert(decide.AlertInputDrift, second, "temp")))}
		}, want{decide.InputDrift, decide.Wait, decide.ReasonWaitsForHigherCause, "", ""}},
		{"inputs no longer drift, predictions do", decide.InputDrift, func(e *decide.Evidence, _ *decide.Match, _ *decide.Retrained) {
			e.Alerts = []decide.Alert{on("3", alert(decide.AlertPredictionDrift, second, "y"))}
		}, want{decide.InputDrift, decide.Hold, decide.ReasonDriftGone, "", ""}},
		{"just settled", decide.InputDrift, func(e *decide.Evidence, _ *decide.Match, _ *decide.Retrained) { e.SettledAt = ago(10 * second) },
			want{decide.InputDrift, decide.Wait, decide.ReasonSettling, "", ""}},
		{"blind", decide.InputDrift, func(e *decide.Evidence, _ *decide.Match, _ *decide.Retrained) { e.Blind = decide.ReasonNoData },
			want{decide.InputDrift, decide.Wait, decide.ReasonNoData, "", ""}},
		{"input is broken", decide.InputDrift, func(e *decide.Evidence, _ *decide.Match, _ *decide.Retrained) {
			e.Alerts = append(e.Alerts, on("3", alert(decide.AlertBrokenInput, second, "temp")))
		}, want{decide.InputDrift, decide.Wait, decide.ReasonBrokenInput, "", ""}},
		{"errors", decide.InputDrift, func(e *decide.Evidence, _ *decide.Match, _ *decide.Retrained) {
			e.Alerts = append(e.Alerts, on("3", alert(decide.AlertErrors, second, "5xx")))
		}, want{decide.InputDrift, decide.Wait, decide.ReasonServing, "", ""}},
		{"live fits again", decide.InputDrift, func(_ *decide.Evidence, m *decide.Match, _ *decide.Retrained) { m.Live.Fits = true },
			want{decide.InputDrift, decide.Hold, decide.ReasonLiveFits, "", ""}},
		{"the world moved on", decide.InputDrift, func(_ *decide.Evidence, m *decide.Match, _ *decide.Retrained) { m.Candidates[0].Fits = false },
			want{decide.InputDrift, decide.Hold, decide.ReasonNoneFits, "", "moved on"}},
		{"not better", decide.InputDrift, func(_ *decide.Evidence, m *decide.Match, _ *decide.Retrained) { m.Candidates[0].Better = false },
			want{decide.InputDrift, decide.Hold, decide.ReasonNoneFits, "", ""}},
		{"excluded from the match", decide.InputDrift, func(_ *decide.Evidence, m *decide.Match, _ *decide.Retrained) { m.Candidates = m.Candidates[1:] },
			want{decide.InputDrift, decide.Hold, decide.ReasonNoneFits, "", "not among"}},
		{"too few rows", decide.InputDrift, func(_ *decide.Evidence, m *decide.Match, _ *decide.Retrained) { m.Rows = 10 },
			want{decide.InputDrift, decide.Hold, decide.ReasonTooFewRows, "", ""}},
		{"cooldown", decide.InputDrift, func(e *decide.Evidence, _ *decide.Match, _ *decide.Retrained) {
			e.Past = []decide.Past{{At: ago(second), Action: decide.Rollback, From: "2", To: "3"}}
		}, want{decide.InputDrift, decide.Hold, decide.ReasonCooldown, "", ""}},
		{"quality fell: it need not look better", decide.ConceptDrift, func(e *decide.Evidence, m *decide.Match, _ *decide.Retrained) {
			e.Alerts = []decide.Alert{on("3", alert(decide.AlertQuality, 9*second, ""))}
			m.Live.Fits, m.Candidates[0].Better = true, false
		}, want{decide.ConceptDrift, decide.Redeploy, decide.ReasonGatePassed, "4", ""}},
		{"quality fell, and it does not fit", decide.ConceptDrift, func(e *decide.Evidence, m *decide.Match, _ *decide.Retrained) {
			e.Alerts = []decide.Alert{on("3", alert(decide.AlertQuality, 9*second, ""))}
			m.Candidates[0].Fits = false
		}, want{decide.ConceptDrift, decide.Hold, decide.ReasonNoneFits, "", ""}},
		{"quality is back", decide.ConceptDrift, func(e *decide.Evidence, _ *decide.Match, _ *decide.Retrained) { e.Alerts = nil },
			want{decide.ConceptDrift, decide.Hold, decide.ReasonDriftGone, "", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, m, r := december3(), december(), decide.Retrained{Version: "4", Cause: test.cause}
			e.RetrainOpen = true
			e.Versions = append(e.Versions, decide.Known{Version: "4", Compat: "a", Schema: "s", Gated: true})
			m.Candidates = append([]decide.Candidate{candidate("4", 0.05, true, true)}, m.Candidates...)
			test.change(&e, m, &r)
			got := decide.AfterRetrain(r, decide.Diagnose(e, policy(), now), m, e, policy(), now)
			check(t, got, test.want)
		})
	}
}

package decide_test

import (
	"testing"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
)

// elsewhere are the reasons that nothing in this package comes to: package guard
// finds them out, and its tests reach each.
var elsewhere = []decide.Reason{
	decide.ReasonArtifactMissing, decide.ReasonArtifactDigest, decide.ReasonArtifactUnreachable, decide.ReasonNotAllowed,
	decide.ReasonNoVersion, decide.ReasonTwoVersions, decide.ReasonJobFailed, decide.ReasonRetrainTimeout,
	decide.ReasonTriggerRefused, decide.ReasonTriggerUnreachable,
	decide.ReasonEvaluated, decide.ReasonReportUnusable, decide.ReasonEvaluationTimeout,
}

// reached says how each of the others is come to.
func reached() map[decide.Reason]func() decide.Reason {
	evidence := func(change func(*decide.Evidence)) func() decide.Reason {
		return func() decide.Reason {
			e := settled("1", "3")
			change(&e)
			return both(e, nil).Reason
		}
	}
	alerted := func(alerts ...decide.Alert) func() decide.Reason {
		return evidence(func(e *decide.Evidence) { e.Alerts = alerts })
	}
	blind := func(r decide.Reason) func() decide.Reason {
		return evidence(func(e *decide.Evidence) { e.Blind = r })
	}
	matched := func(change func(*decide.Evidence, *decide.Match, *decide.Policy)) func() decide.Reason {
		return func() decide.Reason {
			e, m, p := december3(), december(), policy()
			change(&e, m, &p)
			return decide.Decide(decide.Diagnose(e, p, now), m, e, p, now).Reason
		}
	}
	none := func(change func(*decide.Evidence, *decide.Policy)) func() decide.Reason {
		return matched(func(e *decide.Evidence, m *decide.Match, p *decide.Policy) {
			m.Candidates = nil
			change(e, p)
		})
	}
	trained := func(r decide.Retrained, change func(*decide.Evidence, *decide.Match)) func() decide.Reason {
		return func() decide.Reason {
			e, m := december3(), december()
			e.Versions = append(e.Versions, decide.Known{Version: "4", Compat: "a", Schema: "s", Gated: true})
			m.Candidates = append([]decide.Candidate{candidate("4", 0.1, true, true)}, m.Candidates...)
			change(&e, m)
			return decide.AfterRetrain(r, decide.Diagnose(e, policy(), now), m, e, policy(), now).Reason
		}
	}
	four := decide.Retrained{Version: "4", Cause: decide.InputDrift}
	verified := func(before, after decide.Sample, applied time.Duration) func() decide.Reason {
		return func() decide.Reason { return decide.Verify(before, after, policy(), ago(applied), now).Reason }
	}
	good := decide.Sample{Requests: 5000, P99: 0.02, Ready: true, ReadySince: ago(20 * second)}
	bad := good
	bad.Errors = 1000
	gate := func(candidate, live float64) func() decide.Reason {
		return func() decide.Reason {
			most := 1.05
			metrics := func(x float64) map[string]float64 {
				if x == 0 {
					return nil
				}
				return map[string]float64{"mae": x}
			}
			_, reason, _ := decide.Gate([]decide.GateRule{{Metric: "mae", Max: &most, RelativeToLive: true}}, metrics(candidate), metrics(live))
			return reason
		}
	}
	errors := alert(decide.AlertErrors, 5*second, "5xx")
	latency := alert(decide.AlertLatency, 5*second, "")
	quality := alert(decide.AlertQuality, 5*second, "")
	inputs := alert(decide.AlertInputDrift, 5*second, "temp")
	young := func(change func(*decide.Evidence)) func() decide.Reason {
		return func() decide.Reason {
			e := released(8*second, true)
			e.Alerts = []decide.Alert{on("5", errors)}
			change(&e)
			return both(e, nil).Reason
		}
	}
	evaluated := func(v *decide.Evaluation) func() decide.Reason {
		return func() decide.Reason {
			e, p := fallen()
			e.Evaluation = v
			return decide.Decide(decide.Diagnose(e, p, now), nil, e, p, now).Reason
		}
	}
	past := func(action decide.Action, from, to string) []decide.Past {
		return []decide.Past{{At: ago(4 * second), Action: action, From: from, To: to, Cause: decide.InputDrift}}
	}
	return map[decide.Reason]func() decide.Reason{
		decide.ReasonHealthy:           alerted(),
		decide.ReasonNoTraffic:         blind(decide.ReasonNoTraffic),
		decide.ReasonNoData:            blind(decide.ReasonNoData),
		decide.ReasonPartialProfile:    blind(decide.ReasonPartialProfile),
		decide.ReasonSourceUnreachable: blind(decide.ReasonSourceUnreachable),
		decide.ReasonSidecarMissing:    blind(decide.ReasonSidecarMissing),
		decide.ReasonTooFewRows:        matched(func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) { m.Rows = 999 }),
		decide.ReasonHumanChanged:      young(func(e *decide.Evidence) { e.OpenSince = ago(10 * second) }),
		decide.ReasonRejectedReturned: young(func(e *decide.Evidence) {
			e.Versions[3].Rejected, e.Versions[3].RejectedAt = true, ago(minute)
		}),
		decide.ReasonVersionMismatch:     evidence(func(e *decide.Evidence) { e.Mismatch = "s3://models/flights/7" }),
		decide.ReasonRollingOut:          evidence(func(e *decide.Evidence) { e.RollingOut = true }),
		decide.ReasonSettling:            young(func(e *decide.Evidence) { e.Alerts = []decide.Alert{on("5", inputs)} }),
		decide.ReasonWaitsForHigherCause: alerted(inputs, pending(errors)),
		decide.ReasonCorrelated: evidence(func(e *decide.Evidence) {
			e.Alerts = []decide.Alert{inputs}
			e.Onsets = []decide.Onset{onset("flights", 5*second), onset("fraud", 6*second), onset("price", 7*second)}
		}),
		decide.ReasonBrokenInput:     alerted(alert(decide.AlertBrokenInput, 5*second, "temp")),
		decide.ReasonLastGood:        young(func(*decide.Evidence) {}),
		decide.ReasonNoGoodVersion:   young(func(e *decide.Evidence) { e.Versions[2].Rejected = true }),
		decide.ReasonFirstVersion:    young(func(e *decide.Evidence) { e.History, e.Versions = e.History[:1], e.Versions[3:] }),
		decide.ReasonUnregistered:    young(func(e *decide.Evidence) { e.Versions = e.Versions[:3] }),
		decide.ReasonEmptyRegistry:   young(func(e *decide.Evidence) { e.Versions = nil }),
		decide.ReasonServing:         alerted(errors),
		decide.ReasonPredictionDrift: alerted(alert(decide.AlertPredictionDrift, 5*second, "y")),
		decide.ReasonExpectedError:   alerted(estimated(quality)),
		decide.ReasonConceptDrift:    alerted(quality),

		decide.ReasonEvaluatedBetter:  evaluated(showed(gained("2", 0.041, 0.006))),
		decide.ReasonNoneBetter:       evaluated(showed(gained("2", 0.01, 0.006))),
		decide.ReasonEvaluationFailed: evaluated(&decide.Evaluation{AskedAt: ago(4 * second), EndedAt: ago(2 * second), Failed: decide.ReasonJobFailed}),
		decide.ReasonSaturation: evidence(func(e *decide.Evidence) {
			e.Alerts, e.Load = []decide.Alert{latency}, decide.Load{Requests: 300, RequestsBefore: 100}
		}),
		decide.ReasonInputDrift: func() decide.Reason { return decide.Diagnose(december3(), policy(), now).Reason },
		decide.ReasonLiveFits:   matched(func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) { m.Live.Fits = true }),
		decide.ReasonFits:       matched(func(*decide.Evidence, *decide.Match, *decide.Policy) {}),
		decide.ReasonNoneFits:   none(func(*decide.Evidence, *decide.Policy) {}),
		decide.ReasonInputsMoving: matched(func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) {
			m.Candidates[0] = candidate("1", 0.22, false, false)
			m.Newer = []decide.Candidate{candidate("1", 0.18, true, true)}
		}),
		decide.ReasonToleranceAuto:    matched(func(_ *decide.Evidence, _ *decide.Match, p *decide.Policy) { p.ToleranceAuto = true }),
		decide.ReasonInputsSayNothing: matched(func(_ *decide.Evidence, m *decide.Match, _ *decide.Policy) { m.ProposeOnly = true }),
		decide.ReasonCooldown:         matched(func(e *decide.Evidence, _ *decide.Match, _ *decide.Policy) { e.Past = past(decide.Rollback, "2", "3") }),
		decide.ReasonChangesPerDay:    matched(func(_ *decide.Evidence, _ *decide.Match, p *decide.Policy) { p.ChangesPerDay = 0 }),
		decide.ReasonOscillation: matched(func(e *decide.Evidence, _ *decide.Match, p *decide.Policy) {
			p.ReturnAfter, e.History[1].LeftFor = hour, decide.InputDrift
		}),
		decide.ReasonFleetLimit: matched(func(e *decide.Evidence, _ *decide.Match, _ *decide.Policy) { e.FleetActing = 1 }),
		decide.ReasonRetrainsPerWeek: none(func(e *decide.Evidence, p *decide.Policy) {
			p.RetrainsPerWeek, e.Past = 1, past(decide.Train, "3", "")
		}),
		decide.ReasonRetrainOpen:  none(func(e *decide.Evidence, _ *decide.Policy) { e.RetrainOpen = true }),
		decide.ReasonNoRetrain:    none(func(_ *decide.Evidence, p *decide.Policy) { p.CanRetrain = false }),
		decide.ReasonGatePassed:   trained(four, func(*decide.Evidence, *decide.Match) {}),
		decide.ReasonGateFailed:   gate(12, 10),
		decide.ReasonNoComparison: gate(12, 0),
		decide.ReasonDriftGone:    trained(four, func(e *decide.Evidence, _ *decide.Match) { e.Alerts = nil }),
		decide.ReasonTainted: trained(decide.Retrained{Version: "4", Cause: decide.InputDrift, Tainted: true},
			func(*decide.Evidence, *decide.Match) {}),
		decide.ReasonVerifying:    verified(good, good, 5*second),
		decide.ReasonVerified:     verified(good, good, minute),
		decide.ReasonNotReady:     verified(good, decide.Sample{}, hour),
		decide.ReasonWorse:        verified(good, bad, minute),
		decide.ReasonInconclusive: verified(good, decide.Sample{Ready: true, ReadySince: ago(minute)}, minute),
	}
}

// A reason that is added needs a way to it, and one that nothing comes to is none.
func TestEveryReasonIsReached(t *testing.T) {
	ways := reached()
	for _, r := range elsewhere {
		ways[r] = func() decide.Reason { return r }
	}
	for word := range declared(t, "reason.go", "Reason") {
		way, ok := ways[decide.Reason(word)]
		if !ok {
			t.Errorf("nothing here comes to %s: add the way to it, or remove it", word)
			continue
		}
		if got := way(); got != decide.Reason(word) {
			t.Errorf("got %s, want %s", got, word)
		}
	}
}

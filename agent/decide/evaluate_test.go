package decide_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/leeway-dev/leeway/agent/decide"
)

// fallen has version 3's quality fall five seconds ago, where others can be measured.
func fallen() (decide.Evidence, decide.Policy) {
	e, p := settled("3", "1"), policy()
	p.CanEvaluate = true
	e.Alerts = []decide.Alert{on("3", alert(decide.AlertQuality, 5*second, ""))}
	return e, p
}

func showed(versions ...decide.Measured) *decide.Evaluation {
	return &decide.Evaluation{
		Decision: "flights-1", AskedAt: ago(4 * second), EndedAt: ago(2 * second), Rows: 4000, Loss: "mae", Live: 0.31, Versions: versions,
	}
}

func gained(version string, gain, se float64) decide.Measured {
	return decide.Measured{Version: version, Mean: 0.31 - gain, Gain: gain, StandardError: se}
}

func TestEvaluate(t *testing.T) {
	ask := want{decide.ConceptDrift, decide.Evaluate, decide.ReasonConceptDrift, "", "measure 2 other versions beside it"}
	train := func(reason decide.Reason, says string) want {
		return want{decide.ConceptDrift, decide.Train, reason, "", says}
	}
	held := func(reason decide.Reason, says string) want {
		return want{decide.ConceptDrift, decide.Hold, reason, "", says}
	}
	better := []decide.Measured{gained("2", 0.041, 0.006), gained("1", 0.02, 0.002)}
	tests := []struct {
		name   string
		change func(*decide.Evidence, *decide.Policy)
		want   want
	}{
		{"nothing was measured", func(*decide.Evidence, *decide.Policy) {}, ask},
		{"nothing can be", func(_ *decide.Evidence, p *decide.Policy) { p.CanEvaluate = false },
			train(decide.ReasonConceptDrift, "did not change: train on today's labels")},
		{"there is no other", func(e *decide.Evidence, _ *decide.Policy) { e.Versions = e.Versions[2:] },
			train(decide.ReasonNoneBetter, "no other version to measure")},
		{"one is open", func(e *decide.Evidence, _ *decide.Policy) { e.RetrainOpen = true },
			held(decide.ReasonRetrainOpen, "under way")},
		{"others act", func(e *decide.Evidence, _ *decide.Policy) { e.FleetActing = 1 },
			held(decide.ReasonFleetLimit, "at most 1")},

		{"the best wins", func(e *decide.Evidence, _ *decide.Policy) { e.Evaluation = showed(better...) },
			want{decide.ConceptDrift, decide.Rollback, decide.ReasonEvaluatedBetter, "2", "version 2 is better by more than two standard errors (mae less by 0.041 ± 0.006: 0.269, version in service 0.31)"}},
		{"whatever the order", func(e *decide.Evidence, _ *decide.Policy) { e.Evaluation = showed(better[1], better[0]) },
			want{decide.ConceptDrift, decide.Rollback, decide.ReasonEvaluatedBetter, "2", ""}},
		{"a large gain by chance does not", func(e *decide.Evidence, _ *decide.Policy) {
			e.Evaluation = showed(gained("2", 0.041, 0.03), better[1])
		}, want{decide.ConceptDrift, decide.Rollback, decide.ReasonEvaluatedBetter, "1", ""}},
		{"the best was rejected", func(e *decide.Evidence, _ *decide.Policy) {
			e.Evaluation, e.Versions[1].Rejected = showed(better...), true
		}, want{decide.ConceptDrift, decide.Rollback, decide.ReasonEvaluatedBetter, "1", ""}},
		{"all were", func(e *decide.Evidence, _ *decide.Policy) {
			e.Evaluation, e.Versions[0].Rejected, e.Versions[1].Retired = showed(better...), true, true
		}, train(decide.ReasonNoneBetter, "version 2, may not stand in")},
		{"every row agrees", func(e *decide.Evidence, _ *decide.Policy) { e.Evaluation = showed(gained("1", 0.01, 0)) },
			want{decide.ConceptDrift, decide.Rollback, decide.ReasonEvaluatedBetter, "1", ""}},

		{"two standard errors are not beyond them", func(e *decide.Evidence, _ *decide.Policy) { e.Evaluation = showed(gained("2", 0.012, 0.006)) },
			train(decide.ReasonNoneBetter, "version 2, is not better by two standard errors (mae less by 0.012 ± 0.006")},
		{"none differs", func(e *decide.Evidence, _ *decide.Policy) { e.Evaluation = showed(gained("2", 0, 0)) },
			train(decide.ReasonNoneBetter, "of 1 other version")},
		{"all are worse", func(e *decide.Evidence, _ *decide.Policy) {
			e.Evaluation = showed(gained("2", -0.2, 0.006), gained("1", -0.1, 0.006))
		}, train(decide.ReasonNoneBetter, "the nearest, version 1")},
		{"numbers that are none", func(e *decide.Evidence, _ *decide.Policy) { e.Evaluation = showed(gained("2", math.NaN(), math.NaN())) },
			train(decide.ReasonNoneBetter, "")},
		{"nothing was named", func(e *decide.Evidence, _ *decide.Policy) { e.Evaluation = showed() },
			train(decide.ReasonNoneBetter, "no other version was measured")},
		{"none is better, and nothing trains", func(e *decide.Evidence, p *decide.Policy) {
			e.Evaluation, p.CanRetrain = showed(gained("2", 0.01, 0.006)), false
		}, held(decide.ReasonNoneBetter, "nothing to train with")},
		{"none is better, and trainings are used up", func(e *decide.Evidence, p *decide.Policy) {
			e.Evaluation, p.RetrainsPerWeek = showed(gained("2", 0.01, 0.006)), 0
		}, held(decide.ReasonRetrainsPerWeek, "is not better")},
		{"it failed", func(e *decide.Evidence, _ *decide.Policy) {
			e.Evaluation = showed()
			e.Evaluation.Failed, e.Evaluation.Detail = decide.ReasonJobFailed, "job x failed"
		}, train(decide.ReasonEvaluationFailed, "came to nothing (job_failed: job x failed)")},
		{"it failed, and nothing trains", func(e *decide.Evidence, p *decide.Policy) {
			e.Evaluation, p.CanRetrain = showed(), false
			e.Evaluation.Failed = decide.ReasonReportUnusable
		}, held(decide.ReasonEvaluationFailed, "report_unusable")},
		{"on too few rows", func(e *decide.Evidence, _ *decide.Policy) {
			e.Evaluation = showed(better...)
			e.Evaluation.Rows = 199
		}, train(decide.ReasonEvaluationFailed, "199 labelled rows")},

		{"it was of before", func(e *decide.Evidence, _ *decide.Policy) {
			e.Evaluation = showed(better...)
			e.Evaluation.AskedAt, e.Evaluation.EndedAt = ago(7*second), ago(6*second)
		}, ask},
		{"it was of a moment before", func(e *decide.Evidence, _ *decide.Policy) {
			e.Evaluation = showed(better...)
			e.Evaluation.AskedAt, e.Evaluation.EndedAt = ago(7*second), ago(4*second)
		}, held(decide.ReasonCooldown, "the last evaluation ended 4s ago, and the cooldown is 5s")},
		{"it is out of the window", func(e *decide.Evidence, _ *decide.Policy) {
			e.Alerts[0].ActiveAt = ago(40 * second)
			e.Evaluation = showed(better...)
			e.Evaluation.AskedAt, e.Evaluation.EndedAt = ago(30*second), ago(15*second)
		}, ask},
		{"it is at the end of the window", func(e *decide.Evidence, _ *decide.Policy) {
			e.Alerts[0].ActiveAt = ago(40 * second)
			e.Evaluation = showed(better...)
			e.Evaluation.AskedAt, e.Evaluation.EndedAt = ago(30*second), ago(14*second)
		}, want{decide.ConceptDrift, decide.Rollback, decide.ReasonEvaluatedBetter, "2", ""}},

		{"a change was just made", func(e *decide.Evidence, _ *decide.Policy) {
			e.Evaluation = showed(better...)
			e.Past = []decide.Past{{At: ago(4 * second), Action: decide.Rollback, From: "1", To: "3", Cause: decide.InputDrift}}
		}, held(decide.ReasonCooldown, "the last change")},
		{"it was left for that", func(e *decide.Evidence, p *decide.Policy) {
			e.Evaluation = showed(gained("1", 0.041, 0.006))
			p.ReturnAfter, e.History[1].LeftFor = hour, decide.ConceptDrift
		}, held(decide.ReasonOscillation, "version 1 was left for drift")},
		{"inputs drift as well", func(e *decide.Evidence, _ *decide.Policy) {
			e.Evaluation = showed(better...)
			e.Alerts = append(e.Alerts, on("3", pending(alert(decide.AlertInputDrift, 3*second, "temp"))))
		}, want{decide.ConceptDrift, decide.Wait, decide.ReasonWaitsForHigherCause, "", "input drift"}},
		{"the version in service is unknown", func(e *decide.Evidence, _ *decide.Policy) { e.Versions = e.Versions[:2] },
			held(decide.ReasonUnregistered, "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, p := fallen()
			tt.change(&e, &p)
			got := decide.Decide(decide.Diagnose(e, p, now), nil, e, p, now)
			check(t, got, tt.want)
			if asks := got.Action == decide.Evaluate; asks != slices.Equal(got.Asked, []string{"2", "1"}) {
				t.Errorf("%s of %v", got.Action, got.Asked)
			}
		})
	}
}

// What is asked for: what has proven itself first, the newest first, no more than
// there is room for, and never what may not stand in.
func TestEvaluateAsks(t *testing.T) {
	e, p := fallen()
	for n := 4; n < 40; n++ {
		e.Versions = append(e.Versions, decide.Known{Version: fmt.Sprint(n), Compat: "a", Schema: "s", Rejected: n == 39, Gated: n == 7})
	}
	e.Versions[36].Schema = "another" // 37
	got := decide.Decide(decide.Diagnose(e, p, now), nil, e, p, now).Asked
	if want := []string{"7", "2", "1", "38", "36", "35"}; len(got) != decide.MaxAsked || !slices.Equal(got[:6], want) {
		t.Errorf("asks for %v, want %v, … %d", got, want, decide.MaxAsked)
	}
}

// A version trained while quality fell is judged by the gate as before.
func TestEvaluateThenRedeploy(t *testing.T) {
	e, p := fallen()
	e.Versions = append(e.Versions, decide.Known{Version: "4", Compat: "a", Schema: "s", Gated: true})
	e.Evaluation = showed(gained("2", 0.041, 0.006))
	live := candidate("3", 0.1, true, false)
	m := &decide.Match{Rows: 4000, Live: &live, Candidates: []decide.Candidate{candidate("4", 0.1, true, false)}}
	got := decide.AfterRetrain(decide.Retrained{Version: "4", Cause: decide.ConceptDrift}, decide.Diagnose(e, p, now), m, e, p, now)
	check(t, got, want{decide.ConceptDrift, decide.Redeploy, decide.ReasonGatePassed, "4", ""})
}

package explain_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/explain"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) time.Time { return noon.Add(-d) }

// served has version 2 in service for ten hours, after version 1.
func served() decide.Evidence {
	e := decide.Evidence{
		Namespace: "ml", Model: "churn", Active: "2", SettledAt: before(10 * time.Hour), RolloutSince: before(10*time.Hour + time.Minute),
		RolloutRequests: 1e6, FleetGuards: 1,
		History: []decide.Served{
			{Version: "2", SettledAt: before(10 * time.Hour)},
			{Version: "1", SettledAt: before(100 * time.Hour), ReplacedAt: before(10*time.Hour + time.Minute),
				SeenSince: map[decide.AlertCause]time.Time{decide.AlertErrors: before(100 * time.Hour), decide.AlertQuality: before(100 * time.Hour)}},
		},
	}
	for _, v := range []string{"1", "2", "3", "4"} {
		e.Versions = append(e.Versions, decide.Known{Version: v, Gated: v == "3", Compat: "a", Schema: "s"})
	}
	return e
}

func policy() decide.Policy {
	return decide.Policy{
		MatchWindow: 24 * time.Hour, MinSamples: 1000, GoodAfter: time.Hour, VerifyFor: 5 * time.Minute, Cooldown: 30 * time.Minute,
		ChangesPerDay: 4, RetrainsPerWeek: 2, ReturnAfter: 7 * 24 * time.Hour, CanRetrain: true,
	}
}

func alertOn(cause decide.AlertCause, window, active time.Duration, value, threshold float64) decide.Alert {
	a := decide.Alert{
		Name: "Leeway" + string(cause), Cause: cause, Window: window, Firing: true, ActiveAt: before(active),
		Namespace: "ml", Model: "churn", Version: "2", Subject: "age", Value: value, Threshold: threshold,
	}
	if cause == decide.AlertInputDrift {
		a.Clock = decide.Act
	}
	return a
}

// ranked is a match in which version 1 is nearest, version 3 next, 4 too far and
// version 2 in service.
func ranked() *evidence.Match {
	m := &evidence.Match{From: before(time.Hour), To: noon, Pods: 2, Live: &profile.Profile{Rows: 5000}}
	m.Result = registry.Result{Rows: 5000, Live: "2", Rule: registry.RuleDistance}
	for _, v := range []struct {
		version  string
		distance float64
		column   float64
	}{{"1", 0.144, 0.2}, {"3", 0.171, 0.3}, {"4", 0.19, 0.9}, {"2", 0.4, 0.45}} {
		c := registry.Candidate{
			Version: v.version, Distance: v.distance, Tolerance: 0.2, Basis: registry.BasisGiven, Margin: 0.7,
			Columns: []registry.Column{{Name: "age", Distance: v.column, Tolerance: 0.5}},
		}
		c.Fits, c.Better = c.Within(), v.version != "2" && c.Nearer(0.4)
		m.Result.Candidates = append(m.Result.Candidates, c)
	}
	return m
}

// tell decides, records, sends the record through JSON, and explains it.
func tell(t *testing.T, c decide.Case, m *evidence.Match, cut func(*v1alpha1.ModelDecision)) string {
	t.Helper()
	c.Policy, c.Now, c.Match = policy(), noon, m.Judged()
	c.Policy.CanEvaluate = c.Evaluation != nil
	d := evidence.Record{
		Guard:    &v1alpha1.ModelGuard{ObjectMeta: metav1.ObjectMeta{Namespace: "ml", Name: "churn"}, Spec: v1alpha1.ModelGuardSpec{Model: "churn"}},
		Decision: c.Decide(), Match: m, Evidence: c.Evidence, Policy: c.Policy, From: c.Active, Attempt: 1, Now: noon,
	}.Document()
	journal.Fit(d)
	if cut != nil {
		cut(d)
	}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var read v1alpha1.ModelDecision
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	text := explain.Decision(read)
	_, text, _ = strings.Cut(text, "What would have changed it\n")
	text, _, _ = strings.Cut(text, "\n\n")
	return text
}

func TestWhatIf(t *testing.T) {
	drift := alertOn(decide.AlertInputDrift, time.Hour, 30*time.Minute, 9.1, 5.2)
	drifted := func(change func(*decide.Evidence)) decide.Evidence {
		e := served()
		e.Alerts = []decide.Alert{drift}
		change(&e)
		return e
	}
	same := func(*decide.Evidence) {}
	released := served()
	released.SettledAt, released.RolloutSince = before(10*time.Minute), before(11*time.Minute)
	released.History[0].SettledAt, released.History[1].ReplacedAt = released.SettledAt, released.RolloutSince
	released.Alerts = []decide.Alert{alertOn(decide.AlertErrors, 2*time.Minute, 9*time.Minute, 0.2, 0.01)}
	slow := served()
	slow.Alerts = []decide.Alert{alertOn(decide.AlertLatency, 5*time.Minute, 5*time.Minute, 0.473, 0.147)}
	slow.Load = decide.Load{Requests: 220, RequestsBefore: 100}
	fell := served()
	fell.Alerts = []decide.Alert{alertOn(decide.AlertQuality, 2*time.Hour, 3*time.Hour, 0.42, 0.31)}
	measured := func(one, three float64) decide.Evidence {
		e := fell
		e.Evaluation = &decide.Evaluation{
			Decision: "churn-1", AskedAt: before(2 * time.Hour), EndedAt: before(time.Hour), Rows: 4000, Loss: "mae", Live: 0.42,
			Versions: []decide.Measured{
				{Version: "1", Mean: 0.42 - one, Gain: one, StandardError: 0.006}, {Version: "3", Mean: 0.42 - three, Gain: three, StandardError: 0.006},
			},
		}
		return e
	}
	few := ranked()
	few.Result.Rows, few.Live.Rows = 400, 400

	for _, test := range []struct {
		name  string
		e     decide.Evidence
		m     *evidence.Match
		cut   func(*v1alpha1.ModelDecision)
		says  []string
		never []string
	}{
		{"the alert, and each version", drifted(same), ranked(), nil, []string{
			"Made again from this record alone, it comes out the same.",
			"Leewayinput_drift of age over 1h was at 9.1, and is quiet at 5.2 or below: 0.571 of it. Without it: nothing to do (healthy).",
			"Version 2, in service, was at distance 0.4; at 0.206 or below: input_drift, a hold (inputs_moving).",
			"Version 1 was at distance 0.144; above 0.171: input_drift, going back to version 3 (fits_and_better).",
			"Version 3 was at distance 0.171; at 0.144 or below: input_drift, going back to version 3 (fits_and_better).",
			"Version 4 was at distance 0.19; at no distance would it have been otherwise: age alone is at 0.9, of 0.5 at most.",
		}, nil},
		{"cooldown", drifted(func(e *decide.Evidence) {
			e.Past = []decide.Past{{At: before(27 * time.Minute), Action: decide.Rollback, From: "5", To: "2", Cause: decide.BadRelease}}
		}), ranked(), nil, []string{
			"After 2026-03-01 12:03:00 UTC, 3m0s later, with nothing else changed: input_drift, going back to version 1 (fits_and_better).",
		}, nil},
		{"too few rows", drifted(same), few, nil, []string{
			"From 1,000 rows on (there were 400), with distances as they were: input_drift, going back to version 1 (fits_and_better).",
		}, nil},
		{"five models at once", drifted(func(e *decide.Evidence) {
			e.Onsets = []decide.Onset{
				{Namespace: "ml", Model: "a", At: before(31 * time.Minute)}, {Namespace: "ml", Model: "b", At: before(31 * time.Minute)},
				{Namespace: "ml", Model: "churn", Subject: "age", At: before(30 * time.Minute)}, {Namespace: "shop", Model: "c", At: before(29 * time.Minute)},
				{Namespace: "ml", Model: "d", At: before(28 * time.Minute)},
			}
		}), nil, nil, []string{"With 3 models fewer: input_drift, a hold (no_data)."}, nil},
		{"saturation", slow, nil, nil, []string{
			"Below 125 requests a second, 1.25 times what was asked before (it was 220, 2.2 times): serving, a hold (serving).",
			"was at 0.473, and is quiet at 0.147 or below: 0.311 of it.",
		}, nil},
		{"a bad release", released, nil, nil, []string{
			// Clean for 1¼ windows of 2 m, of which one minute had passed.
			"Had they begun 1m30s later, at 2026-03-01 11:52:30 UTC: serving, a hold (serving).",
		}, nil},
		{"a version that was measured to be better", measured(0.041, 0.02), nil, nil, []string{
			"Made again from this record alone, it comes out the same.",
			"Version 1 gained 0.041; at 0.02 or below: concept_drift, going back to version 3 (evaluated_better).",
			"Version 3 gained 0.02; above 0.041: concept_drift, going back to version 3 (evaluated_better).",
		}, nil},
		{"none that was", measured(0.01, -0.03), nil, nil, []string{
			"Version 1 gained 0.01; above 0.012: concept_drift, going back to version 1 (evaluated_better).",
			"Version 3 gained -0.03; above 0.012: concept_drift, going back to version 3 (evaluated_better).",
		}, nil},
		{"a record that was cut too far", released, nil, func(d *v1alpha1.ModelDecision) { d.Spec.Grounds.History = nil }, []string{
			"was at 0.2, and is quiet at 0.01 or below: 0.05 of it.",
			"the record does not hold all that it rested on, so no more is said.",
		}, []string{"the same", "Had they begun"}},
		{"a record without grounds", released, nil, func(d *v1alpha1.ModelDecision) { d.Spec.Grounds = nil }, []string{
			"was at 0.2, and is quiet at 0.01 or below: 0.05 of it.",
		}, []string{"the same", "Had they begun"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := tell(t, decide.Case{Evidence: test.e}, test.m, test.cut)
			for _, says := range test.says {
				if !strings.Contains(got, says) {
					t.Errorf("does not say %q:\n%s", says, got)
				}
			}
			for _, never := range test.never {
				if strings.Contains(got, never) {
					t.Errorf("says %q:\n%s", never, got)
				}
			}
		})
	}
}

// With many alerts, versions and stays a record keeps to its bound, and is either
// made again the same or says that it can't be.
func TestWhatIfOfALargeRecord(t *testing.T) {
	e, m := served(), ranked()
	for i := range 60 {
		a := alertOn(decide.AlertInputDrift, time.Hour, 30*time.Minute, 9, 5)
		a.Subject = strings.Repeat("c", 60) + string(rune('A'+i))
		page := a
		page.Clock = decide.Page
		e.Alerts = append(e.Alerts, a, page)
	}
	for i := range 100 {
		e.Versions = append(e.Versions, decide.Known{Version: string(rune('a' + i)), Compat: "a"})
	}
	var size int
	got := tell(t, decide.Case{Evidence: e}, m, func(d *v1alpha1.ModelDecision) {
		b, err := json.Marshal(d.Spec)
		if err != nil {
			t.Fatal(err)
		}
		size = len(b)
	})
	if size > journal.MaxBytes || !strings.Contains(got, "Without any one of them the same would have been decided; without all of them:") {
		t.Errorf("%d bytes:\n%s", size, got)
	}
}

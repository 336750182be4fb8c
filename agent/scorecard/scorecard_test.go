package scorecard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/scorecard"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func at(hours float64) time.Time { return noon.Add(time.Duration(hours * float64(time.Hour))) }

func micro(hours float64) *metav1.MicroTime {
	m := metav1.NewMicroTime(at(hours))
	return &m
}

// stays are versions with the hour at which each began, oldest first.
func stays(list ...any) []v1alpha1.ServedVersion {
	var out []v1alpha1.ServedVersion
	for i := 0; i < len(list); i += 2 {
		began := micro(list[i+1].(float64))
		if len(out) > 0 {
			out[0].ReplacedAt = began
		}
		out = append([]v1alpha1.ServedVersion{{Version: list[i].(string), BeganAt: began, SettledAt: began}}, out...)
	}
	return out
}

func decision(hour float64, cause, action, from, to string) v1alpha1.ModelDecision {
	d := v1alpha1.ModelDecision{}
	d.Name = fmt.Sprintf("churn-%g", hour)
	d.Spec = v1alpha1.ModelDecisionSpec{Guard: "churn", DecidedAt: *micro(hour), Cause: cause, Action: action, From: from, To: to}
	d.Status.State = v1alpha1.Proposed
	return d
}

func guard(history []v1alpha1.ServedVersion) v1alpha1.ModelGuard {
	g := v1alpha1.ModelGuard{}
	g.Name, g.Spec.Model, g.Status.History = "churn", "churn", history
	g.Spec.Autonomy.Default = v1alpha1.Observe
	return g
}

func TestVerdicts(t *testing.T) {
	approved := decision(1, "input_drift", "rollback", "2", "1")
	approved.Status.ApprovedBy = "eve"
	acted := stays("1", 0.0, "2", 1.0, "1", 5.0)
	acted[1].LeftFor = "bad_release"
	quiet := stays("1", 0.0, "2", 1.0)
	quiet[0].LastAlert = map[string]metav1.MicroTime{"errors": *micro(3), "latency": *micro(2.5)}
	goingOn := stays("1", 0.0, "2", 9.5)
	goingOn[0].LastAlert = map[string]metav1.MicroTime{"errors": *micro(9.9)}
	for _, tt := range []struct {
		name    string
		history []v1alpha1.ServedVersion
		d       v1alpha1.ModelDecision
		want    scorecard.Verdict
		did     string
		bad     float64 // hours
	}{
		{"a person did the same", stays("1", 0.0, "2", 1.0, "1", 5.0), decision(2, "bad_release", "rollback", "2", "1"), scorecard.Agreed, "1", 3},
		{"a person did otherwise", stays("1", 0.0, "2", 1.0, "3", 5.0), decision(2, "bad_release", "rollback", "2", "1"), scorecard.Differed, "3", 3},
		{"Leeway did it", acted, decision(2, "bad_release", "rollback", "2", "1"), scorecard.Acted, "1", 3},
		{"a person approved", stays("1", -9.0, "2", 0.0, "1", 2.0), approved, scorecard.Agreed, "1", 1},
		{"it passed", quiet, decision(2, "bad_release", "rollback", "2", "1"), scorecard.Declined, "", 1},
		{"it goes on", goingOn, decision(9.75, "bad_release", "rollback", "2", "1"), scorecard.Open, "", 0.25},
		{"a new version was trained", stays("1", 0.0, "2", 1.0, "3", 5.0), decision(2, "input_drift", "retrain", "2", ""), scorecard.Agreed, "3", 3},
		{"an old one was taken instead", stays("1", 0.0, "2", 1.0, "1", 5.0), decision(2, "input_drift", "retrain", "2", ""), scorecard.Differed, "1", 3},
		{"its stay is no longer kept", nil, decision(2, "bad_release", "rollback", "2", "1"), scorecard.Open, "", 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := scorecard.New(guard(tt.history), []v1alpha1.ModelDecision{tt.d}, at(-24), at(10))
			l := c.Lines[0]
			if l.Verdict != tt.want || l.Did != tt.did || l.BadSeconds != tt.bad*3600 {
				t.Errorf("%s, did %q, %g h bad; want %s, %q, %g h", l.Verdict, l.Did, l.BadSeconds/3600, tt.want, tt.did, tt.bad)
			}
			if len(c.Unsaid) > 0 {
				t.Errorf("it was said: %v", c.Unsaid)
			}
		})
	}
}

// Held decisions are no proposals, those of others and of before don't count, and
// a way back that nobody proposed is told.
func TestWhatCounts(t *testing.T) {
	other := decision(2, "bad_release", "rollback", "2", "1")
	other.Spec.Guard = "fraud"
	c := scorecard.New(guard(stays("1", 0.0, "2", 1.0, "1", 5.0, "3", 6.0)), []v1alpha1.ModelDecision{
		other, decision(2, "serving", "hold", "2", ""), decision(-25, "bad_release", "rollback", "2", "1"),
	}, at(-24), at(10))
	want := scorecard.Card{Guard: "churn", Model: "churn", Since: at(-24), Unsaid: []scorecard.Unsaid{{At: at(5), From: "2", To: "1"}}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("card (-want +got):\n%s", diff)
	}
}

func TestRaise(t *testing.T) {
	for _, tt := range []struct {
		name          string
		level         v1alpha1.AutonomyLevel
		agreed, other int
		want          v1alpha1.AutonomyLevel
	}{
		{"too few", v1alpha1.Observe, 4, 0, ""},
		{"enough to be asked", v1alpha1.Observe, 5, 0, v1alpha1.Approve},
		{"not all", v1alpha1.Observe, 9, 1, ""},
		{"too few to act", v1alpha1.Approve, 9, 0, ""},
		{"enough to act", v1alpha1.Approve, 10, 0, v1alpha1.Auto},
		{"no more to earn", v1alpha1.Auto, 20, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var list []any
			var decisions []v1alpha1.ModelDecision
			hour := 0.0
			add := func(to string) {
				list = append(list, "2", hour, to, hour+2)
				decisions = append(decisions, decision(hour+1, "bad_release", "rollback", "2", "1"))
				hour += 4
			}
			for range tt.agreed {
				add("1")
			}
			for range tt.other {
				add("3")
			}
			g := guard(stays(list...))
			g.Spec.Autonomy.BadRelease = tt.level
			c := scorecard.New(g, decisions, at(-1), at(hour))
			if len(c.Kinds) != 1 || c.Kinds[0].Raise != tt.want || c.Kinds[0].Count[scorecard.Agreed] != tt.agreed {
				t.Errorf("%+v, want %q", c.Kinds, tt.want)
			}
		})
	}
}

// An evaluation changes nothing that people could agree to; what it led to does.
func TestConceptDrift(t *testing.T) {
	g := guard(stays("1", 0.0, "2", 1.0, "1", 5.0))
	g.Spec.Autonomy.ConceptDrift = v1alpha1.Approve
	card := scorecard.New(g, []v1alpha1.ModelDecision{
		decision(2, "concept_drift", "evaluate", "2", ""), decision(3, "concept_drift", "rollback", "2", "1"),
	}, at(0), at(10))
	if len(card.Lines) != 1 || card.Lines[0].Action != "rollback" || len(card.Kinds) != 1 || card.Kinds[0].Name != "conceptDrift" || card.Kinds[0].Level != v1alpha1.Approve {
		t.Errorf("%+v", card)
	}
}

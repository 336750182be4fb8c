package evidence_test

import (
	"encoding/json"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// An alert that was there before the version had settled has had no quiet before it.
// That is kept, or the leader that comes next, after a time in which nobody led, would
// take all time since the version settled for quiet.
func TestNoQuietIsKept(t *testing.T) {
	settled := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := metav1.NewMicroTime(settled)
	stay := v1alpha1.ServedVersion{Version: "2", SettledAt: &at}
	policy := decide.Policy{GoodAfter: time.Hour}
	note := func(now, active, unwatched time.Time) {
		e := decide.Evidence{
			Namespace: "ml", Model: "churn", Active: "2", RolloutSince: settled.Add(-time.Minute), SettledAt: settled, Unwatched: unwatched,
			History: []decide.Served{evidence.Served(stay)},
			Alerts: []decide.Alert{{
				Cause: decide.AlertErrors, Firing: true, Namespace: "ml", Model: "churn", Version: "2", Window: 10 * time.Second, ActiveAt: active,
			}},
		}
		evidence.Note(&stay, &e, policy, now)
		b, err := json.Marshal(stay) // as the API server keeps it
		if err != nil {
			t.Fatal(err)
		}
		stay = v1alpha1.ServedVersion{}
		if err := json.Unmarshal(b, &stay); err != nil {
			t.Fatal(err)
		}
	}
	first := settled.Add(2 * time.Second)
	note(first, settled.Add(-4*time.Second), time.Time{})
	back := first.Add(28 * time.Second)
	note(back, back.Add(-3*time.Second), first)
	if quiet := stay.LongestQuiet["errors"].Duration; quiet > 0 {
		t.Errorf("it was quiet for %s, want not at all", quiet)
	}
	if last := stay.LastAlert["errors"]; !last.Time.Equal(back) {
		t.Errorf("the alert was seen last at %s, want %s", last, back)
	}
}

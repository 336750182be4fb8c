package explain_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/explain"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files")

func TestDecision(t *testing.T) {
	records, err := filepath.Glob("testdata/*.json")
	if err != nil || len(records) == 0 {
		t.Fatalf("no records: %v", err)
	}
	for _, record := range records {
		t.Run(filepath.Base(record), func(t *testing.T) {
			b, err := os.ReadFile(record)
			if err != nil {
				t.Fatal(err)
			}
			var d v1alpha1.ModelDecision
			if err := json.Unmarshal(b, &d); err != nil {
				t.Fatal(err)
			}
			got := explain.Decision(d)
			golden := strings.TrimSuffix(record, ".json") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A record that was broken off, or written by another version, is told as far
// as it goes.
func TestEmptyRecord(t *testing.T) {
	d := v1alpha1.ModelDecision{}
	d.Spec.Match = &v1alpha1.MatchEvidence{
		Candidates: []v1alpha1.CandidateEvidence{{Version: "1", Distance: "near"}},
		Shares:     []v1alpha1.ColumnShares{{Name: "temp", Bins: []string{"00", "01"}, Today: []string{"0.5"}}},
	}
	d.Status.State = v1alpha1.StateVerifying
	if got := explain.Decision(d); !strings.Contains(got, "No alert is in the record") || !strings.Contains(got, "distance near") {
		t.Errorf("got:\n%s", got)
	}
}

func TestGuard(t *testing.T) {
	settled := metav1.NewMicroTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	g := v1alpha1.ModelGuard{ObjectMeta: metav1.ObjectMeta{Name: "churn"}, Spec: v1alpha1.ModelGuardSpec{Model: "churn"}}
	if got, want := explain.Guard(g), "Guard churn of model churn.\nNo controller has looked at it yet.\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	g.Status = v1alpha1.ModelGuardStatus{
		Phase: v1alpha1.Held, Reason: "no_traffic", Message: "0 requests in 5m", ActiveVersion: "3", SettledAt: &settled,
		Retrain:    &v1alpha1.RetrainStatus{Phase: "Training", Job: "churn-retrain-1"},
		Conditions: []metav1.Condition{{Type: "Valid", Status: metav1.ConditionFalse, Reason: "NoContainer", Message: "the workload has no container model"}},
	}
	want := `Guard churn of model churn, which serves version 3, settled since 2026-01-02 03:04:05.000 UTC.
Phase Held (no_traffic): 0 requests in 5m.
What to do: Nothing, if the model is meant to be idle. Else look at the Service, at the client, and whether requests still pass the sidecar's port.
Retraining: Training, Job churn-retrain-1.
Valid is false (NoContainer): the workload has no container model.
`
	if d := cmp.Diff(want, explain.Guard(g)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// docs/operations.md says what to do about every reason, in the same words as
// conditions and events do, and about no other.
func TestOperationsAdvise(t *testing.T) {
	const page = "../../docs/operations.md"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), "<!-- advice -->\n")
	got, after, ok2 := strings.Cut(rest, "<!-- /advice -->\n")
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", page)
	}
	var want strings.Builder
	want.WriteString("| reason | what to do |\n| --- | --- |\n")
	seen := map[string]bool{}
	for _, a := range explain.Advices() {
		reason := string(a.Reason)
		if seen[reason] || a.ToDo == "" || strings.ContainsAny(a.ToDo, "|\n") || !strings.HasSuffix(a.ToDo, ".") {
			t.Errorf("%s: %q is no advice, or it has two", reason, a.ToDo)
		}
		seen[reason] = true
		fmt.Fprintf(&want, "| `%s` | %s |\n", reason, a.ToDo)
	}
	if *update {
		got = want.String()
		text := before + "<!-- advice -->\n" + got + "<!-- /advice -->\n" + after
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(want.String(), got); d != "" {
		t.Errorf("run \"go test ./agent/explain -update\" (-want +got):\n%s", d)
	}
}

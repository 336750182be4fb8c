package journal_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

func open(t *testing.T) journal.Journal {
	t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(s).WithStatusSubresource(&v1alpha1.ModelDecision{}).Build()
	return journal.Journal{Client: c, Live: c}
}

func decision(name string) *v1alpha1.ModelDecision {
	return &v1alpha1.ModelDecision{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ml", Name: name},
		Spec:       v1alpha1.ModelDecisionSpec{Guard: "churn", Action: "rollback", To: "1"},
	}
}

func TestCreatingIsTheLock(t *testing.T) {
	j := open(t)
	first, created, err := j.Create(t.Context(), decision("d"))
	if err != nil || !created {
		t.Fatal(created, err)
	}
	other := decision("d")
	other.Spec.To = "2"
	second, created, err := j.Create(t.Context(), other)
	if err != nil || created || second.Spec.To != "1" {
		t.Fatal(created, err, second)
	}
	// Of two that hold it, one can go on.
	journal.Step(first, journal.Applying, time.Now(), "")
	if err := j.Write(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	journal.Step(second, journal.Applying, time.Now(), "")
	if err := j.Write(t.Context(), second); !apierrors.IsConflict(err) {
		t.Fatal("both wrote:", err)
	}
}

func TestWhichStepWasLast(t *testing.T) {
	var d v1alpha1.ModelDecision
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if journal.Last(&d, journal.JobStart) != "" || journal.Count(&d, journal.JobStart) != 0 || !journal.First(&d, journal.JobStart).IsZero() {
		t.Error("a journal without lines has some")
	}
	for i, name := range []string{journal.Decided, journal.JobStart, journal.JobPostponed, journal.JobStart, "tainted"} {
		journal.Step(&d, name, at.Add(time.Duration(i)*time.Second), "")
	}
	if got := journal.Last(&d, journal.JobStart, journal.JobPostponed); got != journal.JobStart {
		t.Error(got)
	}
	if n := journal.Count(&d, journal.JobStart); n != 2 {
		t.Error(n)
	}
	if got := journal.First(&d, journal.JobPostponed, journal.JobStart); !got.Equal(at.Add(time.Second)) {
		t.Error(got)
	}
}

func TestSteps(t *testing.T) {
	d := decision("d")
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	journal.Step(d, journal.Applied, at, "a")
	journal.Step(d, journal.Applied, at.Add(time.Second), "b")
	if got := journal.At(d, journal.Applied); !got.Equal(at.Add(time.Second)) {
		t.Error("not the last:", got)
	}
	if journal.Has(d, journal.Undone) {
		t.Error("has what was not written")
	}
	for state, want := range map[v1alpha1.DecisionState]bool{
		"": true, v1alpha1.StateActing: true, v1alpha1.StateVerifying: true, v1alpha1.StateTraining: true, v1alpha1.StateEvaluating: true, v1alpha1.AwaitingApproval: true,
		v1alpha1.Proposed: false, v1alpha1.Done: false, v1alpha1.StateHeld: false, v1alpha1.Superseded: false, v1alpha1.Failed: false,
	} {
		d.Status.State = state
		if journal.Open(d) != want {
			t.Errorf("open in state %q is %v", state, !want)
		}
	}
}

// wide is a decision on a hundred drifted columns and thirty versions.
func wide() *v1alpha1.ModelDecision {
	d := decision("wide")
	d.Spec.To = "27"
	m := &v1alpha1.MatchEvidence{
		Rule: "predicted_error", Trust: strings.Repeat("ä", 500),
		Forecast: &v1alpha1.ForecastEvidence{Metric: strings.Repeat("m", 500), Gate: "open", Datasets: 11, R2: "0.61"},
	}
	for i := range 100 {
		d.Spec.Columns = append(d.Spec.Columns, fmt.Sprintf("column-%d", i))
		d.Spec.Alerts = append(d.Spec.Alerts, v1alpha1.AlertEvidence{Name: "LeewayInputDrift", Subject: fmt.Sprint(i), Summary: strings.Repeat("ä", 500)})
		m.Excluded = append(m.Excluded, v1alpha1.ExcludedVersion{Version: fmt.Sprint(i), Reason: "rejected"})
	}
	for i := range 30 {
		c := v1alpha1.CandidateEvidence{
			Version: fmt.Sprint(i), Distance: "0.12345678901234567", Tolerance: "0.2", Live: i == 28, Margin: "0.7", PredictedError: "0.12345678901234567",
		}
		for k := range 10 {
			c.Worst = append(c.Worst, v1alpha1.ColumnDistance{Name: fmt.Sprintf("a column with a long name, %d", k), Distance: "0.12345678901234567"})
		}
		m.Candidates = append(m.Candidates, c)
	}
	for range 10 {
		s := v1alpha1.ColumnShares{Name: "c"}
		for range 30 {
			s.Bins, s.Today, s.Chosen = append(s.Bins, "far_under"), append(s.Today, "0.0123456"), append(s.Chosen, "0.0123456")
		}
		m.Shares = append(m.Shares, s)
	}
	d.Spec.Match = m
	return d
}

func TestFit(t *testing.T) {
	d, again := wide(), wide()
	journal.Fit(d)
	journal.Fit(again)
	if !reflect.DeepEqual(d, again) {
		t.Error("the same decision was cut in two ways")
	}
	spec, err := json.Marshal(d.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(spec) > journal.MaxBytes*3/4 {
		t.Errorf("%d bytes of evidence", len(spec))
	}
	found := 0
	for _, c := range d.Spec.Match.Candidates {
		if c.Version == "27" || c.Live {
			found++
		}
	}
	if found != 2 || len(d.Spec.Match.Candidates) > 20 {
		t.Errorf("of %d versions %d are the one chosen and the one in service", len(d.Spec.Match.Candidates), found)
	}
	if m := d.Spec.Match; m.Rule != "predicted_error" || len(m.Trust) > 400 || m.Forecast.R2 != "0.61" || len(m.Forecast.Metric) > 128 {
		t.Errorf("what ranked was cut, or was not: %+v", m)
	}
	if len(d.Spec.Alerts) == 0 || d.Spec.Alerts[0].Summary == "" || !strings.HasSuffix(d.Spec.Alerts[0].Summary, "ä…") {
		t.Error("the first alert was cut, or within a character")
	}
	for i := range 200 {
		journal.Step(d, fmt.Sprintf("step-%d", i), time.Now(), strings.Repeat("x", 1000))
	}
	journal.Fit(d)
	status, err := json.Marshal(d.Status)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(spec) + len(status); n > journal.MaxBytes {
		t.Errorf("%d bytes in all", n)
	}
	if s := d.Status.Steps; s[0].Name != "step-0" || s[len(s)-1].Name != "step-199" {
		t.Error("the beginning or the end of the journal was cut")
	}
}

func TestPruneKeepsTheOpen(t *testing.T) {
	j := open(t)
	for i := range 5 {
		d := decision(fmt.Sprint("d", i))
		d.Spec.DecidedAt = metav1.NewMicroTime(time.Unix(int64(i), 0))
		if _, _, err := j.Create(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if i != 0 {
			d.Status.State = v1alpha1.Done
			if err := j.Write(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, err := j.Of(t.Context(), "ml", "churn")
	if err != nil || all[0].Name != "d4" {
		t.Fatal(err, all[0].Name)
	}
	if err := j.Prune(t.Context(), all, 2); err != nil {
		t.Fatal(err)
	}
	left, err := j.Of(t.Context(), "ml", "churn")
	if err != nil || len(left) != 3 || left[2].Name != "d0" {
		t.Error(err, len(left))
	}
}

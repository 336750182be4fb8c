package guard_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// seasons serves version 1 (home at 0), then by a person's hand version 2 (home
// at 50), and lets the inputs go back to 0.
func seasons(t *testing.T, change ...func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	return turned(t, 13, change...)
}

// turned is seasons with the error that version 2 shows when they have turned.
func turned(t *testing.T, meanError float64, change ...func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	w := newWorld(t, change...)
	w.pass(40)
	two := w.register(50, "")
	w.live = csvProfile(t, 50)
	w.shows[two] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: 6}
	w.deploy(two, "kubectl-client-side-apply")
	w.pass(100)
	w.live = csvProfile(t, 0)
	w.shows[two] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: meanError}
	w.shows["1"] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: 9}
	w.alert("input_drift", "page", "10s", two, "x")
	w.tick(5)
	w.alert("input_drift", "act", "30s", two, "x")
	w.tick(1)
	return w
}

func TestDriftGoesBackToWhatFits(t *testing.T) {
	w := seasons(t)
	d := w.one()
	if d.Spec.Action != "rollback" || d.Spec.To != "1" || d.Spec.Reason != "fits_and_better" {
		t.Fatal(describe(w.decisions()))
	}
	m := d.Spec.Match
	if m == nil || m.Rows != 2000 || m.Pods != 2 || len(m.Candidates) != 2 || len(m.Shares) != 1 || !m.Candidates[1].Live {
		t.Fatalf("match %+v", m)
	}
	if m.Candidates[0].Version != "1" || m.Candidates[0].Distance != "0" || !m.Candidates[0].Fits || !m.Candidates[0].Better {
		t.Errorf("candidate %+v", m.Candidates[0])
	}
	if m.Rule != "distance" || !strings.Contains(m.Trust, "is not known") || m.Candidates[0].Margin != "0.7" || m.Forecast != nil {
		t.Errorf("ranked by %q, %q, margin %s, forecast %v", m.Rule, m.Trust, m.Candidates[0].Margin, m.Forecast)
	}
	if s := m.Shares[0]; len(s.Bins) != len(s.Today) || len(s.Bins) != len(s.Chosen) || len(s.Bins) < 10 {
		t.Errorf("shares %+v", s)
	}
	w.alerts = nil
	w.settle(25)
	d = w.one()
	w.wantState(d, v1alpha1.Done, "verified")
	if d.Status.VerifiedBy != "labels" || d.Spec.Baseline.Error != "13" || d.Status.After.Error != "9" {
		t.Errorf("by %s, %s → %s", d.Status.VerifiedBy, d.Spec.Baseline.Error, d.Status.After.Error)
	}
	if w.lifecycle("2") != registryv1.Registered || w.lifecycle("1") != registryv1.Live {
		t.Error("lifecycles", w.lifecycle("1"), w.lifecycle("2"))
	}
	if h := w.guard().Status.History; h[0].Version != "1" || h[1].Version != "2" || h[1].LeftFor != "input_drift" {
		t.Errorf("history %+v", h)
	}
}

func TestDriftWithoutTheArtifact(t *testing.T) {
	w := seasons(t, func(g *v1alpha1.ModelGuard) { g.Spec.Retrain = nil })
	w.wantServes("1") // as a check of the set-up: it is there

	gone := func(w *world) { w.artifacts[uri(1)] = errGone }
	w = seasonsWith(t, gone)
	w.tick(15)
	ds := w.decisions()
	d := ds[len(ds)-1]
	if d.Spec.Action != "retrain" || len(d.Spec.Match.Excluded) == 0 || d.Spec.Match.Excluded[0].Reason != "artifact_missing" {
		t.Error(describe(w.decisions()))
	}
}

// Of two that fit, the nearer one's artifact is gone: the other is taken, and the
// record, the message and the event say why.
func TestDriftWithoutTheNearestArtifact(t *testing.T) {
	w := seasonsWith(t, func(w *world) { w.artifacts[uri(1)] = errGone }, 0.1)
	d := w.one()
	if d.Spec.Action != "rollback" || d.Spec.To != "2" {
		t.Fatal(describe(w.decisions()))
	}
	m := d.Spec.Match
	if len(m.Excluded) != 1 || m.Excluded[0] != (v1alpha1.ExcludedVersion{Version: "1", Reason: "artifact_missing"}) || m.Candidates[0].Version != "2" {
		t.Errorf("excluded %v, candidates %+v", m.Excluded, m.Candidates)
	}
	const said = "(version 1 is out: artifact_missing)"
	if step := d.Status.Steps[0]; !strings.Contains(step.Message, said) {
		t.Error(step.Message)
	}
	if !slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, said) }) {
		t.Error(w.events)
	}
}

// A store that can't be reached is no verdict on the artifact, and no reason to
// take a worse version: it is held, until the store answers.
func TestDriftWithAStoreThatIsDown(t *testing.T) {
	w := seasonsWith(t, func(w *world) { w.artifacts[uri(1)] = errDown }, 0.1)
	w.wantState(w.one(), v1alpha1.StateHeld, "artifact_unreachable")
	d := w.one()
	if d.Spec.Action != "hold" || d.Spec.To != "1" || len(d.Spec.Match.Excluded) != 0 || !strings.Contains(d.Status.Message, "connection refused") {
		t.Error(describe(w.decisions()), d.Status.Message)
	}
	if c := condition(w, "ArtifactUsable"); !strings.HasPrefix(c, "Unknown artifact_unreachable") {
		t.Error(c)
	}
	w.wantServes("3")
	w.tick(3)
	w.one() // the same answer makes no second object
	delete(w.artifacts, uri(1))
	w.tick(1)
	w.wantServes("1")
}

// seasonsWith is drift from a version at home at 50 to data at home at 0, where
// version 1 is; versions at home elsewhere served in between.
func seasonsWith(t *testing.T, f func(*world), homes ...float64) *world {
	t.Helper()
	w := newWorld(t)
	f(w)
	w.pass(40)
	for _, home := range homes {
		n := w.register(home, "")
		w.shows[n] = shown{requests: 5000, p99: 0.02}
		w.deploy(n, "kubectl-client-side-apply")
		w.pass(40)
	}
	two := w.register(50, "")
	w.shows[two] = shown{requests: 5000, p99: 0.02}
	w.deploy(two, "kubectl-client-side-apply")
	w.pass(100)
	w.alert("input_drift", "page", "10s", two, "x")
	w.alert("input_drift", "act", "30s", two, "x")
	w.tick(1)
	return w
}

func TestLiveFitsIsHeldOnce(t *testing.T) {
	w := newWorld(t)
	w.pass(40)
	w.alert("input_drift", "page", "10s", "1", "x")
	w.alert("input_drift", "act", "30s", "1", "x")
	w.tick(30)
	d := w.one()
	w.wantState(d, v1alpha1.StateHeld, "live_fits")
	w.wantPhase(v1alpha1.Held, "live_fits")
	n := 0
	for _, e := range w.events {
		if strings.Contains(e, "live_fits") {
			n++
		}
	}
	if n != 2 { // on the guard and on the decision, for 30 rounds
		t.Errorf("%d events: %s", n, strings.Join(w.events, "\n"))
	}
	w.alerts = nil
	w.tick(1)
	w.wantPhase(v1alpha1.Watching, "healthy")
}

func TestPartialProfileIsBlind(t *testing.T) {
	for name, f := range map[string]func(*world){
		"no pod answers":   func(w *world) { w.live = nil },
		"rows are missing": func(w *world) { w.live.Rows = 1700 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.pass(40)
			f(w)
			w.alert("input_drift", "act", "30s", "1", "x")
			w.alert("input_drift", "page", "10s", "1", "x")
			w.tick(3)
			w.wantPhase(v1alpha1.Held, "partial_profile")
			if len(w.decisions()) != 0 {
				t.Error(describe(w.decisions()))
			}
		})
	}
}

func TestBrokenInputIsHeld(t *testing.T) {
	w := newWorld(t)
	w.pass(40)
	w.alert("broken_input", "", "10s", "1", "wind")
	w.alert("input_drift", "act", "30s", "1", "wind")
	w.tick(20)
	d := w.one()
	w.wantState(d, v1alpha1.StateHeld, "broken_input")
	if len(d.Spec.Columns) != 1 || d.Spec.Columns[0] != "wind" || !strings.Contains(d.Status.Message, "wind") {
		t.Error(d.Spec.Columns, d.Status.Message)
	}
}

// What is only expected of the predictions is told: nothing is trained for it,
// though labels that say the same would have it done.
func TestExpectedErrorIsHeld(t *testing.T) {
	w := newWorld(t)
	w.pass(40)
	w.alert("quality", "", "10s", "1", "")
	w.alerts[0].Labels["leeway_basis"] = "expected"
	w.tick(20)
	d := w.one()
	w.wantState(d, v1alpha1.StateHeld, "expected_error")
	if d.Spec.Action != "hold" || d.Spec.Cause != "prediction_drift" || w.changes != 0 {
		t.Error(describe(w.decisions()))
	}
}

func TestRetrain(t *testing.T) {
	w := newWorld(t)
	w.pass(40)
	w.drift()
	w.tick(1)
	d := w.one()
	w.wantState(d, v1alpha1.StateTraining, "none_fits")
	if s := w.guard().Status.Retrain; s == nil || s.Phase != "Training" || s.Decision != d.Name || s.Job != d.Status.Job {
		t.Fatalf("retrain status %+v", s)
	}
	var jobs batchv1.JobList
	if err := w.client.List(t.Context(), &jobs); err != nil || len(jobs.Items) != 1 {
		t.Fatal(err, len(jobs.Items))
	}
	env := map[string]string{}
	for _, e := range jobs.Items[0].Spec.Template.Spec.Containers[0].Env {
		env[e.Name] = e.Value
	}
	if env["LEEWAY_DECISION"] != d.Name || env["LEEWAY_MODEL"] != "churn" || env["LEEWAY_PARENT_VERSION"] != "1" ||
		env["LEEWAY_WINDOW_FROM"] >= env["LEEWAY_WINDOW_TO"] || env["LEEWAY_PROFILE"] == "" {
		t.Error(env)
	}
	if !json.Valid([]byte(jobs.Items[0].Spec.Template.Annotations["leeway.dev/live-profile"])) {
		t.Error("the live profile is not there")
	}
	w.tick(10) // it takes its time; nothing else is begun
	w.one()
	w.wantPhase(v1alpha1.Watching, "retrain_open")
	w.train("")
	w.tick(3)
	w.wantServes("2")
	w.alerts = nil
	w.settle(25)
	ds := w.decisions()
	w.wantState(ds[0], v1alpha1.Done, "gate_passed")
	w.wantState(ds[1], v1alpha1.Done, "verified")
	if len(ds) != 2 || ds[1].Spec.Action != "redeploy" || ds[1].Status.VerifiedBy != "labels" {
		t.Error(describe(ds))
	}
	if s := w.guard().Status.Retrain; s.Phase != "Done" || s.Version != "2" {
		t.Errorf("%+v", s)
	}
}

func TestRetrainEnds(t *testing.T) {
	job := func(w *world) *batchv1.Job {
		var jobs batchv1.JobList
		if err := w.client.List(w.t.Context(), &jobs); err != nil || len(jobs.Items) != 1 {
			w.t.Fatal(err, len(jobs.Items))
		}
		return &jobs.Items[0]
	}
	tests := []struct {
		name   string
		during func(*world)
		state  v1alpha1.DecisionState
		reason string
	}{
		{"job fails", func(w *world) { w.complete(job(w), batchv1.JobFailed) }, v1alpha1.StateHeld, "job_failed"},
		{"nothing is registered", func(w *world) { w.complete(job(w), batchv1.JobComplete); w.tick(10) }, v1alpha1.StateHeld, "no_version_registered"},
		{"two are", func(w *world) {
			w.register(49, w.decisions()[0].Name)
			w.train("")
		}, v1alpha1.StateHeld, "two_versions_registered"},
		{"job is deleted", func(w *world) {
			if err := w.client.Delete(w.t.Context(), job(w)); err != nil {
				w.t.Fatal(err)
			}
			w.tick(11)
		}, v1alpha1.StateHeld, "job_failed"},
		{"gate fails on the same rows", func(w *world) {
			w.register(50, w.decisions()[0].Name, registryv1.Evaluation{Version: 1, Dataset: "holdout-2", Metric: "mae", Value: "5"})
			w.complete(job(w), batchv1.JobComplete)
		}, v1alpha1.StateHeld, "gate_failed"},
		{"nothing to compare with", func(w *world) {
			w.shows["1"] = shown{requests: 5000}
			w.train("")
		}, v1alpha1.StateHeld, "no_comparison"},
		{"input breaks", func(w *world) {
			w.alert("broken_input", "", "10s", "1", "x")
			w.tick(1)
			w.train("")
			w.tick(3)
		}, v1alpha1.StateHeld, "tainted"},
		{"inputs of others change, too", func(w *world) {
			for _, model := range []string{"fraud", "price"} {
				w.neighbour(ns, model)
				w.neighbourAlert(ns, model)
			}
			w.tick(1)
			w.train("")
			w.tick(3)
		}, v1alpha1.StateHeld, "tainted"},
		{"a person deploys", func(w *world) {
			two := w.register(0, "")
			w.deploy(two, "kubectl-client-side-apply")
		}, v1alpha1.Superseded, "human_changed"},
		{"drift goes away", func(w *world) {
			w.alerts = nil
			w.live = csvProfile(w.t, 0)
			w.train("")
			w.tick(3)
		}, v1alpha1.Done, "drift_gone"},
		{"too late", func(w *world) { w.now = w.now.Add(61 * 60e9) }, v1alpha1.StateHeld, "retrain_timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.pass(40)
			w.drift()
			w.tick(2)
			w.wantState(w.one(), v1alpha1.StateTraining, "none_fits")
			tt.during(w)
			w.tick(2)
			w.wantState(w.decisions()[0], tt.state, tt.reason)
			if w.changes != 0 {
				t.Errorf("%d changes", w.changes)
			}
		})
	}
}

// A version is not gone to before its training is done and its gate has judged
// it, however well it was registered to do: the Job may yet fail.
func TestVersionInTrainingIsNoCandidate(t *testing.T) {
	w := newWorld(t)
	w.pass(40)
	w.drift()
	w.tick(2)
	w.register(50, w.decisions()[0].Name, registryv1.Evaluation{Version: 1, Dataset: "holdout", Metric: "mae", Value: "60"},
		registryv1.Evaluation{Version: 2, Dataset: "holdout", Metric: "mae", Value: "6"})
	w.tick(10)
	w.wantServes("1")
	w.one()
}

// When the season turns, the labels that have come in by the decision are still
// those of the old one, which the version left was good at. Judged by them, the
// right version would look worse and be undone.
func TestDriftIsVerifiedByLabelsOfTheSameDays(t *testing.T) {
	w := turned(t, 5)
	w.shows["2"] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: 13} // the late truth
	w.alerts = nil
	w.settle(25)
	d := w.one()
	w.wantState(d, v1alpha1.Done, "verified")
	if d.Spec.Baseline.Error != "5" || d.Status.Before.Error != "13" || d.Status.After.Error != "9" {
		t.Errorf("baseline %s, compared %s with %s", d.Spec.Baseline.Error, d.Status.Before.Error, d.Status.After.Error)
	}
}

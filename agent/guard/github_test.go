package guard_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/retrain/github/githubtest"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

const githubToken = "github_pat_0123456789"

// onGitHub is a world whose guard trains by a workflow.
func onGitHub(t *testing.T, change ...func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	w := newWorld(t, append([]func(*v1alpha1.ModelGuard){func(g *v1alpha1.ModelGuard) {
		g.Spec.Retrain.From = nil
		g.Spec.Retrain.GitHub = &v1alpha1.GitHubWorkflow{Repository: "acme/churn", Workflow: "retrain.yaml", Ref: "main",
			TokenSecret: v1alpha1.SecretKey{Name: "leeway-github", Key: "token"}}
	}}, change...)...)
	w.github = githubtest.New(githubtest.Config{
		Repository: "acme/churn", Workflow: "retrain.yaml", Token: githubToken, Ref: "main", Now: w.now, Delay: 4 * time.Second,
		Inputs: []string{"leeway_decision", "leeway_model", "leeway_parent_version", "leeway_window_from", "leeway_window_to"},
	})
	t.Cleanup(w.github.Close)
	w.secret(githubToken)
	w.loop = w.newLoop(w.client)
	return w
}

func (w *world) secret(value string) {
	w.t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "leeway-github"}, Data: map[string][]byte{"token": []byte(value)}}
	_ = w.client.Delete(w.t.Context(), s)
	s.ResourceVersion = ""
	if err := w.client.Create(w.t.Context(), s); err != nil {
		w.t.Fatal(err)
	}
}

// runs does what the workflow does, for each run that is not completed: registers
// a version that is at home in today's rows, and succeeds.
func (w *world) runs(conclusion string) {
	w.t.Helper()
	for _, r := range w.github.Runs() {
		if r.Status == "completed" {
			continue
		}
		v := w.register(50, r.Inputs["leeway_decision"])
		w.shows[v] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: 6}
		w.github.Set(r.ID, "completed", conclusion)
	}
}

// trainOnGitHub is a training from drift to a version in service.
func (w *world) trainOnGitHub(t *testing.T, begun func()) {
	w.drift()
	begun()
	w.until(func() bool { return len(w.github.Runs()) > 0 }, 200)
	w.runs("success")
	w.until(func() bool { return w.changes > 0 }, 200)
	w.alerts = nil
	w.until(func() bool {
		w.rollOut()
		ds := w.decisions()
		return len(ds) == 2 && ds[0].Status.State == v1alpha1.Done && ds[1].Status.State == v1alpha1.Done
	}, 60)
	ds := w.decisions()
	if len(ds) != 2 {
		t.Fatal(describe(ds))
	}
	w.wantState(ds[0], v1alpha1.Done, "gate_passed")
	w.wantState(ds[1], v1alpha1.Done, "verified")
	w.wantServes("2")
	runs := w.github.Runs()
	if w.changes != 1 || len(runs) != 1 || runs[0].Inputs["leeway_decision"] != ds[0].Name {
		t.Errorf("%d changes and %d runs, want one each: %s", w.changes, len(runs), steps(ds[0]))
	}
	w.untold(t)
}

// untold looks for the token where people look.
func (w *world) untold(t *testing.T) {
	t.Helper()
	told, err := json.Marshal([]any{w.events, w.decisions(), w.guard()})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(told, []byte(githubToken)) {
		t.Error("the token is told")
	}
}

func TestRetrainOnGitHub(t *testing.T) {
	w := onGitHub(t)
	w.pass(40)
	w.drift()
	w.tick(1)
	d := w.one()
	w.wantState(d, v1alpha1.StateTraining, "none_fits")
	in := w.github.Runs()[0].Inputs
	if in["leeway_model"] != "churn" || in["leeway_parent_version"] != "1" || in["leeway_window_from"] >= in["leeway_window_to"] {
		t.Error(in)
	}
	w.tick(70)
	w.one()
	w.wantPhase(v1alpha1.Watching, "retrain_open")
	s := w.guard().Status.Retrain
	if s.Phase != "Training" || s.Job != d.Status.Job || !strings.HasPrefix(s.Job, "acme/churn/actions/runs/") || s.Reason != "" ||
		s.Message != "run 30433642 of acme/churn is queued" {
		t.Errorf("%+v", s)
	}
}

func TestRetrainOnGitHubEnds(t *testing.T) {
	tests := []struct {
		name   string
		during func(*world)
		state  v1alpha1.DecisionState
		reason string
	}{
		{"run fails", func(w *world) { w.runs("failure"); w.tick(10) }, v1alpha1.StateHeld, "job_failed"},
		{"run is cancelled", func(w *world) { w.github.Set(30433642, "completed", "cancelled"); w.tick(10) }, v1alpha1.StateHeld, "job_failed"},
		{"run times out", func(w *world) { w.github.Set(30433642, "completed", "timed_out"); w.tick(10) }, v1alpha1.StateHeld, "job_failed"},
		{"nothing is registered", func(w *world) { w.github.Set(30433642, "completed", "success"); w.tick(20) }, v1alpha1.StateHeld, "no_version_registered"},
		{"two are", func(w *world) {
			w.register(49, w.decisions()[0].Name)
			w.runs("success")
			w.tick(10)
		}, v1alpha1.StateHeld, "two_versions_registered"},
		{"run is deleted", func(w *world) { w.tick(120); w.github.Delete(30433642); w.tick(90) }, v1alpha1.StateHeld, "job_failed"},
		{"a person deploys", func(w *world) { w.deploy(w.register(0, ""), "kubectl-client-side-apply") }, v1alpha1.Superseded, "human_changed"},
		{"too late", func(w *world) { w.now = w.now.Add(61 * time.Minute) }, v1alpha1.StateHeld, "retrain_timeout"},
		{"token expires", func(w *world) { w.tick(10); w.secret("expired"); w.tick(90) }, v1alpha1.StateTraining, "none_fits"},
		{"rate limit", func(w *world) {
			w.tick(10)
			w.github.Next("GET", githubtest.Answer{Status: 403, Message: "You have exceeded a secondary rate limit.", Header: map[string]string{"Retry-After": "120"}})
			w.tick(60)
		}, v1alpha1.StateTraining, "none_fits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := onGitHub(t)
			w.pass(40)
			w.drift()
			w.tick(2)
			w.wantState(w.one(), v1alpha1.StateTraining, "none_fits")
			tt.during(w)
			w.tick(2)
			w.wantState(w.decisions()[0], tt.state, tt.reason)
			if w.changes != 0 || len(w.github.Runs()) > 1 {
				t.Errorf("%d changes, %d runs", w.changes, len(w.github.Runs()))
			}
			s := w.guard().Status.Retrain
			switch tt.name {
			case "token expires":
				if s.Reason != "trigger_refused" || !strings.Contains(s.Message, "401") {
					t.Errorf("%+v", s)
				}
			case "rate limit":
				if s.Reason != "trigger_unreachable" || !strings.Contains(s.Message, "rate limit") {
					t.Errorf("%+v", s)
				}
			}
			w.untold(t)
		})
	}
}

// What GitHub refuses outright holds the decision, and says what to check.
func TestGitHubRefuses(t *testing.T) {
	for name, do := range map[string]func(*world) string{
		"token": func(w *world) string {
			w.secret("wrong")
			return "put a valid one into key token of secret ml/leeway-github"
		},
		"secret": func(w *world) string {
			_ = w.client.Delete(w.t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "leeway-github"}})
			return "create it"
		},
		"repository": func(w *world) string {
			w.github.Change(func(c *githubtest.Config) { c.Repository = "acme/other" })
			return "check spec.retrain.github"
		},
		"no trigger": func(w *world) string { w.github = nil; w.loop = w.newLoop(w.client); return "starts no workflows" },
	} {
		t.Run(name, func(t *testing.T) {
			w := onGitHub(t)
			want := do(w)
			w.pass(40)
			w.drift()
			w.tick(2)
			d := w.one()
			w.wantState(d, v1alpha1.StateHeld, "trigger_refused")
			if !strings.Contains(d.Status.Message, want) {
				t.Errorf("%s\nwant %s", d.Status.Message, want)
			}
			if s := w.guard().Status.Retrain; s.Phase != "Held" || s.Reason != "trigger_refused" || s.Message != d.Status.Message {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A rate limit before the dispatch is waited for on the track of trainings; then the
// run is started, once.
func TestRateLimitedDispatch(t *testing.T) {
	w := onGitHub(t)
	w.pass(40)
	w.github.Next("POST", githubtest.Answer{Status: 429, Header: map[string]string{"Retry-After": "60"}})
	w.drift()
	w.tick(2)
	d := w.one()
	w.wantState(d, v1alpha1.StateTraining, "none_fits")
	if s := w.guard().Status.Retrain; s.Reason != "trigger_unreachable" || s.Phase != "Training" || len(w.github.Runs()) != 0 {
		t.Fatalf("%+v", s)
	}
	w.tick(50)
	if got := steps(w.one()); got != "decided job_starting job_postponed" {
		t.Error(got)
	}
	w.tick(12)
	if len(w.github.Runs()) != 1 {
		t.Fatal(w.github.Runs(), steps(w.one()))
	}
	w.runs("success")
	w.tick(30)
	w.wantServes("2")
}

// A GitHub that is down keeps the other track from nothing: what else goes wrong is
// judged as ever.
func TestOtherTrackWhileGitHubIsDown(t *testing.T) {
	for name, down := range map[string]func(*world){
		"before the dispatch": func(w *world) { w.github.Close(); w.drift() },
		"in the dispatch": func(w *world) {
			w.github.Next("POST", githubtest.Answer{Status: 502})
			w.drift()
			w.tick(1)
			w.github.Close()
		},
		"while it runs": func(w *world) { w.drift(); w.tick(2); w.github.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			w := onGitHub(t)
			w.pass(40)
			down(w)
			w.tick(30)
			w.wantState(w.one(), v1alpha1.StateTraining, "none_fits")
			if s := w.guard().Status.Retrain; s.Reason != "trigger_unreachable" || s.Message == "" {
				t.Errorf("%+v", s)
			}
			if c := condition(w, "Reconciled"); !strings.HasPrefix(c, "True") {
				t.Error(c)
			}
			w.alert("errors", "", "10s", "1", "")
			w.tick(12)
			w.wantPhase(v1alpha1.Held, "serving")
		})
	}
}

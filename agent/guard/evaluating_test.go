package guard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/leeway-dev/leeway/agent/explain"
	"github.com/leeway-dev/leeway/agent/guard"
	"github.com/leeway-dev/leeway/agent/retrain"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// fallen serves version 2, after version 1, whose quality falls: versions may be
// evaluated.
func fallen(t *testing.T, change ...func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	w := newWorld(t, change...)
	w.pass(40)
	w.mayEvaluate()
	w.fall()
	return w
}

// mayEvaluate gives the guard something to evaluate with.
func (w *world) mayEvaluate() {
	w.t.Helper()
	w.cronJob("churn-evaluate")
	g := w.guard()
	g.Spec.Evaluate = &v1alpha1.Evaluate{From: v1alpha1.JobSource{CronJob: "churn-evaluate"}, Timeout: metav1.Duration{Duration: 30 * time.Minute}}
	if err := w.client.Update(w.t.Context(), g); err != nil {
		w.t.Fatal(err)
	}
}

// fall has a person deploy version 2, and its quality fall a minute later, where
// version 1 would be less wrong.
func (w *world) fall() {
	w.t.Helper()
	two := w.register(0, "")
	w.shows[two] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: 6}
	w.deploy(two, "kubectl-client-side-apply")
	w.pass(60)
	w.shows[two] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: 13}
	w.shows["1"] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: 9}
	w.alert("quality", "", "10s", two, "")
}

func (w *world) jobs() []batchv1.Job {
	w.t.Helper()
	var jobs batchv1.JobList
	if err := w.client.List(w.t.Context(), &jobs); err != nil {
		w.t.Fatal(err)
	}
	return jobs.Items
}

// reported is what a Job reports where version 1 is wrong by so much less.
func (w *world) reported(gain float64) string {
	w.t.Helper()
	return fmt.Sprintf(`{"decision":%q,"rows":4000,"loss":"mae","live":{"version":"2","mean":13},"versions":[{"version":"1","mean":%g,"gain":%g,"standardError":0.5}]}`,
		w.decisions()[0].Name, 13-gain, gain)
}

func (w *world) good() string { return w.reported(4) }

// report has the Job of an evaluation end, with last words.
func (w *world) report(words string) {
	w.t.Helper()
	jobs := w.jobs()
	j := &jobs[0]
	yes := true
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: ns, Name: j.Name + "-x", Labels: map[string]string{retrain.LabelDecision: j.Name},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: j.Name, UID: j.UID, Controller: &yes}},
	}}
	p.Status = corev1.PodStatus{Phase: corev1.PodSucceeded, ContainerStatuses: []corev1.ContainerStatus{
		{Name: "log", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: "bye"}}},
		{Name: "evaluate", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: words}}},
	}}
	if err := w.client.Create(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
	w.complete(j, batchv1.JobComplete)
}

func TestEvaluateGoesToTheBetter(t *testing.T) {
	w := fallen(t)
	w.tick(1)
	d := w.one()
	w.wantState(d, v1alpha1.StateEvaluating, "concept_drift")
	if s := w.guard().Status.Retrain; s == nil || s.Phase != "Evaluating" || s.Decision != d.Name {
		t.Errorf("status %+v", s)
	}
	w.wantPhase(v1alpha1.Watching, "retrain_open")
	env := map[string]string{}
	for _, e := range w.job().Spec.Template.Spec.Containers[0].Env {
		env[e.Name] = e.Value
	}
	if env["LEEWAY_DECISION"] != d.Name || env["LEEWAY_PARENT_VERSION"] != "2" || env["LEEWAY_CANDIDATES"] != "1" {
		t.Error(env)
	}
	if o := w.job().OwnerReferences; len(o) != 1 || o[0].Name != "churn-evaluate" || *w.job().Spec.ActiveDeadlineSeconds != 1800 {
		t.Error(o, *w.job().Spec.ActiveDeadlineSeconds)
	}
	w.tick(10) // it takes its time; nothing else is begun
	w.one()
	w.report(w.good())
	w.tick(2)
	w.wantServes("1")
	w.alerts = nil
	w.settle(25)

	ds := w.decisions()
	if len(ds) != 2 || len(w.jobs()) != 1 || w.changes != 1 {
		t.Fatal(describe(ds), len(w.jobs()), w.changes)
	}
	w.wantState(ds[0], v1alpha1.Done, "evaluated")
	w.wantState(ds[1], v1alpha1.Done, "verified")
	if e := ds[0].Status.Evaluation; e == nil || e.Rows != 4000 || e.Live != "13" || len(e.Versions) != 1 || e.Versions[0].Gain != "4" {
		t.Errorf("%+v", e)
	}
	back := ds[1].Spec
	if back.Action != "rollback" || back.Cause != "concept_drift" || back.Reason != "evaluated_better" || back.To != "1" || back.Evaluation == nil || back.Evaluation.Decision != ds[0].Name {
		t.Error(describe(ds), back.Evaluation)
	}
	if s := ds[1].Status; s.VerifiedBy != "labels" || s.Before.Error != "13" || s.After.Error != "9" {
		t.Errorf("verified by %s, %+v, %+v", s.VerifiedBy, s.Before, s.After)
	}
	if h := w.guard().Status.History; h[0].Version != "1" || h[1].LeftFor != "concept_drift" || w.lifecycle("2") != registryv1.Registered {
		t.Errorf("history %+v, version 2 is %s", h, w.lifecycle("2"))
	}
	if c := condition(w, "Evaluated"); !strings.HasPrefix(c, "True evaluated") {
		t.Error(c)
	}
	told := explain.Decision(ds[1])
	for _, said := range []string{
		"Version 1 (chosen): mae 9, less by 4 ± 0.5, 8.0 standard errors: better, beyond 2.",
		"Made again from this record alone, it comes out the same.",
		"Version 1 gained 4; at 1 or below: concept_drift, a training (none_better).",
	} {
		if !strings.Contains(told, said) {
			t.Errorf("does not say %q:\n%s", said, told)
		}
	}
}

// What an evaluation ends with when it finds nothing to go to, and what follows.
func TestEvaluateEnds(t *testing.T) {
	report := func(words func(*world) string) func(*world) {
		return func(w *world) { w.report(words(w)) }
	}
	instead := func(old, with string) func(*world) {
		return report(func(w *world) string { return strings.Replace(w.good(), old, with, 1) })
	}
	tests := []struct {
		name   string
		during func(*world)
		state  v1alpha1.DecisionState
		reason string
		says   string
		next   string // reason of the training that follows; empty: none does
	}{
		{"none is better", report(func(w *world) string { return w.reported(0.9) }), v1alpha1.Done, "evaluated", "measured version 1 beside version 2 on 4000 labelled rows", "none_better"},
		{"the Job fails", func(w *world) { w.complete(w.job(), batchv1.JobFailed) }, v1alpha1.StateHeld, "job_failed", "", "evaluation_failed"},
		{"the Job is deleted", func(w *world) {
			if err := w.client.Delete(w.t.Context(), w.job()); err != nil {
				w.t.Fatal(err)
			}
		}, v1alpha1.StateHeld, "job_failed", "is gone", "evaluation_failed"},
		{"it takes too long", func(w *world) { w.now = w.now.Add(31 * time.Minute) }, v1alpha1.StateHeld, "evaluation_timeout", "longer than 30m", "evaluation_failed"},
		{"no pod is left", func(w *world) { w.complete(w.job(), batchv1.JobComplete) }, v1alpha1.StateHeld, "report_unusable", "no container left one", "evaluation_failed"},
		{"no report", report(func(*world) string { return "done" }), v1alpha1.StateHeld, "report_unusable", "no container left one", "evaluation_failed"},
		{"of another decision", instead(`"decision":"churn`, `"decision":"fraud`), v1alpha1.StateHeld, "report_unusable", "is of decision", "evaluation_failed"},
		{"a version that was not asked for", instead(`{"version":"1"`, `{"version":"7"`), v1alpha1.StateHeld, "report_unusable", "was not asked for", "evaluation_failed"},
		{"the version in service", instead(`{"version":"1"`, `{"version":"2"`), v1alpha1.StateHeld, "report_unusable", "was not asked for", "evaluation_failed"},
		{"compared with another", instead(`"live":{"version":"2"`, `"live":{"version":"3"`), v1alpha1.StateHeld, "report_unusable", "version 2 is in service", "evaluation_failed"},
		{"NaN", instead(`"gain":4`, `"gain":NaN`), v1alpha1.StateHeld, "report_unusable", "can't be read", "evaluation_failed"},
		{"a negative standard error", instead(`"standardError":0.5`, `"standardError":-0.5`), v1alpha1.StateHeld, "report_unusable", "standard error of -0.5", "evaluation_failed"},
		{"few rows", instead(`"rows":4000`, `"rows":199`), v1alpha1.StateHeld, "report_unusable", "at least 200", "evaluation_failed"},
		{"a pod of another Job", func(w *world) {
			w.report(w.good())
			var p corev1.Pod
			key := keyOf(w.job().Name + "-x")
			if err := w.client.Get(w.t.Context(), key, &p); err != nil {
				w.t.Fatal(err)
			}
			p.OwnerReferences = nil
			if err := w.client.Update(w.t.Context(), &p); err != nil {
				w.t.Fatal(err)
			}
		}, v1alpha1.StateHeld, "report_unusable", "no container left one", "evaluation_failed"},
		{"a person deploys", func(w *world) { w.deploy("1", "kubectl-client-side-apply") }, v1alpha1.Superseded, "human_changed", "", ""},
		{"quality is back", func(w *world) {
			w.alerts = nil
			w.report(w.good())
		}, v1alpha1.Done, "evaluated", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := fallen(t)
			w.tick(2)
			w.wantState(w.one(), v1alpha1.StateEvaluating, "concept_drift")
			tt.during(w)
			w.tick(3)
			ds := w.decisions()
			w.wantState(ds[0], tt.state, tt.reason)
			if !strings.Contains(ds[0].Status.Message, tt.says) {
				t.Errorf("%q does not say %q", ds[0].Status.Message, tt.says)
			}
			if w.changes != 0 {
				t.Errorf("%d changes", w.changes)
			}
			if tt.next == "" {
				w.one()
				return
			}
			if len(ds) != 2 || ds[1].Spec.Action != "retrain" || ds[1].Spec.Reason != tt.next || ds[1].Status.State != v1alpha1.StateTraining {
				t.Fatal(describe(ds))
			}
		})
	}
}

// An evaluation changes nothing, so nobody is asked before it; what it leads to is.
func TestEvaluateWithoutAsking(t *testing.T) {
	w := fallen(t, func(g *v1alpha1.ModelGuard) {
		g.Spec.Autonomy = v1alpha1.Autonomy{Default: v1alpha1.Observe, ConceptDrift: v1alpha1.Approve}
	})
	w.tick(1)
	w.wantState(w.one(), v1alpha1.StateEvaluating, "concept_drift")
	w.report(w.good())
	w.tick(2)
	ds := w.decisions()
	w.wantState(ds[1], v1alpha1.AwaitingApproval, "evaluated_better")
	w.wantServes("2")
	d := ds[1]
	d.Annotations = map[string]string{v1alpha1.AnnotationApprovedBy: "ann"}
	if err := w.client.Update(t.Context(), &d); err != nil {
		t.Fatal(err)
	}
	w.tick(1)
	w.wantServes("1")
}

func TestEvaluateIsOnlySaid(t *testing.T) {
	for name, change := range map[string]func(*world){
		"the guard observes": func(w *world) {
			g := w.guard()
			g.Spec.Autonomy = v1alpha1.Autonomy{}
			if err := w.client.Update(w.t.Context(), g); err != nil {
				w.t.Fatal(err)
			}
		},
		"Leeway may not act": func(w *world) { w.permitted = false },
	} {
		t.Run(name, func(t *testing.T) {
			w := fallen(t)
			change(w)
			w.tick(20)
			d := w.one()
			if d.Status.State != v1alpha1.Proposed || d.Spec.Action != "evaluate" || len(w.jobs()) != 0 {
				t.Error(describe(w.decisions()), len(w.jobs()))
			}
			if m := w.guard().Status.Message; !strings.HasPrefix(m, "would evaluate: ") {
				t.Error(m)
			}
		})
	}
}

// When nothing came of it, and the trouble goes on, it is measured again: after the
// window of rows that count as today's, and no sooner.
func TestEvaluateAgain(t *testing.T) {
	w := fallen(t, func(g *v1alpha1.ModelGuard) { g.Spec.Retrain = nil })
	w.tick(1)
	w.report(w.reported(0.1))
	w.tick(14)
	if ds := w.decisions(); len(ds) != 2 || len(w.jobs()) != 1 {
		t.Fatal(describe(ds))
	}
	w.wantPhase(v1alpha1.Held, "none_better")
	w.tick(4)
	if ds := w.decisions(); len(ds) != 3 || ds[2].Spec.Action != "evaluate" || len(w.jobs()) != 2 {
		t.Fatal(describe(ds))
	}
}

// What the better version turns out to be is judged as after any change: here it is
// worse, is undone and is not gone to again.
func TestEvaluateIsVerified(t *testing.T) {
	w := fallen(t)
	w.tick(1)
	w.report(w.good())
	w.tick(2)
	w.wantServes("1")
	w.shows["1"] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: 30}
	w.settle(25)
	w.wantServes("2")
	w.wantState(w.decisions()[1], v1alpha1.Failed, "worse")
	if w.lifecycle("1") != registryv1.Rejected {
		t.Error(w.lifecycle("1"))
	}
}

// The best one's artifact is gone: what is left is judged anew.
func TestEvaluateWithoutTheArtifact(t *testing.T) {
	w := fallen(t)
	w.artifacts[uri(1)] = errGone
	w.tick(1)
	w.report(w.good())
	w.tick(2)
	ds := w.decisions()
	if len(ds) != 2 || ds[1].Spec.Action != "retrain" || ds[1].Spec.Reason != "none_better" || !strings.Contains(ds[1].Status.Steps[0].Message, "version 1 is out: artifact_missing") {
		t.Fatal(describe(ds))
	}
}

// A guard that names nothing to evaluate with trains, as before there was such a thing.
func TestConceptDriftWithoutEvaluation(t *testing.T) {
	w := newWorld(t)
	w.pass(40)
	w.fall()
	w.tick(1)
	d := w.one()
	w.wantState(d, v1alpha1.StateTraining, "concept_drift")
	if d.Spec.Action != "retrain" || d.Spec.Evaluation != nil || d.Spec.Asked != nil || !strings.Contains(d.Status.Steps[0].Message, "did not change: train on today's labels") {
		t.Error(describe(w.decisions()))
	}
}

// A leader whose cache has not seen what it has begun on the track of trainings begins
// no second one.
func TestTrackIsNotLookedUpInACache(t *testing.T) {
	for name, begin := range map[string]func() *world{
		"training": func() *world {
			w := newWorld(t)
			w.pass(40)
			w.drift()
			return w
		},
		"evaluation": func() *world { return fallen(t) },
	} {
		t.Run(name, func(t *testing.T) {
			w := begin()
			w.tick(1)
			w.adjust = func(c *guard.Config) { c.Live = w.client }
			w.loop = w.newLoop(interceptor.NewClient(w.client, interceptor.Funcs{
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					if _, ok := list.(*v1alpha1.ModelDecisionList); ok {
						return nil
					}
					return c.List(ctx, list, opts...)
				},
			}))
			w.tick(2)
			if ds := w.decisions(); len(ds) != 1 || len(w.jobs()) != 1 {
				t.Errorf("%s, %d jobs", describe(ds), len(w.jobs()))
			}
		})
	}
}

// Leeway itself goes to another version meanwhile, for inputs that drifted: what is
// measured beside the one that was left says nothing any more.
func TestEvaluateIsOvertaken(t *testing.T) {
	w := fallen(t)
	w.tick(1)
	three := w.register(50, "", registryv1.Evaluation{Version: 2, Dataset: "holdout", Metric: "mae", Value: "60"})
	w.shows[three] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: 6}
	w.live = csvProfile(t, 50)
	w.alert("input_drift", "page", "10s", "2", "x")
	w.tick(5)
	w.alert("input_drift", "act", "30s", "2", "x")
	w.tick(2)
	w.wantServes(three)
	w.settle(1)
	ds := w.decisions()
	w.wantState(ds[0], v1alpha1.Superseded, "superseded")
	if len(ds) != 2 || ds[1].Spec.Cause != "input_drift" || !strings.Contains(ds[0].Status.Message, "version 3 is in service by now") {
		t.Error(describe(ds))
	}
}

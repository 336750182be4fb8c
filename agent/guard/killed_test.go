package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/leeway-dev/leeway/agent/retrain/github/githubtest"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

var errKilled = errors.New("killed")

// mortal is a client whose process dies at its n-th write: just before it
// reaches the API server, or just after, with the answer lost.
type mortal struct {
	mu     sync.Mutex
	left   int
	after  bool
	killed bool
}

func (m *mortal) write(do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.killed {
		return errKilled
	}
	m.left--
	if m.left > 0 {
		return do()
	}
	m.killed = true
	if m.after {
		_ = do()
	}
	return errKilled
}

// RoundTrip counts what changes something at GitHub as a write.
func (m *mortal) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	if r.Method == http.MethodGet {
		return http.DefaultTransport.RoundTrip(r)
	}
	failed := m.write(func() error {
		answer, err = http.DefaultTransport.RoundTrip(r)
		return err
	})
	if failed != nil && answer != nil {
		_ = answer.Body.Close()
		answer = nil
	}
	return answer, failed
}

// writing is a client whose writes, but for dry runs, go through a function.
func writing(c client.WithWatch, write func(do func() error) error) client.Client {
	return interceptor.NewClient(c, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return write(func() error { return c.Create(ctx, o, opts...) })
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			for _, opt := range opts {
				if opt == client.DryRunAll {
					return nil
				}
			}
			return write(func() error { return c.Apply(ctx, o, opts...) })
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			return write(func() error { return c.SubResource(sub).Update(ctx, o, opts...) })
		},
	})
}

// lead has a mortal leader go on, or one that lives.
func (w *world) lead(m *mortal) {
	w.mortal, w.transport = m, nil
	c := client.Client(w.client)
	if m != nil {
		w.transport, c = m, writing(w.client, m.write)
	}
	w.loop = w.newLoop(c)
}

// story is told of leaders that are killed or stopped: begun is called when there
// is something to do, and the end is the same as for one that lives, so many
// rounds later.
type story struct {
	rounds   int
	autonomy v1alpha1.AutonomyLevel
	github   *githubtest.Config // that trains; nil: a Job
	tell     func(t *testing.T, w *world, begun func())
}

// begin is the world of the story, before anything goes wrong.
func (s story) begin(t *testing.T) *world {
	t.Helper()
	autonomy := func(g *v1alpha1.ModelGuard) { g.Spec.Autonomy.Default = s.autonomy }
	var w *world
	if s.github == nil {
		w = newWorld(t, autonomy)
	} else {
		w = onGitHub(t, autonomy)
		w.github.Change(func(c *githubtest.Config) { c.Legacy = s.github.Legacy })
	}
	w.pass(40)
	return w
}

func stories() map[string]story {
	return map[string]story{
		"rollback": {8, v1alpha1.Auto, nil, func(t *testing.T, w *world, begun func()) {
			w.release()
			begun()
			w.wantRolledBack()
		}},
		"approval": {8, v1alpha1.Approve, nil, func(t *testing.T, w *world, begun func()) {
			w.release()
			w.tick(2)
			w.approve("ann")
			begun()
			if d := w.wantRolledBack(); d.Status.ApprovedBy != "ann" {
				t.Errorf("approved by %q, want ann: %s", d.Status.ApprovedBy, steps(d))
			}
		}},
		"retrain": {12, v1alpha1.Auto, nil, func(t *testing.T, w *world, begun func()) {
			w.drift()
			begun()
			w.tick(3)
			w.train("")
			w.tick(3)
			w.wantChanged("gate_passed", "2")
		}},
		"evaluation": {12, v1alpha1.Auto, nil, func(t *testing.T, w *world, begun func()) {
			w.mayEvaluate()
			w.fall()
			begun()
			w.tick(3)
			w.report(w.good())
			w.tick(3)
			w.wantChanged("evaluated", "1")
		}},
		"retrain on GitHub": {12, v1alpha1.Auto, &githubtest.Config{}, func(t *testing.T, w *world, begun func()) {
			w.trainOnGitHub(t, begun)
		}},
		"retrain on an older GitHub": {12, v1alpha1.Auto, &githubtest.Config{Legacy: true}, func(t *testing.T, w *world, begun func()) {
			w.trainOnGitHub(t, begun)
		}},
	}
}

// wantChanged lets the change that a Job's outcome led to come to its end, and wants it
// to be verified, by the one change and the one Job there are.
func (w *world) wantChanged(outcome, version string) {
	w.t.Helper()
	w.settle(2)
	w.alerts = nil
	w.settle(2)
	w.pass(20)
	ds := w.decisions()
	if len(ds) != 2 {
		w.t.Fatal(describe(ds))
	}
	w.wantState(ds[0], v1alpha1.Done, outcome)
	w.wantState(ds[1], v1alpha1.Done, "verified")
	w.wantServes(version)
	if w.changes != 1 || len(w.jobs()) != 1 {
		w.t.Errorf("%d changes and %d jobs, want one each", w.changes, len(w.jobs()))
	}
}

// wantRolledBack lets a rollback to version 1 come to its end, and wants it to be
// verified, by the one change there is.
func (w *world) wantRolledBack() v1alpha1.ModelDecision {
	w.t.Helper()
	w.tick(2)
	w.settle(2)
	w.alerts = nil
	w.settle(2)
	w.pass(20)
	d := w.one()
	w.wantState(d, v1alpha1.Done, "verified")
	w.wantServes("1")
	if w.changes != 1 {
		w.t.Errorf("%d changes of the workload, want 1: %s", w.changes, steps(d))
	}
	return d
}

// TestKilledAtEveryWrite kills the leader at each of its writes, and lets
// another go on: the outcome is that of a leader that lives.
func TestKilledAtEveryWrite(t *testing.T) {
	for name, story := range stories() {
		if testing.Short() && story.github != nil && story.github.Legacy {
			continue
		}
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				m := &mortal{left: n, after: after}
				t.Run(fmt.Sprintf("%s/write %d, after %v", name, n, after), func(t *testing.T) {
					w := story.begin(t)
					story.tell(t, w, func() {
						w.lead(m)
						if w.github == nil || testing.Short() {
							w.until(func() bool { return m.killed }, 3)
							w.lead(nil)
						} // else to the end
					})
				})
				if !m.killed {
					if n < 4 {
						t.Errorf("%s: the leader was never killed", name)
					}
					break
				}
			}
		}
	}
}

// until ticks until it is so, or for so many seconds.
func (w *world) until(so func() bool, seconds int) {
	for range seconds {
		if so() {
			return
		}
		w.tick(1)
	}
}

// drift lets the inputs of version 1 go where no version is at home, and stay
// there for the window that saw it first.
func (w *world) drift() {
	w.live = csvProfile(w.t, 50)
	w.shows["1"] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: 18}
	w.alert("input_drift", "page", "10s", "1", "x")
	w.tick(10)
	w.alert("input_drift", "act", "30s", "1", "x")
}

// train does what the Job does, as often as it was asked: registers a version
// that is at home in today's rows, and completes.
func (w *world) train(decision string) {
	w.t.Helper()
	var jobs batchv1.JobList
	if err := w.client.List(w.t.Context(), &jobs); err != nil {
		w.t.Fatal(err)
	}
	for i := range jobs.Items {
		j := &jobs.Items[i]
		if decision == "" {
			for _, e := range j.Spec.Template.Spec.Containers[0].Env {
				if e.Name == "LEEWAY_DECISION" {
					decision = e.Value
				}
			}
		}
		v := w.register(50, decision)
		w.shows[v] = shown{requests: 5000, p99: 0.02, labels: 3000, meanError: 6}
		w.complete(j, batchv1.JobComplete)
	}
}

func (w *world) complete(j *batchv1.Job, how batchv1.JobConditionType) {
	w.t.Helper()
	j.Status.Conditions = []batchv1.JobCondition{{Type: how, Status: corev1.ConditionTrue, Reason: "Test"}}
	if err := w.client.Status().Update(w.t.Context(), j); err != nil {
		w.t.Fatal(err)
	}
}

// Both controllers die while a bad release waits for a person, and are away for longer
// than the window of its alert, which begins anew when they are back. The time in which
// nobody looked is no clean window, so it is the release still. But an alert that had
// cleared before stays cleared.
func TestBothAway(t *testing.T) {
	for name, tt := range map[string]struct {
		quiet int // seconds without the alert before they die
		cause string
	}{"the alert went on": {0, "bad_release"}, "the alert had cleared": {60, "serving"}} {
		t.Run(name, func(t *testing.T) {
			w := badRelease(t, func(g *v1alpha1.ModelGuard) { g.Spec.Autonomy.Default = v1alpha1.Observe })
			w.tick(5)
			if tt.quiet > 0 {
				w.alerts = nil
				w.tick(tt.quiet)
			}
			led := w.now
			w.now = w.now.Add(40 * time.Second)
			w.lead(nil)
			w.loop.TakeOver(led)
			w.alerts = nil
			w.tick(2)
			w.alert("errors", "", "10s", "2", "")
			w.tick(15)
			ds := w.decisions()
			if d := ds[len(ds)-1]; d.Spec.Cause != tt.cause {
				t.Error(describe(ds))
			}
		})
	}
}

package guard_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/explain"
	"github.com/leeway-dev/leeway/agent/retrain/github/githubtest"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/artifact"
	"github.com/leeway-dev/leeway/registry/dir"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

// quiet has served version 1 for 40 seconds, and nothing was the matter.
func quiet(t *testing.T, change ...func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	w := newWorld(t, change...)
	w.pass(40)
	w.wantPhase(v1alpha1.Watching, "healthy")
	return w
}

// returning has gone back to version 1 for drift when the inputs turn again, to
// what version 2 is at home in.
func returning(t *testing.T, change func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	w := seasons(t, change)
	w.alerts = nil
	w.settle(25)
	w.pass(40)
	w.wantServes("1")
	w.live = csvProfile(t, 50)
	w.alert("input_drift", "page", "10s", "1", "x")
	w.alert("input_drift", "act", "30s", "1", "x")
	w.now = w.now.Add(8 * time.Second)
	w.tick(2)
	return w
}

// inTraining has a version trained, and then what is said happen.
func inTraining(t *testing.T, during func(*world)) *world {
	t.Helper()
	w := quiet(t)
	w.drift()
	w.tick(2)
	w.wantState(w.one(), v1alpha1.StateTraining, "none_fits")
	during(w)
	w.tick(2)
	return w
}

func (w *world) job() *batchv1.Job {
	w.t.Helper()
	var jobs batchv1.JobList
	if err := w.client.List(w.t.Context(), &jobs); err != nil || len(jobs.Items) != 1 {
		w.t.Fatal(err, len(jobs.Items))
	}
	return &jobs.Items[0]
}

// unread is a registry that does not answer.
type unread struct{ registry.Store }

func (unread) List(context.Context, string) ([]registry.Version, error) { return nil, errDown }

// heldBy has, for every reason that a guard is held or blind for or an act came to
// nothing for, how it comes to that.
func heldBy() map[decide.Reason]func(*testing.T) *world {
	with := func(do func(*world), seconds int, change ...func(*v1alpha1.ModelGuard)) func(*testing.T) *world {
		return func(t *testing.T) *world {
			w := quiet(t, change...)
			do(w)
			w.tick(seconds)
			return w
		}
	}
	alerted := func(cause, clock, window string) func(*testing.T) *world {
		return with(func(w *world) { w.alert(cause, clock, window, "1", "x") }, 20)
	}
	drifted := func(change ...func(*v1alpha1.ModelGuard)) func(*testing.T) *world {
		return with((*world).drift, 2, change...)
	}
	released := func(seconds int, do func(*world), change ...func(*v1alpha1.ModelGuard)) func(*testing.T) *world {
		return func(t *testing.T) *world {
			w := badRelease(t, change...)
			do(w)
			w.tick(seconds)
			return w
		}
	}
	unserved := func(change func(*v1alpha1.ModelGuard)) func(*testing.T) *world {
		return func(t *testing.T) *world {
			w := newWorld(t, change)
			w.tick(2)
			return w
		}
	}
	trained := func(during func(*world)) func(*testing.T) *world {
		return func(t *testing.T) *world { return inTraining(t, during) }
	}
	measured := func(during func(*world), change ...func(*v1alpha1.ModelGuard)) func(*testing.T) *world {
		return func(t *testing.T) *world {
			w := fallen(t, change...)
			w.tick(1)
			during(w)
			w.tick(3)
			return w
		}
	}
	unhelped := func(g *v1alpha1.ModelGuard) { g.Spec.Retrain = nil }
	approve := func(g *v1alpha1.ModelGuard) { g.Spec.Autonomy.Default = v1alpha1.Approve }
	lost := func(err error) func(*world) { return func(w *world) { w.artifacts[uri(1)] = err } }
	again := func(w *world) {
		w.tick(1)
		d := w.deployment()
		if err := w.client.Delete(w.t.Context(), d); err != nil {
			w.t.Fatal(err)
		}
		d.UID, d.ResourceVersion = "uid-2", ""
		if err := w.client.Create(w.t.Context(), d); err != nil {
			w.t.Fatal(err)
		}
	}
	slow := func(w *world) {
		d := w.deployment()
		deadline := int32(60)
		d.Spec.ProgressDeadlineSeconds = &deadline
		w.update(d)
		w.stuck = true
	}
	return map[decide.Reason]func(*testing.T) *world{
		decide.ReasonNoTraffic: with(func(w *world) { w.shows["1"] = shown{} }, 20),
		decide.ReasonNoData:    with(func(w *world) { w.blindPods = true }, 20),
		decide.ReasonPartialProfile: with(func(w *world) {
			w.drift()
			w.live = nil
		}, 2),
		decide.ReasonSourceUnreachable: with(func(w *world) { w.sourceErr = errDown }, 2),
		decide.ReasonSidecarMissing: with(func(w *world) {
			w.blindPods = true
			d := w.deployment()
			d.Spec.Template.Spec.InitContainers = nil
			w.update(d)
		}, 20),
		decide.ReasonTooFewRows: drifted(func(g *v1alpha1.ModelGuard) { g.Spec.Match.MinSamples = 5000 }),

		decide.ReasonHumanChanged: released(10, func(w *world) {
			w.tick(1)
			w.deploy("2", "kubectl-client-side-apply")
		}),
		decide.ReasonRejectedReturned: released(15, func(w *world) {
			w.tick(1)
			w.alerts = nil
			w.settle(25)
			w.deploy("2", "kubectl-client-side-apply")
		}),
		decide.ReasonVersionMismatch: with(func(w *world) {
			d := w.deployment()
			d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "MODEL_URI", Value: uri(9)}}
			w.update(d)
		}, 3),

		decide.ReasonCorrelated:  outage,
		decide.ReasonBrokenInput: alerted("broken_input", "", "10s"),
		decide.ReasonSaturation: with(func(w *world) {
			w.load, w.loadBefore = 300, 100
			w.alert("latency", "", "30s", "1", "")
		}, 3),
		decide.ReasonServing:         alerted("errors", "", "10s"),
		decide.ReasonPredictionDrift: alerted("prediction_drift", "act", "30s"),
		decide.ReasonExpectedError: with(func(w *world) {
			w.alert("quality", "", "10s", "1", "")
			w.alerts[0].Labels["leeway_basis"] = "expected"
		}, 2),

		decide.ReasonLiveFits: alerted("input_drift", "act", "30s"),
		decide.ReasonInputsMoving: with(func(w *world) {
			w.deploy(w.register(50, ""), "kubectl-client-side-apply")
			w.shows["2"] = shown{requests: 5000, p99: 0.02}
			w.pass(60)
			w.live, w.newer = csvProfile(w.t, 0.8), csvProfile(w.t, 0.4)
			w.alert("input_drift", "page", "10s", "2", "x")
			w.alert("input_drift", "act", "30s", "2", "x")
			w.now = w.now.Add(8 * time.Second)
		}, 2),
		decide.ReasonNoneFits: trained(func(w *world) {
			w.live = csvProfile(w.t, 90)
			w.train("")
			w.tick(3)
		}),
		decide.ReasonNoneBetter: measured(func(w *world) { w.report(w.reported(0.001)) }, unhelped),
		decide.ReasonNoGoodVersion: func(t *testing.T) *world {
			w := newWorld(t)
			w.tick(15) // for less than goodAfter
			w.release()
			w.tick(2)
			return w
		},
		decide.ReasonFirstVersion: func(t *testing.T) *world {
			w := newWorld(t)
			w.tick(2)
			w.alert("errors", "", "10s", "1", "")
			w.tick(2)
			return w
		},
		decide.ReasonUnregistered: with(func(w *world) {
			w.deploy("7", "kubectl-client-side-apply")
			w.shows["7"] = shown{requests: 5000}
		}, 15),
		decide.ReasonEmptyRegistry:       with(func(w *world) { w.store = dir.New(w.t.TempDir(), time.Now) }, 3),
		decide.ReasonArtifactMissing:     released(2, lost(errGone)),
		decide.ReasonArtifactDigest:      released(2, lost(fmt.Errorf("another: %w", artifact.ErrDigest))),
		decide.ReasonArtifactUnreachable: released(2, lost(errDown)),
		decide.ReasonNotAllowed:          released(2, func(*world) {}, func(g *v1alpha1.ModelGuard) { g.Spec.Artifact.Allow = nil }),
		decide.ReasonToleranceAuto: func(t *testing.T) *world {
			return seasons(t, func(g *v1alpha1.ModelGuard) { g.Spec.Match.Tolerance = "auto" })
		},

		decide.ReasonCooldown: func(t *testing.T) *world {
			return returning(t, func(g *v1alpha1.ModelGuard) {
				g.Spec.Limits.Cooldown.Duration, g.Spec.Limits.ReturnAfter.Duration = time.Hour, time.Second
			})
		},
		decide.ReasonOscillation: func(t *testing.T) *world {
			return returning(t, func(g *v1alpha1.ModelGuard) { g.Spec.Limits.ReturnAfter.Duration = time.Hour })
		},
		decide.ReasonChangesPerDay:   released(2, func(*world) {}, func(g *v1alpha1.ModelGuard) { g.Spec.Limits.ChangesPerDay = 0 }),
		decide.ReasonRetrainsPerWeek: drifted(func(g *v1alpha1.ModelGuard) { g.Spec.Limits.RetrainsPerWeek = 0 }),
		decide.ReasonFleetLimit: released(1, func(w *world) {
			w.neighbour("elsewhere", "busy")
			var g v1alpha1.ModelGuard
			key := keyOf("busy")
			key.Namespace = "elsewhere"
			if err := w.client.Get(w.t.Context(), key, &g); err != nil {
				w.t.Fatal(err)
			}
			g.Status.Phase = v1alpha1.Acting
			if err := w.client.Status().Update(w.t.Context(), &g); err != nil {
				w.t.Fatal(err)
			}
		}),
		decide.ReasonNoRetrain: drifted(func(g *v1alpha1.ModelGuard) { g.Spec.Retrain = nil }),

		decide.ReasonGateFailed: trained(func(w *world) {
			w.register(50, w.decisions()[0].Name, registryv1.Evaluation{Version: 1, Dataset: "holdout", Metric: "mae", Value: "5"})
			w.complete(w.job(), batchv1.JobComplete)
		}),
		decide.ReasonNoComparison: trained(func(w *world) {
			w.shows["1"] = shown{requests: 5000}
			w.train("")
		}),
		decide.ReasonTainted: trained(func(w *world) {
			w.alert("broken_input", "", "10s", "1", "x")
			w.tick(1)
			w.train("")
			w.tick(3)
		}),
		decide.ReasonNoVersion: trained(func(w *world) {
			w.complete(w.job(), batchv1.JobComplete)
			w.tick(10)
		}),
		decide.ReasonTwoVersions: trained(func(w *world) {
			w.register(49, w.decisions()[0].Name)
			w.train("")
		}),
		decide.ReasonJobFailed:         trained(func(w *world) { w.complete(w.job(), batchv1.JobFailed) }),
		decide.ReasonEvaluationFailed:  measured(func(w *world) { w.complete(w.job(), batchv1.JobFailed) }, unhelped),
		decide.ReasonReportUnusable:    measured(func(w *world) { w.report("done") }),
		decide.ReasonEvaluationTimeout: measured(func(w *world) { w.now = w.now.Add(31 * time.Minute) }),
		decide.ReasonTriggerRefused: onWorkflow(func(w *world) {
			w.github.Change(func(c *githubtest.Config) { c.Repository = "acme/other" })
		}),
		decide.ReasonTriggerUnreachable: onWorkflow(func(w *world) { w.github.Close() }),
		decide.ReasonRetrainTimeout:     trained(func(w *world) { w.now = w.now.Add(61 * time.Minute) }),

		decide.ReasonNotReady: released(70, slow),
		decide.ReasonWorse: released(1, func(w *world) {
			w.tick(1)
			w.alerts = nil
			w.shows["1"] = shown{requests: 5000, errors: 4000, p99: 0.02}
			w.settle(30)
		}),
		decide.ReasonInconclusive: released(1, func(w *world) {
			w.tick(1)
			w.alerts = nil
			w.shows["1"] = shown{requests: 50}
			w.settle(30)
		}),

		"duplicate_guard": func(t *testing.T) *world {
			w := newWorld(t)
			first := theGuard()
			first.Name = "a-churn"
			if err := w.client.Create(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			w.tick(2)
			return w
		},
		"workload_missing":       unserved(func(g *v1alpha1.ModelGuard) { g.Spec.Workload.Name = "curn" }),
		"container_missing":      unserved(func(g *v1alpha1.ModelGuard) { g.Spec.Artifact.Container = "modle" }),
		"artifact_field_missing": unserved(func(g *v1alpha1.ModelGuard) { g.Spec.Artifact.Env = "URI" }),
		"version_label_missing": with(func(w *world) {
			d := w.deployment()
			delete(d.Spec.Template.Labels, v1alpha1.LabelVersion)
			w.update(d)
		}, 2),
		"registry_unreachable": with(func(w *world) { w.store = unread{w.store} }, 2),
		"workload_paused": released(2, func(w *world) {
			d := w.deployment()
			d.Spec.Paused = true
			w.update(d)
		}),
		"gitops_owned": with(func(w *world) {
			two := w.register(0, "")
			w.shows[two] = shown{requests: 5000, errors: 1000}
			w.deploy(two, "argocd-controller")
			w.tick(2)
			w.alert("errors", "", "10s", two, "")
		}, 3),
		"no_permission":     released(2, func(w *world) { w.permitted = false }),
		"proposed":          released(2, func(*world) {}, func(g *v1alpha1.ModelGuard) { g.Spec.Autonomy = v1alpha1.Autonomy{} }),
		"awaiting_approval": released(2, func(*world) {}, approve),
		"approval_expired": released(1, func(w *world) {
			w.tick(2)
			w.now = w.now.Add(time.Hour)
		}, approve),
		"decided_otherwise": released(1, func(w *world) {
			w.tick(2)
			w.artifacts[uri(1)] = errGone
			d := w.one()
			d.Annotations = map[string]string{v1alpha1.AnnotationApprovedBy: "ann"}
			if err := w.client.Update(w.t.Context(), &d); err != nil {
				w.t.Fatal(err)
			}
		}, approve),
		"pods_pending": released(70, func(w *world) {
			slow(w)
			p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "churn-new", Labels: map[string]string{
				"app": name, v1alpha1.LabelModel: name, v1alpha1.LabelVersion: "1",
			}}}
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes are available"}}
			if err := w.client.Create(w.t.Context(), &p); err != nil {
				w.t.Fatal(err)
			}
		}),
		"pod_stuck": stuckSet,
		"change_refused": released(2, func(w *world) {
			quota := apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, name, errors.New("quota"))
			w.loop = w.newLoop(refusing(w, quota))
		}),
		"superseded": released(2, again),
	}
}

func (w *world) update(d *appsv1.Deployment) {
	w.t.Helper()
	if err := w.client.Update(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
}

// onWorkflow is a world in which a workflow should train, and something is the matter
// with GitHub.
func onWorkflow(change func(*world)) func(*testing.T) *world {
	return func(t *testing.T) *world {
		w := onGitHub(t)
		w.pass(40)
		change(w)
		w.drift()
		w.tick(2)
		return w
	}
}

// shownAs are reasons that stand in the place of another, which the table reaches:
// both are why a rollback may only be proposed.
var shownAs = map[decide.Reason]decide.Reason{decide.ReasonInputsSayNothing: decide.ReasonToleranceAuto}

// Each is a condition of the guard, an event, a metric and a sentence that says what
// to do.
func TestEveryHoldIsSeen(t *testing.T) {
	ways := heldBy()
	for _, a := range explain.Advices() {
		if shownAs[a.Reason] != "" {
			continue
		}
		t.Run(string(a.Reason), func(t *testing.T) {
			way, ok := ways[a.Reason]
			if !ok {
				t.Fatal("nothing here comes to it: add the way to it, or remove it")
			}
			w := way(t)
			reason := string(a.Reason)
			if !slices.ContainsFunc(w.conditions, func(c string) bool {
				return strings.Contains(c, " "+reason+": ") || strings.Contains(c, "("+reason+")")
			}) {
				t.Errorf("no condition: %s", strings.Join(w.conditions, "\n"))
			}
			if !slices.ContainsFunc(w.events, func(e string) bool {
				return strings.Contains(e, " "+reason+": ") && strings.HasSuffix(e, "What to do: "+a.ToDo)
			}) {
				t.Errorf("no event that says what to do: %s", strings.Join(w.events, "\n"))
			}
			for _, d := range w.decisions() {
				if told := explain.Decision(d); !strings.Contains(told, "Made again from this record alone, it comes out the same.") {
					t.Errorf("the record does not say what it rests on:\n%s", told)
				}
			}
			// One that is waited for within a training ends nothing yet.
			if !w.counted[reason] && a.Reason != decide.ReasonTriggerUnreachable {
				t.Errorf("no metric has it: %v", w.counted)
			}
		})
	}
}

// Every word of package decide and of this one that is not told here holds nothing.
func TestEveryReasonIsAdvisedOrHoldsNothing(t *testing.T) {
	harmless := []decide.Reason{
		decide.ReasonHealthy, decide.ReasonSettling, decide.ReasonRollingOut, decide.ReasonWaitsForHigherCause, decide.ReasonLastGood,
		decide.ReasonInputDrift, decide.ReasonFits, decide.ReasonConceptDrift, decide.ReasonRetrainOpen, decide.ReasonGatePassed,
		decide.ReasonDriftGone, decide.ReasonEvaluated, decide.ReasonEvaluatedBetter, decide.ReasonVerifying, decide.ReasonVerified,
	}
	for _, file := range []string{"../decide/reason.go", "observe.go"} {
		for word := range reasonsOf(t, file) {
			if advised := explain.ToDo(word) != ""; advised == slices.Contains(harmless, decide.Reason(word)) {
				t.Errorf("%s: advised is %t: give it advice in package explain, or name it here as one that holds nothing", word, advised)
			}
		}
	}
}

// reasonsOf are the words of constants of a file whose names begin with Reason.
func reasonsOf(t *testing.T, file string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, "Reason") {
			if v, ok := spec.Values[0].(*ast.BasicLit); ok {
				word, err := strconv.Unquote(v.Value)
				if err != nil {
					t.Fatal(err)
				}
				words[word] = true
			}
		}
		return true
	})
	if len(words) < 10 {
		t.Fatalf("only %d words in %s", len(words), file)
	}
	return words
}

// look notes what the guard and the metrics say now.
func (w *world) look() {
	w.t.Helper()
	var g v1alpha1.ModelGuard
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.ns, Name: name}, &g); client.IgnoreNotFound(err) != nil && !w.uninstalled {
		w.t.Fatal(err)
	}
	for _, c := range g.Status.Conditions {
		if s := c.Type + " " + c.Reason + ": " + c.Message; !slices.Contains(w.conditions, s) {
			w.conditions = append(w.conditions, s)
		}
	}
	families, err := w.loop.Registerer.(*prometheus.Registry).Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() == "reason" && l.GetValue() != "" {
					w.counted[l.GetValue()] = true
				}
			}
		}
	}
}

package guard_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/leeway-dev/leeway/agent/evidence"
	"github.com/leeway-dev/leeway/agent/guard"
	"github.com/leeway-dev/leeway/agent/retrain/github"
	"github.com/leeway-dev/leeway/agent/retrain/github/githubtest"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/artifact"
	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/profile"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

const ns, name = "ml", "churn"

// world is a namespace with one guarded Deployment, a registry, and numbers as
// a rule engine would have them. Time moves only by tick.
type world struct {
	t    *testing.T
	ns   string
	real bool // there is an API server
	// uninstalled: its kinds are gone.
	uninstalled bool
	// shell is the folder in which commands of the documentation are run.
	shell  string
	now    time.Time
	client client.WithWatch
	store  registry.Store
	loop   *guard.Loop
	// interval of the loop; zero: a second
	interval time.Duration
	source   guard.Source // the world itself, unless it is read by HTTP
	adjust   func(*guard.Config)

	mu        sync.Mutex
	alerts    []evidence.Alert
	sourceErr error
	blindPods bool
	// references that the pods have; empty: they don't say
	references [2]string
	justBegun  bool             // one sample of each counter so far
	shows      map[string]shown // by version
	// load is the most that is asked, loadBefore the most that was; a second.
	load, loadBefore float64
	permitted        bool
	artifacts        map[string]error
	check            func(ctx context.Context, uri string) error
	live             *profile.Profile
	newer            *profile.Profile // of the newer half of the rows, if it is another
	longest          time.Duration    // that a profile was asked for
	events           []string
	conditions       []string        // that the guard has had
	counted          map[string]bool // reasons that metrics have had
	changes          int             // of the Deployment, dry runs left out
	perModel         bool            // pods of other models are named after them
	stuck            bool            // the Deployment's controller does nothing
	ticked           func()          // after every round, if it is set

	github    *githubtest.Server // that trains; nil: Jobs do
	transport http.RoundTripper  // of the loop to it
	mortal    *mortal            // whose process the loop is; nil: nobody's
}

// shown is what a version shows: over any window.
type shown struct {
	requests, errors, p99, labels, meanError float64
	// off is how far predictions are from the version's own reference.
	off float64
}

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, batchv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func newWorld(t *testing.T, change ...func(*v1alpha1.ModelGuard)) *world {
	t.Helper()
	w := &world{
		t: t, ns: ns, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), permitted: true,
		artifacts: map[string]error{}, counted: map[string]bool{}, shows: map[string]shown{}, live: csvProfile(t, 0),
	}
	w.store = dir.New(t.TempDir(), func() time.Time { return w.now })
	g := theGuard()
	for _, f := range change {
		f(g)
	}
	w.client = fake.NewClientBuilder().WithScheme(scheme(t)).
		WithStatusSubresource(&v1alpha1.ModelGuard{}, &v1alpha1.ModelDecision{}, &appsv1.Deployment{}, &appsv1.StatefulSet{}, &batchv1.Job{}).
		WithReturnManagedFields().
		WithObjects(g).
		WithInterceptorFuncs(interceptor.Funcs{
			Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
				for _, opt := range opts {
					if opt == client.DryRunAll {
						return nil
					}
				}
				if err := c.Apply(ctx, o, opts...); err != nil {
					return err
				}
				w.mu.Lock()
				w.changes++
				w.mu.Unlock()
				return repair(ctx, c)
			},
		}).Build()
	w.register(0, "")
	w.deploy("1", "kubectl-client-side-apply")
	w.cronJob("churn-retrain")
	w.shows["1"] = shown{requests: 5000, p99: 0.02}
	w.source = w
	w.loop = w.newLoop(w.client)
	return w
}

// repair gives back what the fake client loses in an apply and an API server
// does not: the selector, and a generation that rises.
func repair(ctx context.Context, c client.Client) error {
	var s appsv1.StatefulSet
	if err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &s); err == nil {
		s.Generation++
		s.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
		if err := c.Update(ctx, &s, client.FieldOwner("apiserver")); err != nil {
			return err
		}
	}
	var all appsv1.DeploymentList
	if err := c.List(ctx, &all); err != nil {
		return err
	}
	for i := range all.Items {
		d := &all.Items[i]
		if d.Spec.Selector != nil {
			continue
		}
		d.Generation++
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": d.Name}}
		if err := c.Update(ctx, d, client.FieldOwner("apiserver")); err != nil {
			return err
		}
	}
	return nil
}

func theGuard() *v1alpha1.ModelGuard {
	d := func(x time.Duration) metav1.Duration { return metav1.Duration{Duration: x} }
	return &v1alpha1.ModelGuard{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: v1alpha1.ModelGuardSpec{
			Model:    name,
			Workload: v1alpha1.WorkloadRef{APIVersion: "apps/v1", Kind: "Deployment", Name: name},
			Artifact: v1alpha1.ArtifactRef{Container: "model", Env: "MODEL_URI", Allow: []string{"s3://models/churn/*"}},
			Autonomy: v1alpha1.Autonomy{Default: v1alpha1.Auto},
			Match:    v1alpha1.Match{Window: d(15 * time.Second), MinSamples: 100, Tolerance: "0.2"},
			Verify:   v1alpha1.Verify{For: d(15 * time.Second), GoodAfter: d(20 * time.Second)},
			Limits:   v1alpha1.Limits{Cooldown: d(5 * time.Second), ChangesPerDay: 20, RetrainsPerWeek: 5, ReturnAfter: d(time.Minute)},
			Retrain:  &v1alpha1.Retrain{From: &v1alpha1.JobSource{CronJob: "churn-retrain"}, Timeout: d(time.Hour)},
			Gate:     []v1alpha1.GateRule{{Metric: "mae", Max: "1.05", RelativeTo: "live"}},
		},
	}
}

// csvProfile describes 2,000 rows of one number, around a centre.
func csvProfile(t *testing.T, centre float64) *profile.Profile {
	t.Helper()
	var b strings.Builder
	b.WriteString("x\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "%g\n", centre+float64(i%200)/100)
	}
	p, _, err := dataset.FromCSV("test.csv", strings.NewReader(b.String()), dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// register adds a version trained on rows around a centre.
func (w *world) register(centre float64, decision string, evaluations ...registryv1.Evaluation) string {
	w.t.Helper()
	all, err := w.store.List(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := csvProfile(w.t, centre).Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	packed, err := registry.Pack(b)
	if err != nil {
		w.t.Fatal(err)
	}
	v, err := w.store.Register(w.t.Context(), registryv1.ModelVersionSpec{
		Model: name, Artifact: registryv1.Artifact{URI: uri(len(all) + 1)}, Profile: packed,
		Metrics: map[string]string{"mae": "6"}, Evaluations: evaluations, Lineage: registryv1.Lineage{Decision: decision},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return strconv.FormatInt(v.Number, 10)
}

func uri[T int | string](version T) string { return fmt.Sprintf("s3://models/churn/%v.json", version) }

// deploy writes the Deployment as a person or a tool would.
func (w *world) deploy(version, manager string) {
	w.t.Helper()
	replicas := int32(2)
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.ns, Name: name}}
	err := w.client.Get(w.t.Context(), client.ObjectKeyFromObject(d), d)
	fresh := err != nil
	labels := map[string]string{"app": name, v1alpha1.LabelModel: name, v1alpha1.LabelVersion: version}
	d.UID = "uid-1"
	d.Generation++
	d.Spec = appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{
				InitContainers: []corev1.Container{{Name: guard.SidecarContainer, Image: "sidecar"}},
				Containers:     []corev1.Container{{Name: "model", Image: w.image(version), Env: []corev1.EnvVar{{Name: "MODEL_URI", Value: uri(version)}}}},
			},
		},
	}
	if fresh {
		err = w.client.Create(w.t.Context(), d, client.FieldOwner(manager))
	} else {
		err = w.client.Update(w.t.Context(), d, client.FieldOwner(manager))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.rollOut()
}

// image of a version's container: where the guard names images, what is registered.
func (w *world) image(version string) string {
	if !w.guard().Spec.Artifact.Image {
		return "server"
	}
	return uri(version)
}

func (w *world) deployment() *appsv1.Deployment {
	w.t.Helper()
	var d appsv1.Deployment
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.ns, Name: name}, &d); err != nil {
		w.t.Fatal(err)
	}
	return &d
}

// rollOut does what the Deployment's controller does.
func (w *world) rollOut() {
	w.t.Helper()
	if w.stuck {
		return
	}
	d := w.deployment()
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}
	if err := w.client.Status().Update(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
	for i := range 2 {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.ns, Name: fmt.Sprintf("churn-%d", i)}}
		_ = w.client.Delete(w.t.Context(), p)
		p.ResourceVersion, p.UID = "", ""
		p.Labels, p.Spec = d.Spec.Template.Labels, d.Spec.Template.Spec
		runs := corev1.PodStatus{PodIP: fmt.Sprintf("10.0.0.%d", i+1), Conditions: []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(w.now)}}}
		p.Status = runs
		if err := w.client.Create(w.t.Context(), p); err != nil {
			w.t.Fatal(err)
		}
		if w.real {
			p.Status = runs // an API server takes none with the rest
			if err := w.client.Status().Update(w.t.Context(), p); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func (w *world) cronJob(name string) {
	w.t.Helper()
	suspend := true
	c := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, UID: "cron-1"}}
	c.Spec = batchv1.CronJobSpec{Suspend: &suspend, Schedule: "@yearly"}
	c.Spec.JobTemplate.Spec.Template.Spec.Containers = []corev1.Container{{Name: "train", Image: "trainer"}}
	if err := w.client.Create(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newLoop(c client.Client) *guard.Loop {
	w.t.Helper()
	config := guard.Config{
		Client: c, Live: c, Source: w.source, Registerer: prometheus.NewRegistry(),
		Store: func(string) (registry.Store, error) { return w.store, nil },
		LiveProfile: func(_ context.Context, pods []corev1.Pod, from, to time.Time) (guard.LiveProfile, error) {
			if w.live == nil {
				return guard.LiveProfile{Missing: []string{"churn-0: refused"}}, nil
			}
			p := *w.live
			w.longest = max(w.longest, to.Sub(from))
			if w.newer != nil && to.Sub(from) <= w.longest*3/4 {
				p = *w.newer
			}
			p.From, p.To = &from, &to
			return guard.LiveProfile{Profile: &p, Pods: len(pods)}, nil
		},
		CheckArtifact: func(ctx context.Context, uri, _ string) error {
			if w.check != nil {
				return w.check(ctx, uri)
			}
			return w.artifacts[uri]
		},
		CanPatch: func(context.Context, string) (bool, error) { return w.permitted, nil },
		GitHub:   w.workflows(c),
		Event: func(o runtime.Object, kind, reason, message string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, fmt.Sprintf("%T %s %s: %s", o, kind, reason, message))
		},
		Logger: zaptest.NewLogger(w.t, zaptest.Level(zap.ErrorLevel)), Now: func() time.Time { return w.now },
		Interval: cmp.Or(w.interval, time.Second), Stale: 5 * time.Second, TrafficWindow: 10 * time.Second,
	}
	if w.adjust != nil {
		w.adjust(&config)
	}
	l, err := guard.New(config)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// workflows is what trains on GitHub, where that is.
func (w *world) workflows(c client.Client) guard.Trigger {
	if w.github == nil {
		return nil
	}
	g, err := github.New(github.Config{URL: w.github.URL, Live: c, Transport: w.transport, Now: func() time.Time { return w.now }})
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// tick lets seconds pass, with a round in each.
func (w *world) tick(seconds int) {
	w.t.Helper()
	for range seconds {
		w.now = w.now.Add(time.Second)
		if w.github != nil {
			w.github.SetNow(w.now)
		}
		w.loop.Round(w.t.Context())
		w.look()
		if w.mortal != nil && w.mortal.killed {
			w.lead(nil)
		}
		if w.ticked != nil {
			w.ticked()
		}
	}
}

// pass lets seconds pass with a round at the beginning and one at the end.
func (w *world) pass(seconds int) {
	w.t.Helper()
	w.tick(1)
	w.now = w.now.Add(time.Duration(seconds-2) * time.Second)
	w.tick(1)
}

// settle lets the Deployment roll out, and time pass.
func (w *world) settle(seconds int) {
	w.t.Helper()
	w.rollOut()
	w.tick(seconds)
}

func (w *world) Verdicts(context.Context, time.Time) (guard.Verdicts, error) {
	return guard.Verdicts{Alerts: w.alerts, PageWindow: "10s"}, w.sourceErr
}

var modelOf = regexp.MustCompile(`model_name="([^"]+)"`)

var versionOf = regexp.MustCompile(`model_version="(\d+)"`)

// Query answers the few expressions that the loop asks.
func (w *world) Query(_ context.Context, expr string, at time.Time) (promql.Vector, error) {
	if w.sourceErr != nil {
		return nil, w.sourceErr
	}
	one := func(x float64) (promql.Vector, error) { return promql.Vector{{F: x}}, nil }
	m := versionOf.FindStringSubmatch(expr)
	switch {
	case strings.Contains(expr, "max_over_time(sum(rate(leeway_request"):
		if at.Before(w.now) {
			return one(w.loadBefore)
		}
		return one(w.load)
	case m == nil && strings.Contains(expr, "histogram_quantile"):
		return one(0.1)
	case m == nil:
		return nil, fmt.Errorf("no version in %s", expr)
	}
	s := w.shows[m[1]]
	switch {
	case strings.Contains(expr, "leeway_model_info"):
		if w.blindPods {
			return nil, nil
		}
		var v promql.Vector
		if m := modelOf.FindStringSubmatch(expr); w.perModel && m != nil && m[1] != name {
			return promql.Vector{{F: 1, Metric: labels.FromStrings("pod", m[1]+"-0")}}, nil
		}
		for i := range 2 {
			v = append(v, promql.Sample{F: 1, Metric: labels.FromStrings("pod", fmt.Sprintf("churn-%d", i), "reference", w.references[i])})
		}
		return v, nil
	case strings.Contains(expr, "leeway:prediction_") && s.off == 0:
		return nil, nil
	case strings.Contains(expr, "z_critical"):
		return one(4)
	case strings.Contains(expr, "prediction_drift:z"):
		return one(1000 * s.off)
	case strings.Contains(expr, "prediction_drift:js_distance"):
		return one(s.off)
	case strings.Contains(expr, "feedback_outcomes"):
		if strings.Contains(expr, "feedback_rows") {
			return one(s.labels)
		}
		return nil, nil
	case strings.Contains(expr, "feedback_rows"):
		return one(s.labels)
	case strings.Contains(expr, "absolute_error"):
		return one(s.labels * s.meanError)
	case strings.Contains(expr, "squared_error"):
		return one(s.labels * s.meanError * s.meanError * 2)
	case strings.Contains(expr, `code="5xx"`):
		return one(s.errors)
	case strings.Contains(expr, "histogram_quantile"):
		return one(s.p99)
	case strings.Contains(expr, "leeway_request") && w.justBegun:
		return nil, nil
	case strings.Contains(expr, "rate(leeway_request"):
		return one(s.requests / 10)
	case strings.Contains(expr, "leeway_request"):
		return one(s.requests)
	case strings.Contains(expr, "feature_observations"):
		return one(2000)
	}
	return nil, nil
}

// alert makes an alert on the version be firing since now.
func (w *world) alert(cause, clock, window, version, feature string) {
	w.alerts = append(w.alerts, evidence.Alert{
		Labels: map[string]string{
			"alertname": "Leeway_" + cause, "leeway_cause": cause, "leeway_clock": clock, "leeway_window": window,
			"namespace": w.ns, "model_name": name, "model_version": version, "feature": feature,
		},
		Annotations: map[string]string{"summary": cause + " of version " + version},
		State:       "firing", ActiveAt: w.now, Value: 0.2,
	})
}

func (w *world) guard() *v1alpha1.ModelGuard {
	w.t.Helper()
	var g v1alpha1.ModelGuard
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.ns, Name: name}, &g); err != nil {
		w.t.Fatal(err)
	}
	return &g
}

// wasDecided makes a decision that is there already.
func (w *world) wasDecided(name string, spec v1alpha1.ModelDecisionSpec, state v1alpha1.DecisionState) {
	w.t.Helper()
	d := v1alpha1.ModelDecision{Spec: spec}
	d.Namespace, d.Name = ns, name
	if err := w.client.Create(w.t.Context(), &d); err != nil {
		w.t.Fatal(err)
	}
	d.Status.State = state
	if err := w.client.Status().Update(w.t.Context(), &d); err != nil {
		w.t.Fatal(err)
	}
}

// decisions are those there are, oldest first.
func (w *world) decisions() []v1alpha1.ModelDecision {
	w.t.Helper()
	var l v1alpha1.ModelDecisionList
	if err := w.client.List(w.t.Context(), &l, client.InNamespace(w.ns)); err != nil {
		w.t.Fatal(err)
	}
	for i := range l.Items {
		for j := i + 1; j < len(l.Items); j++ {
			if l.Items[j].Spec.DecidedAt.Before(&l.Items[i].Spec.DecidedAt) {
				l.Items[i], l.Items[j] = l.Items[j], l.Items[i]
			}
		}
	}
	return l.Items
}

// one is the only decision.
func (w *world) one() v1alpha1.ModelDecision {
	w.t.Helper()
	d := w.decisions()
	if len(d) != 1 {
		w.t.Fatalf("want one decision, have %s", describe(d))
	}
	return d[0]
}

func describe(ds []v1alpha1.ModelDecision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d:", len(ds))
	for _, d := range ds {
		fmt.Fprintf(&b, "\n  %s %s %s→%s %s (%s): %s %s %s: %s", d.Name, d.Spec.Action, d.Spec.From, d.Spec.To, d.Spec.Reason,
			d.Spec.Cause, d.Status.State, d.Status.Reason, d.Status.Outcome, d.Status.Message)
	}
	return b.String()
}

func steps(d v1alpha1.ModelDecision) string {
	var names []string
	for _, s := range d.Status.Steps {
		names = append(names, s.Name)
	}
	return strings.Join(names, " ")
}

func (w *world) wantState(d v1alpha1.ModelDecision, state v1alpha1.DecisionState, reason string) {
	w.t.Helper()
	if d.Status.State != state || d.Status.Reason != reason {
		w.t.Fatalf("decision is %s (%s), want %s (%s)%s", d.Status.State, d.Status.Reason, state, reason, describe([]v1alpha1.ModelDecision{d}))
	}
}

func (w *world) wantPhase(phase v1alpha1.Phase, reason string) {
	w.t.Helper()
	g := w.guard()
	if g.Status.Phase != phase || g.Status.Reason != reason {
		w.t.Fatalf("guard is %s (%s: %s), want %s (%s); decisions %s", g.Status.Phase, g.Status.Reason, g.Status.Message, phase, reason, describe(w.decisions()))
	}
}

func (w *world) wantServes(version string) {
	w.t.Helper()
	d := w.deployment()
	if got := d.Spec.Template.Labels[v1alpha1.LabelVersion]; got != version {
		w.t.Fatalf("serves version %s, want %s; %s", got, version, describe(w.decisions()))
	}
	if got := d.Spec.Template.Spec.Containers[0].Env[0].Value; got != uri(version) {
		w.t.Fatalf("serves %s, want %s", got, uri(version))
	}
}

func (w *world) lifecycle(version string) registryv1.Lifecycle {
	w.t.Helper()
	n, _ := strconv.ParseInt(version, 10, 64)
	v, err := w.store.Get(w.t.Context(), name, n)
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Lifecycle
}

var errGone = fmt.Errorf("gone: %w", artifact.ErrMissing)
var errDown = errors.New("connection refused")

func keyOf(guard string) client.ObjectKey { return client.ObjectKey{Namespace: ns, Name: guard} }

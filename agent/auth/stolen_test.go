package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/leeway-dev/leeway/agent/auth"
)

const agents = "system:serviceaccount:leeway-system:"

// modelPod is one of a model's pods, as an informer has it.
func modelPod(namespace, name, node, model, version string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: types.UID(namespace + name + node),
			Labels: map[string]string{"leeway.dev/model": model, "leeway.dev/version": version},
		},
		Spec: corev1.PodSpec{NodeName: node},
	}
}

// stolen is a cluster of two nodes, and who has the token of the agent on the
// first.
func stolen(t *testing.T) (*apiServer, *auth.Authority, cache.ResourceEventHandler) {
	t.Helper()
	s, a := newAPIServer(t)
	s.users = map[string]authenticationv1.UserInfo{
		"ann":        user("ann"),
		"node":       user(agents+"leeway-node", "node-name", "n1", "pod-name", "leeway-node-a"),
		"unbound":    user(agents + "leeway-node"),
		"controller": user(agents+"leeway-controller", "pod-name", "leeway-controller-0"),
	}
	h := s.pods.Handler()
	for _, p := range []*corev1.Pod{
		modelPod("ml", "churn-a", "n1", "churn", "2"),
		modelPod("ml", "churn-b", "n2", "churn", "3"),
		modelPod("ml", "eta-a", "n2", "eta", "1"),
		modelPod("bank", "fraud-a", "n2", "fraud", "7"),
	} {
		h.OnAdd(p, true)
	}
	return s, a, h
}

// What the holder of a node's token may write: what the agent there says of
// itself, and what the sidecars of its own pods measure, and nothing else.
func TestStolenTokenWrites(t *testing.T) {
	_, a, _ := stolen(t)
	const requests = "leeway_request_duration_seconds_count"
	pod := func(metric, node, namespace, pod, model, version string) []string {
		return []string{"__name__", metric, "job", "leeway-sidecar", "node", node, "namespace", namespace, "pod", pod, "model_name", model, "model_version", version}
	}
	itself := func(metric string, more ...string) []string {
		return append([]string{"__name__", metric, "job", "leeway-node", "node", "n1", "pod", "leeway-node-a"}, more...)
	}
	for _, c := range []struct {
		name, token string
		series      []string
		want        error
		alone       bool // it is refused, and the rest of its request is not
	}{
		{"its own pod", "node", pod(requests, "n1", "ml", "churn-a", "churn", "2"), nil, false},
		{"its own pod, of no model", "node", []string{"__name__", "up", "job", "leeway-sidecar", "node", "n1", "namespace", "ml", "pod", "churn-a"}, nil, false},
		{"itself", "node", itself("leeway_node_pods"), nil, false},
		{"what it costs", "node", itself("process_cpu_seconds_total"), nil, false},
		{"a controller of itself", "controller", []string{"__name__", "leeway_feedback_rows_total", "job", "leeway-controller", "node", "n1", "pod", "leeway-controller-0", "namespace", "ml"}, nil, false},

		{"another node", "node", pod(requests, "n2", "ml", "churn-b", "churn", "3"), auth.ErrForbidden, false},
		{"no node", "node", pod(requests, "", "ml", "churn-a", "churn", "2"), auth.ErrForbidden, false},
		{"a token that is bound to nothing", "unbound", pod(requests, "", "ml", "churn-a", "churn", "2"), auth.ErrForbidden, false},
		{"no agent", "ann", pod(requests, "n1", "ml", "churn-a", "churn", "2"), auth.ErrForbidden, false},
		{"another controller", "controller", []string{"__name__", "m", "pod", "leeway-controller-1"}, auth.ErrForbidden, false},

		{"a pod of another node, as if it were here", "node", pod(requests, "n1", "ml", "churn-b", "churn", "3"), auth.ErrForeign, true},
		{"a pod of another namespace", "node", pod(requests, "n1", "bank", "fraud-a", "fraud", "7"), auth.ErrForeign, true},
		{"another namespace, under its own pod's name", "node", pod(requests, "n1", "bank", "churn-a", "fraud", "7"), auth.ErrForeign, true},
		{"a pod that is not there", "node", pod(requests, "n1", "ml", "churn-z", "churn", "3"), auth.ErrUnknownPod, true},
		{"another model, of its own pod", "node", pod(requests, "n1", "ml", "churn-a", "eta", "1"), auth.ErrForeign, true},
		{"another model, of its own pod and version", "node", pod(requests, "n1", "ml", "churn-a", "eta", "2"), auth.ErrForeign, true},
		{"another version, of its own pod", "node", pod(requests, "n1", "ml", "churn-a", "churn", "3"), auth.ErrForeign, true},
		{"a reference", "node", pod("leeway_feature_reference_ratio", "n1", "ml", "churn-a", "churn", "2"), auth.ErrForeign, true},
		{"a reference's rows", "node", pod("leeway_prediction_reference_samples", "n1", "ml", "churn-a", "churn", "2"), auth.ErrForeign, true},
		{"an expected error", "node", pod("leeway_prediction_bin_expected_error", "n1", "ml", "churn-a", "churn", "2"), auth.ErrForeign, true},
		{"labelled rows", "node", pod("leeway_feedback_outcomes_total", "n1", "ml", "churn-a", "churn", "2"), auth.ErrForeign, true},
		{"lags of labels", "node", pod("leeway_feedback_lag_seconds_bucket", "n1", "ml", "churn-a", "churn", "2"), auth.ErrForeign, true},
		{"a decision", "node", pod("leeway_decisions_total", "n1", "ml", "churn-a", "churn", "2"), auth.ErrForeign, true},
		{"the result of a rule", "node", pod("leeway:errors:ratio5m", "n1", "ml", "churn-a", "churn", "2"), auth.ErrForeign, true},
		{"an alert", "node", pod("ALERTS", "n1", "ml", "churn-a", "churn", "2"), auth.ErrForeign, true},
		{"since when an alert is", "node", pod("ALERTS_FOR_STATE", "n1", "ml", "churn-a", "churn", "2"), auth.ErrForeign, true},
		{"a sidecar's, as if of itself", "node", itself(requests, "model_name", "churn", "model_version", "3"), auth.ErrForeign, true},
		{"a sidecar's, as if of itself and of no model", "node", itself(requests), auth.ErrForeign, true},
		{"its own, of a namespace", "node", itself("leeway_node_pods", "namespace", "ml"), auth.ErrForeign, true},
		{"its own, of another agent", "node", []string{"__name__", "leeway_node_pods", "job", "leeway-node", "node", "n1", "pod", "leeway-node-b"}, auth.ErrForeign, true},
		{"another job", "node", []string{"__name__", requests, "job", "mine", "node", "n1"}, auth.ErrForeign, true},
		{"a controller's job", "node", []string{"__name__", "leeway_controller_leader", "job", "leeway-controller", "node", "n1", "pod", "leeway-node-a"}, auth.ErrForeign, true},
	} {
		within(t, a, c.token, func(ctx context.Context) {
			err := a.AdmitSeries(ctx, labels.FromStrings(c.series...))
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || errors.Is(err, auth.ErrForeign) != c.alone {
				t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			}
			if err != nil && auth.Status(err) != http.StatusForbidden {
				t.Errorf("%s: status %d", c.name, auth.Status(err))
			}
		})
	}
	if err := a.AdmitSeries(t.Context(), labels.FromStrings("node", "n1")); auth.Status(err) != http.StatusUnauthorized {
		t.Errorf("without an identity: %v", err)
	}
}

// A pod that is gone is spoken for as long as samples of it may come, also where
// another of its name is elsewhere. One that nobody knows may be new for a moment.
func TestPodsComeAndGo(t *testing.T) {
	s, a, h := stolen(t)
	write := func(pod, version string) (err error) {
		within(t, a, "node", func(ctx context.Context) {
			err = a.AdmitSeries(ctx, labels.FromStrings("__name__", "up", "job", "leeway-sidecar", "node", "n1", "namespace", "ml", "pod", pod, "model_name", "churn", "model_version", version))
		})
		return err
	}
	later := func(d time.Duration) { s.set(func() { s.now = s.now.Add(d) }) }
	moved := modelPod("ml", "churn-a", "n1", "churn", "2")
	h.OnDelete(cache.DeletedFinalStateUnknown{Key: "ml/churn-a", Obj: moved})
	h.OnAdd(modelPod("ml", "churn-a", "n2", "churn", "3"), false)
	later(2 * time.Hour)
	h.OnAdd(modelPod("ml", "churn-b", "n1", "churn", "2"), false)
	if err := write("churn-a", "2"); err != nil {
		t.Errorf("two hours after it was deleted: %v", err)
	}
	later(2 * time.Hour)
	h.OnAdd(modelPod("ml", "churn-c", "n1", "churn", "2"), false)
	if err := write("churn-a", "2"); !errors.Is(err, auth.ErrForeign) || errors.Is(err, auth.ErrUnknownPod) {
		t.Errorf("four hours after, when one of its name is elsewhere: %v", err)
	}
	relabelled := modelPod("ml", "churn-c", "n1", "churn", "3")
	h.OnUpdate(relabelled, relabelled)
	for _, v := range []string{"2", "3"} {
		if err := write("churn-c", v); err != nil {
			t.Errorf("version %s of a pod whose label was changed: %v", v, err)
		}
	}
	s.set(func() {
		s.there = map[string]*corev1.Pod{"ml/churn-d": modelPod("ml", "churn-d", "n1", "churn", "2")}
		s.down = true
	})
	if err := write("churn-d", "2"); !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, auth.ErrUnknownPod) {
		t.Errorf("a pod that its agent has heard of first, while the API server is away: %v", err)
	}
	s.set(func() { s.down = false })
	before := s.count("pods")
	for range 10 {
		if err := write("churn-d", "2"); err != nil {
			t.Errorf("the same, when it is back: %v", err)
		}
		if err := write("churn-e", "2"); !errors.Is(err, auth.ErrUnknownPod) || errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("one that is not there: %v", err)
		}
	}
	if n := s.count("pods") - before; n != 2 {
		t.Errorf("the API server was asked %d times for two pods", n)
	}
	later(4 * time.Hour)
	s.set(func() { s.there = nil })
	h.OnAdd(modelPod("ml", "churn-f", "n1", "churn", "2"), false)
	if err := write("churn-d", "2"); !errors.Is(err, auth.ErrUnknownPod) {
		t.Errorf("one that was looked up, and never heard of: %v", err)
	}
	s.pods.Synced(func() bool { return false })
	if err := write("made-up-5001", "2"); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("while it is not known which pods there are: %v", err)
	}
}

// What came and went while this replica was away the others remember, each pod on its
// own node. While they may come back, samples wait; what they don't know is refused.
func TestPodsThatOthersRemember(t *testing.T) {
	now, asked := time.Unix(1e9, 0), 0
	var seen []auth.Seen
	var away error
	p := auth.NewPods(auth.PodsConfig{
		Now: func() time.Time { return now },
		Remembered: func(_ context.Context, namespace, name string, since time.Time) ([]auth.Seen, error) {
			if asked++; namespace != "ml" || now.Sub(since) != 3*time.Hour {
				t.Errorf("asked for %s/%s since %s", namespace, name, since)
			}
			return seen, away
		},
	})
	p.Synced(func() bool { return true })
	p.Handler().OnAdd(modelPod("ml", "churn-1", "n2", "churn", "3"), true)
	a, err := auth.New(auth.Config{Tokens: reviewer{user(agents+"leeway-node", "node-name", "n1", "pod-name", "leeway-node-a")}, Pods: p})
	if err != nil {
		t.Fatal(err)
	}
	write := func(pod, version string) (err error) {
		within(t, a, "node", func(ctx context.Context) {
			err = a.AdmitSeries(ctx, labels.FromStrings("__name__", "up", "job", "leeway-sidecar", "node", "n1", "namespace", "ml", "pod", pod, "model_name", "churn", "model_version", version))
		})
		return err
	}
	away = errors.New("it is not there")
	if err := write("churn-0", "2"); !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, auth.ErrUnknownPod) {
		t.Errorf("while they can't be asked: %v", err)
	}
	if err := write("churn-1", "2"); !errors.Is(err, auth.ErrForeign) || errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("while they can't be asked about one that is on another node: %v", err)
	}
	now, away = now.Add(missing), nil
	for _, pod := range []string{"churn-0", "churn-1"} {
		if err := write(pod, "2"); !errors.Is(err, auth.ErrForeign) || errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("%s, of which they know nothing: %v", pod, err)
		}
	}
	before := asked
	for range 10 {
		_, _ = write("churn-0", "2"), write("churn-1", "2") // both are refused
	}
	if asked != before {
		t.Errorf("they were asked %d times more about the same", asked-before)
	}
	now, seen = now.Add(missing), []auth.Seen{{Node: "n1", Model: "churn", Version: "1"}, {Node: "n1", Model: "churn", Version: "2"}, {Node: "n3", Model: "churn", Version: "4"}}
	for _, pod := range []string{"churn-0", "churn-1"} { // the second is on another node by now, as one of a StatefulSet may be
		for _, version := range []string{"1", "2"} {
			if err := write(pod, version); err != nil {
				t.Errorf("%s of version %s, which they remember: %v", pod, version, err)
			}
		}
		if err := write(pod, "4"); !errors.Is(err, auth.ErrForeign) {
			t.Errorf("%s of version 4, which they remember on another node: %v", pod, err)
		}
	}
	if err := write("churn-1", "3"); !errors.Is(err, auth.ErrForeign) {
		t.Errorf("the version of the one that is on another node: %v", err)
	}
}

// missing is more than it is believed that nobody knows a pod.
const missing = 6 * time.Second

// A StatefulSet gives the name of a pod to the one after it, maybe on the same node,
// of another version; and samples of it may come before it is heard of.
func TestPodIsMadeAgain(t *testing.T) {
	s, a, h := stolen(t)
	write := func(version string) (err error) {
		within(t, a, "node", func(ctx context.Context) {
			err = a.AdmitSeries(ctx, labels.FromStrings("__name__", "up", "job", "leeway-sidecar", "node", "n1", "namespace", "ml", "pod", "churn-a", "model_name", "churn", "model_version", version))
		})
		return err
	}
	again := func(version string) *corev1.Pod {
		p := modelPod("ml", "churn-a", "n1", "churn", version)
		p.UID = types.UID("of version " + version)
		return p
	}
	h.OnDelete(modelPod("ml", "churn-a", "n1", "churn", "2"))
	h.OnAdd(again("3"), false)
	for _, v := range []string{"2", "3"} {
		if err := write(v); err != nil {
			t.Errorf("version %s, before and after: %v", v, err)
		}
	}
	if err := write("4"); !errors.Is(err, auth.ErrForeign) || errors.Is(err, auth.ErrUnknownPod) {
		t.Errorf("a version that it never was: %v", err)
	}
	h.OnDelete(again("3"))
	s.set(func() { s.there = map[string]*corev1.Pod{"ml/churn-a": again("4")} })
	if err := write("4"); err != nil {
		t.Errorf("one that is not heard of yet: %v", err)
	}
}

// An agent that makes up pods has the API server asked for few of them, and keeps
// no other agent from having it asked.
func TestStrangersAreBounded(t *testing.T) {
	s, a, _ := stolen(t)
	s.set(func() { s.users["other"] = user(agents+"leeway-node", "node-name", "n2", "pod-name", "leeway-node-b") })
	write := func(token, node, pod string) (err error) {
		within(t, a, token, func(ctx context.Context) {
			err = a.AdmitSeries(ctx, labels.FromStrings("__name__", "up", "job", "leeway-sidecar", "node", node, "namespace", "ml", "pod", pod))
		})
		return err
	}
	for i := range 5000 {
		if err := write("node", "n1", fmt.Sprint("made-up-", i)); !errors.Is(err, auth.ErrUnknownPod) {
			t.Fatal(err)
		}
	}
	if n := s.count("pods"); n > 20 {
		t.Errorf("the API server was asked %d times at once", n)
	}
	if err := write("node", "n1", "made-up"); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("beyond that: %v", err)
	}
	s.set(func() { s.there = map[string]*corev1.Pod{"ml/churn-z": modelPod("ml", "churn-z", "n2", "churn", "3")} })
	if err := write("other", "n2", "churn-z"); err != nil {
		t.Errorf("a new pod of another node: %v", err)
	}
}

// What the holder of a node's token may read: single versions in the namespaces of
// its pods. Each refusal is counted.
func TestStolenTokenReads(t *testing.T) {
	s, a, h := stolen(t)
	read := func(namespace, verb string) error {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer node")
		return a.Versions(r, namespace, verb)
	}
	if err := read("ml", "get"); err != nil {
		t.Errorf("a version of its own pod's namespace: %v", err)
	}
	for _, c := range []struct{ namespace, verb string }{{"bank", "get"}, {"", "get"}, {"ml", "list"}, {"bank", "list"}, {"ml", "create"}, {"bank", "create"}} {
		if err := read(c.namespace, c.verb); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s versions in %q: %v", c.verb, c.namespace, err)
		}
	}
	h.OnDelete(modelPod("ml", "churn-a", "n1", "churn", "2"))
	if err := read("ml", "get"); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("after its last pod of the namespace: %v", err)
	}
	for _, guard := range []func(http.Handler) http.Handler{a.Queries, a.Writes} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer made-up")
		w := httptest.NewRecorder()
		guard(http.NotFoundHandler()).ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("a token that is made up: %d", w.Code)
		}
	}
	within(t, a, "node", func(ctx context.Context) {
		if err := a.Feedback(ctx, "ml"); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("feedback of a node agent: %v", err)
		}
	})
	if code, answer := ask(a.Snapshots, "node", "/"); code != http.StatusForbidden {
		t.Errorf("a copy of the storage: %d %s", code, answer)
	}
	if err := testutil.GatherAndCompare(s.registry, strings.NewReader(`
# HELP leeway_controller_refused_requests_total Requests, or namespaces of one, that were refused, by what was asked for and why.
# TYPE leeway_controller_refused_requests_total counter
leeway_controller_refused_requests_total{reason="forbidden",to="feedback"} 1
leeway_controller_refused_requests_total{reason="forbidden",to="queries"} 0
leeway_controller_refused_requests_total{reason="forbidden",to="snapshots"} 1
leeway_controller_refused_requests_total{reason="forbidden",to="versions"} 7
leeway_controller_refused_requests_total{reason="forbidden",to="writes"} 0
leeway_controller_refused_requests_total{reason="unauthenticated",to="feedback"} 0
leeway_controller_refused_requests_total{reason="unauthenticated",to="queries"} 1
leeway_controller_refused_requests_total{reason="unauthenticated",to="snapshots"} 0
leeway_controller_refused_requests_total{reason="unauthenticated",to="versions"} 0
leeway_controller_refused_requests_total{reason="unauthenticated",to="writes"} 1
leeway_controller_refused_requests_total{reason="unavailable",to="feedback"} 0
leeway_controller_refused_requests_total{reason="unavailable",to="queries"} 0
leeway_controller_refused_requests_total{reason="unavailable",to="snapshots"} 0
leeway_controller_refused_requests_total{reason="unavailable",to="versions"} 0
leeway_controller_refused_requests_total{reason="unavailable",to="writes"} 0
`)); err != nil {
		t.Error(err)
	}
}

// What a series costs that a node agent writes.
func BenchmarkAdmitSeries(b *testing.B) {
	p := auth.NewPods(auth.PodsConfig{})
	p.Synced(func() bool { return true })
	h := p.Handler()
	for i := range 10_000 {
		h.OnAdd(modelPod("ml", fmt.Sprint("churn-", i), "n1", "churn", "2"), true)
	}
	reviews := reviewer{user(agents+"leeway-node", "node-name", "n1", "pod-name", "leeway-node-a")}
	a, err := auth.New(auth.Config{Tokens: reviews, Pods: p})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer node")
	ls := labels.FromStrings("__name__", "leeway_feature_observations_total", "bin", "03", "feature", "temperature", "instance", "10.0.0.1:9095", "job", "leeway-sidecar",
		"model_name", "churn", "model_version", "2", "namespace", "ml", "node", "n1", "pod", "churn-77", "workload", "churn")
	a.Writes(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for b.Loop() {
			if err := a.AdmitSeries(r.Context(), ls); err != nil {
				b.Fatal(err)
			}
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}

// reviewer says of every token that it is one user's.
type reviewer struct{ user authenticationv1.UserInfo }

func (r reviewer) Create(_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: r.user, Audiences: review.Spec.Audiences}
	return review, nil
}

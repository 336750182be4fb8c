package rollbacks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/leeway-dev/leeway/e2e/testbed"
)

var (
	guards    = schema.GroupVersionResource{Group: "leeway.dev", Version: "v1alpha1", Resource: "modelguards"}
	decisions = schema.GroupVersionResource{Group: "leeway.dev", Version: "v1alpha1", Resource: "modeldecisions"}
	versions  = schema.GroupVersionResource{Group: "leeway.dev", Version: "v1alpha1", Resource: "modelversions"}
)

var asIs = metav1.GetOptions{}

// place is where one test plays: a namespace with a model, its guard and traffic.
// Version 1 was good. Version 2 answers every second request with an error.
type place struct {
	*stage
	namespace string
	kind      string   // of the workload; zero: Deployment
	replicas  int      // zero: 1
	parts     []string // of the example's manifest of the model, each with what it is replaced by
	verify    string   // for how long a change is watched; zero: 15s
	// artifact of the guard, and the URIs of the versions; zero: in the S3 bucket.
	artifact string
	uris     [2]string
	image    string // of version 2, where versions are images
	traffic  *testbed.Traffic
}

type decision struct {
	Metadata struct{ Name string }
	Spec     struct {
		Cause, Action, Reason, From, To string
		DecidedAt                       time.Time
	}
	Status struct {
		State, Reason, Message, Outcome string
		Steps                           []struct{ Name string }
	}
}

func (d decision) has(step string) bool {
	return slices.ContainsFunc(d.Status.Steps, func(s struct{ Name string }) bool { return s.Name == step })
}

func (d decision) String() string {
	return fmt.Sprintf("%s %s %s→%s (%s): %s (%s) %s: %s", d.Spec.Cause, d.Spec.Action, d.Spec.From, d.Spec.To, d.Spec.Reason,
		d.Status.State, d.Status.Reason, d.Status.Outcome, d.Status.Message)
}

// stand brings up version 1, and then a release that Leeway would roll back, if
// its guard did not only observe.
func (p *place) stand(t *testing.T) {
	t.Helper()
	if p.kind == "" {
		p.kind = "Deployment"
	}
	if p.replicas == 0 {
		p.replicas = 1
	}
	p.ApplyText(t, fmt.Sprintf(`
{apiVersion: v1, kind: Namespace, metadata: {name: %[1]s, labels: {pod-security.kubernetes.io/enforce: restricted}}}
---
{apiVersion: v1, kind: Service, metadata: {name: flights, namespace: %[1]s}, spec: {selector: {app: flights}, ports: [{port: 80, targetPort: leeway}]}}
`, p.namespace))
	p.Credentials(t, p.namespace)
	p.kubectl(t, "apply", "-n", p.namespace, "-f", "../../manifests/components/actor/actor.yaml")
	p.register(t)
	p.deploy(t, 1)
	p.serves(t, "1", p.replicas)
	p.guard(t)
	p.traffic = &testbed.Traffic{URL: "http://" + p.ServiceIP(t, p.namespace, "flights") + "/v2/models/flights/infer", Rows: p.Rows, PerSecond: perSecond}
	p.traffic.Start(t)
	p.sees(t, 90*time.Second, func(g guard) bool {
		return g.Status.Phase == "Watching" && g.Status.ActiveVersion == "1" && !g.Status.SettledAt.IsZero() && time.Since(g.Status.SettledAt) > 23*time.Second
	})
	p.deploy(t, 2)
	p.ends(t, 90*time.Second, "Proposed")
	p.serves(t, "2", p.replicas)
}

// path of a version's artifact in the bucket.
func (p *place) path(version int) string {
	return fmt.Sprintf("flights/models/%s-%d.json", p.namespace, version)
}

func (p *place) uri(version int) string { return "s3://" + p.path(version) }

func (p *place) put(t *testing.T, version int, artifact []byte) {
	t.Helper()
	if err := p.S3.Put(p.path(version), artifact); err != nil {
		t.Fatal(err)
	}
}

func (p *place) register(t *testing.T) {
	t.Helper()
	p.put(t, 1, p.Good)
	p.put(t, 2, p.Bad)
	for i, uri := range p.uris {
		if uri == "" {
			uri = p.uri(i + 1)
		}
		if n := p.CLI(t, "register", "--store", "kube:"+p.namespace, "--model", "flights", "--artifact", uri,
			"--profile", p.Profile, "--metric", "mae=7.1"); n != fmt.Sprint(i+1) {
			t.Fatalf("registered as version %s, want %d", n, i+1)
		}
	}
}

// deploy applies the example's manifest for a version, as a person would.
func (p *place) deploy(t *testing.T, version int) {
	t.Helper()
	parts := append([]string{
		"namespace: flights", "namespace: " + p.namespace, "replicas: 3", fmt.Sprintf("replicas: %d", p.replicas),
		"${VERSION}", fmt.Sprint(version), "${MODEL_URI}", p.uri(version), "${PROFILE_DIGEST}", p.Digest,
		"cpu: 20m", "cpu: 5m", "sleep: {seconds: 5}", "sleep: {seconds: 2}",
	}, p.parts...)
	if p.uris[0] != "" {
		parts = append(parts, testbed.Server, p.uris[version-1])
	}
	if p.kind == "StatefulSet" {
		parts = append(parts, "kind: Deployment", "kind: StatefulSet", strategy, "serviceName: flights")
	}
	p.ApplyText(t, testbed.Replaced(t, "../../examples/flights/manifests/model.yaml", parts...))
}

// strategy is that of the example's Deployment.
const strategy = "strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 100%}}"

// within gives a Deployment so many seconds to be rolled out.
func within(seconds int) []string {
	return []string{strategy, fmt.Sprintf("%s\n  progressDeadlineSeconds: %d", strategy, seconds)}
}

func (p *place) guard(t *testing.T) {
	t.Helper()
	artifact, verify := p.artifact, p.verify
	if artifact == "" {
		artifact = `container: model, env: MODEL_URI, allow: ["s3://flights/models/*"]`
	}
	if verify == "" {
		verify = "15s"
	}
	p.ApplyText(t, fmt.Sprintf(`
apiVersion: leeway.dev/v1alpha1
kind: ModelGuard
metadata: {name: flights, namespace: %s}
spec:
  model: flights
  workload: {apiVersion: apps/v1, kind: %s, name: flights}
  artifact: {%s}
  autonomy: {default: Observe}
  verify: {for: %s, goodAfter: 20s}
  limits: {cooldown: 5s, changesPerDay: 20}
`, p.namespace, p.kind, artifact, verify))
}

// let allows Leeway to roll back, which it has waited for.
func (p *place) let(t *testing.T) {
	t.Helper()
	p.patch(t, guards, `{"spec":{"autonomy":{"badRelease":"Auto"}}}`)
}

func (p *place) patch(t *testing.T, kind schema.GroupVersionResource, patch string) {
	t.Helper()
	if _, err := p.dynamic.Resource(kind).Namespace(p.namespace).Patch(t.Context(), "flights", types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "tester"}); err != nil {
		t.Fatal(err)
	}
}

type guard struct {
	Status struct {
		Phase, Reason, Message, ActiveVersion string
		SettledAt                             time.Time
		Conditions                            []struct{ Type, Status, Reason, Message string }
	}
}

// get reads one of Leeway's objects.
func (p *place) get(ctx context.Context, kind schema.GroupVersionResource, name string, into any) error {
	u, err := p.dynamic.Resource(kind).Namespace(p.namespace).Get(ctx, name, asIs)
	if err != nil {
		return err
	}
	b, err := u.MarshalJSON()
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// sees waits until the guard says something.
func (p *place) sees(t *testing.T, patience time.Duration, ok func(guard) bool) guard {
	t.Helper()
	var g guard
	testbed.Eventually(t, patience, func() error {
		g = guard{}
		if err := p.get(t.Context(), guards, "flights", &g); err != nil {
			return err
		}
		if !ok(g) {
			return fmt.Errorf("guard %s is %+v; decisions %v", p.namespace, g.Status, p.decided(t))
		}
		return nil
	})
	return g
}

// held waits until the guard is held for a reason, and its condition says what to do.
func (p *place) held(t *testing.T, patience time.Duration, reason string) guard {
	t.Helper()
	return p.sees(t, patience, func(g guard) bool {
		for _, c := range g.Status.Conditions {
			if c.Type == "Held" && c.Status == "True" && c.Reason == reason && strings.Contains(c.Message, "What to do: ") {
				return g.Status.Phase == "Held" && g.Status.Reason == reason
			}
		}
		return false
	})
}

// warns waits for a warning about the guard, which is there for longer than the guard
// is held where it goes on at once.
func (p *place) warns(t *testing.T, reason string) {
	t.Helper()
	testbed.Eventually(t, 10*time.Second, func() error {
		l, err := p.kube.CoreV1().Events(p.namespace).List(t.Context(), metav1.ListOptions{
			FieldSelector: "type=Warning,involvedObject.kind=ModelGuard,reason=" + reason})
		if err == nil && len(l.Items) == 0 {
			err = fmt.Errorf("no event says %s", reason)
		}
		return err
	})
}

// decided are the decisions that there are, oldest first.
func (p *place) decided(t *testing.T) []decision {
	t.Helper()
	l, err := p.dynamic.Resource(decisions).Namespace(p.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Error(err)
		return nil
	}
	b, err := l.MarshalJSON()
	if err != nil {
		t.Error(err)
	}
	var list struct{ Items []decision }
	if err := json.Unmarshal(b, &list); err != nil {
		t.Error(err)
	}
	slices.SortFunc(list.Items, func(a, b decision) int { return a.Spec.DecidedAt.Compare(b.Spec.DecidedAt) })
	return list.Items
}

// comes waits for the newest decision to be as it should.
func (p *place) comes(t *testing.T, patience time.Duration, ok func(decision) bool) decision {
	t.Helper()
	var last decision
	testbed.Eventually(t, patience, func() error {
		all := p.decided(t)
		if len(all) > 0 {
			last = all[len(all)-1]
			if ok(last) {
				return nil
			}
		}
		return fmt.Errorf("%s: decisions are %v", p.namespace, all)
	})
	return last
}

// ends waits for the newest decision, which goes back from version 2 to 1, to come
// to a state.
func (p *place) ends(t *testing.T, patience time.Duration, state string) decision {
	t.Helper()
	return p.comes(t, patience, func(d decision) bool {
		return d.Status.State == state && d.Spec.Action == "rollback" && d.Spec.From == "2" && d.Spec.To == "1"
	})
}

// wants checks how a decision ended, and what became of version 1.
func (p *place) wants(t *testing.T, d decision, reason, outcome, says, lifecycle string) {
	t.Helper()
	if d.Status.Reason != reason || d.Status.Outcome != outcome || !strings.Contains(d.Status.Message, says) {
		t.Errorf("%s; want it to end for %s, %q, saying %q", d, reason, outcome, says)
	}
	var v struct{ Status struct{ Lifecycle string } }
	if err := p.get(t.Context(), versions, "flights-1", &v); err != nil || v.Status.Lifecycle != lifecycle {
		t.Errorf("version 1 is %q (%v), want %s", v.Status.Lifecycle, err, lifecycle)
	}
	t.Log(d)
}

// pods of the model that are not on their way out.
func (p *place) pods(ctx context.Context) ([]corev1.Pod, error) {
	l, err := p.kube.CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=flights"})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(l.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil }), nil
}

func isReady(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// serves waits until so many pods of a version are ready, and no others are there.
func (p *place) serves(t *testing.T, version string, n int) {
	t.Helper()
	testbed.Eventually(t, 2*time.Minute, func() error {
		pods, err := p.pods(t.Context())
		if err != nil {
			return err
		}
		good := 0
		for _, pod := range pods {
			if pod.Labels["leeway.dev/version"] == version && isReady(pod) {
				good++
			}
		}
		if good != n || len(pods) != n {
			return fmt.Errorf("%s: %d of %d pods are ready and of version %s, want %d", p.namespace, good, len(pods), version, n)
		}
		return nil
	})
}

// floor watches from now on that no fewer pods are ready, and when it is called
// says so, and that no request was lost.
func (p *place) floor(t *testing.T, n int) (check func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	least, looks := 1<<30, 0
	ended.Go(func() {
		for ctx.Err() == nil {
			pods, err := p.pods(ctx)
			if errors.Is(ctx.Err(), context.Canceled) {
				return
			}
			if err == nil {
				looks++
				least = min(least, len(slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return !isReady(pod) })))
			}
			time.Sleep(700 * time.Millisecond)
		}
	})
	_, _, lostBefore := p.traffic.Counts()
	answeredBefore, _, _ := p.traffic.Counts()
	stop := func() {
		cancel()
		ended.Wait()
	}
	t.Cleanup(stop)
	return func() {
		t.Helper()
		stop()
		answered, _, lost := p.traffic.Counts()
		lost = lost[len(lostBefore):]
		t.Logf("%s: %d pods ready at least in %d looks; %d requests answered meanwhile, %d lost", p.namespace, least, looks, answered-answeredBefore, len(lost))
		if least < n || looks == 0 {
			t.Errorf("only %d pods were ready at one time, want %d or more", least, n)
		}
		if len(lost) > 0 || answered == answeredBefore {
			t.Errorf("requests were lost: %.600q", lost)
		}
	}
}

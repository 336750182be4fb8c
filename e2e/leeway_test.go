package e2e_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/testbed"
)

// TestLeeway installs Leeway as its users do, and tries what only a real API
// server can show. The three models get their bad release at the same time, and
// each is kept from being rolled back by something else.
func TestLeeway(t *testing.T) {
	testbed.NeedMachine(t)
	s := newStage(t)
	unbound := &served{stage: s, namespace: example, kind: "Deployment"}
	careful := &served{stage: s, namespace: "careful", kind: "Deployment", bound: true,
		guard: []string{"badRelease: Auto", "badRelease: Observe"}}
	stateful := &served{stage: s, namespace: "stateful", kind: "StatefulSet", bound: true,
		guard: []string{"s3://flights/models/*", "s3://flights/released/*"}}
	models := []*served{unbound, careful, stateful}
	for _, m := range models {
		m.install(t)
	}
	for _, m := range models {
		m.begin(t)
	}
	t.Run("rights", func(t *testing.T) { testRights(t, s) })
	t.Run("tokens", func(t *testing.T) { testTokens(t, s) })
	t.Run("guards that can't be served", func(t *testing.T) { testGuards(t, s) })
	t.Run("objects that are refused", func(t *testing.T) { testRefused(t, s) })
	for _, m := range models {
		m.proven(t)
	}
	for _, m := range models {
		m.deploy(t, "2")
	}
	t.Run("without a RoleBinding", func(t *testing.T) { testUnbound(t, unbound, careful, stateful) })
	t.Run("autonomy", func(t *testing.T) { testAutonomy(t, careful) })
	t.Run("StatefulSet and forbidden artifact", func(t *testing.T) { testForbidden(t, stateful) })
	t.Run("nothing else was written", func(t *testing.T) {
		got := agentWrites(t, s).others
		slices.Sort(got)
		want := []string{
			"leeway-controller: patch deployments.apps careful/flights",
			"leeway-controller: patch deployments.apps flights/flights",
			"leeway-controller: patch statefulsets.apps stateful/flights",
		}
		if got = slices.Compact(got); !slices.Equal(got, want) { // each twice at least: the dry run is in the log
			t.Errorf("Leeway has written %q, want %q", got, want)
		}
	})
	t.Run("rule file with an error", func(t *testing.T) { testRules(t, s) })
	t.Run("registry", func(t *testing.T) { testRegistry(t, s) })
	for namespace, f := range s.traffic {
		answered, faulty, lost := f.Counts()
		t.Logf("%s: %d requests answered, %d with an error that the bad release made up, %d lost", namespace, answered, faulty, len(lost))
		if len(lost) > 0 || answered == 0 || faulty == 0 {
			t.Errorf("%s: want none lost and some of both others; lost: %.1000q", namespace, lost)
		}
	}
	if t.Failed() {
		s.showAgents(t)
	}
}

// showAgents prints what Leeway said last.
func (s *stage) showAgents(t *testing.T) {
	for _, what := range []string{"leeway-controller", "leeway-node"} {
		out, err := s.Kubectl(t.Context(), "logs", "-n", system, "-l", "app.kubernetes.io/name="+what, "--prefix", "--tail=60")
		t.Logf("%s (%v):\n%s", what, err, out)
	}
}

// testUnbound: where Leeway is not bound to its role, it proposes. It has no
// right to anything else either, and the audit log says that it has not tried.
func testUnbound(t *testing.T, m *served, others ...*served) {
	d := m.decided(t, time.Minute, "Proposed")
	g := m.sees(t, 10*time.Second, func(g guardObject) bool { return g.Status.Phase == "Held" })
	if c := g.condition("Permitted"); g.Status.Reason != "no_permission" || c.Status != "False" || !strings.Contains(c.Message, "leeway-actor") {
		t.Errorf("the guard is held for %s with %+v, want no_permission, and what to bind", g.Status.Reason, c)
	}
	for _, other := range others {
		other.decided(t, time.Minute, "Proposed", "AwaitingApproval")
		other.untouched(t)
	}
	m.untouched(t)
	writes := agentWrites(t, m.stage)
	if writes.own == 0 || writes.leases == 0 {
		t.Errorf("%+v: the audit log misses what Leeway must have written", writes)
	}
	if len(writes.others) > 0 {
		t.Errorf("Leeway has written, or tried to, what nobody allowed: %q", writes.others)
	}
	t.Logf("%s; %d writes of own objects, %d of Leases, %d Events, %d reviews, %d of anything else",
		d, writes.own, writes.leases, writes.events, writes.reviews, len(writes.others))

	bound := time.Now()
	kubectl(t, m.Cluster, "apply", "-k", "../examples/flights/manifests")
	done := m.wentBack(t, "")
	after := done.step("applied").Sub(bound)
	t.Logf("applied %.1fs after it was bound", after.Seconds())
	if after <= 0 || after > 15*time.Second {
		t.Errorf("it took %s from the RoleBinding to the rollback, want at most 15s", after)
	}
}

// testAutonomy gives trust step by step.
func testAutonomy(t *testing.T, m *served) {
	m.decided(t, 30*time.Second, "Proposed")
	m.sees(t, 10*time.Second, func(g guardObject) bool { return g.Status.Phase == "Held" && g.Status.Reason == "proposed" })
	m.untouched(t)

	kubectl(t, m.Cluster, "patch", "modelguard", "flights", "-n", m.namespace, "--type=merge", "-p", `{"spec":{"autonomy":{"badRelease":"Approve"}}}`)
	d := m.decided(t, 20*time.Second, "AwaitingApproval")
	m.sees(t, 10*time.Second, func(g guardObject) bool {
		return g.Status.Phase == "Deciding" && g.Status.Reason == "awaiting_approval"
	})
	time.Sleep(3 * time.Second) // of which Leeway looks at it every one
	m.untouched(t)

	kubectl(t, m.Cluster, "annotate", "modeldecision", d.Metadata.Name, "-n", m.namespace, "leeway.dev/approved-by=ann", "--as=ann", "--as-group=system:masters")
	if done := m.wentBack(t, d.Metadata.Name); done.Status.ApprovedBy != "ann" || done.step("approved").IsZero() {
		t.Errorf("approved by %q, journal %v, want ann", done.Status.ApprovedBy, done.Status.Steps)
	}
}

// testForbidden: Auto may not deploy what no pattern allows; a person may.
func testForbidden(t *testing.T, m *served) {
	d := m.decided(t, 30*time.Second, "AwaitingApproval")
	g := m.sees(t, 10*time.Second, func(g guardObject) bool { return g.Status.Phase == "Deciding" })
	c := g.condition("ArtifactUsable")
	if c.Status != "False" || c.Reason != "artifact_not_allowed" || !strings.Contains(c.Message, m.uris["1"]+" matches no pattern of spec.artifact.allow") {
		t.Errorf("condition %+v, want artifact_not_allowed, the artifact and the field", c)
	}
	m.untouched(t)
	kubectl(t, m.Cluster, "annotate", "modeldecision", d.Metadata.Name, "-n", m.namespace, "leeway.dev/approved-by=ann", "--as=ann", "--as-group=system:masters")
	m.wentBack(t, d.Metadata.Name)
	_, err := m.Kubectl(t.Context(), "patch", "modeldecision", d.Metadata.Name, "-n", m.namespace, "--type=merge", "-p", `{"spec":{"to":"2"}}`)
	refusedWith(t, err, "a decision is immutable")
}

// testRegistry runs the registry's own suite against this API server.
func testRegistry(t *testing.T, s *stage) {
	cmd := child.Command(t.Context(), "go", "test", "-trimpath", "-count=1", "-v", "-run", "TestRealAPIServer", "./registry/kube")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0", "LEEWAY_TEST_KUBECONFIG="+s.Kubeconfig())
	out, err := child.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out, "--- PASS: TestRealAPIServer/"); n < 23 || strings.Contains(out, "--- SKIP") {
		t.Errorf("%d tests have passed, want 23 or more and none skipped:\n%s", n, out)
	}
	t.Log(fmt.Sprint(strings.Count(out, "--- PASS: "), " tests: ", out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]))
}

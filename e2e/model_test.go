package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/testbed"
)

// served is a model of these tests: the example's, in a namespace of its own, with two
// replicas, a guard and traffic.
type served struct {
	*stage
	namespace string
	kind      string // Deployment or StatefulSet
	bound     bool   // Leeway may act in its namespace
	guard     []string
}

type condition struct{ Type, Status, Reason, Message string }

type guardObject struct {
	Metadata struct{ Name string }
	Status   struct {
		Phase, Reason, Message, ActiveVersion string
		SettledAt                             time.Time
		Conditions                            []condition
	}
}

func (g guardObject) condition(kind string) condition {
	for _, c := range g.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return condition{}
}

type decisionObject struct {
	Metadata struct{ Name string }
	Spec     struct {
		Guard, Cause, Action, Reason, Autonomy, From, To string
		DecidedAt                                        time.Time
	}
	Status struct {
		State, Reason, Message, Outcome, VerifiedBy, ApprovedBy string
		Steps                                                   []struct {
			Name string
			Time time.Time
		}
	}
}

func (d decisionObject) String() string {
	return fmt.Sprintf("%s: %s %s %s→%s (%s, %s): %s (%s): %s", d.Metadata.Name, d.Spec.Cause, d.Spec.Action, d.Spec.From, d.Spec.To,
		d.Spec.Autonomy, d.Spec.Reason, d.Status.State, d.Status.Reason, d.Status.Message)
}

// step is when the journal noted it first, or zero.
func (d decisionObject) step(name string) time.Time {
	for _, s := range d.Status.Steps {
		if s.Name == name {
			return s.Time
		}
	}
	return time.Time{}
}

// install brings version 1, its guard and its traffic.
func (m *served) install(t *testing.T) {
	t.Helper()
	if m.namespace != example {
		m.ApplyText(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}}", m.namespace))
		m.Credentials(t, m.namespace)
		m.ApplyText(t, fmt.Sprintf("{apiVersion: v1, kind: Service, metadata: {name: flights, namespace: %s}, "+
			"spec: {selector: {app: flights}, ports: [{port: 80, targetPort: leeway}]}}", m.namespace))
	}
	if m.bound {
		kubectl(t, m.Cluster, "apply", "-n", m.namespace, "-f", "../manifests/components/actor/actor.yaml")
	}
	m.register(t, m.namespace)
	m.deploy(t, "1")
}

// begin waits for version 1, and then begins to use it.
func (m *served) begin(t *testing.T) {
	t.Helper()
	kubectl(t, m.Cluster, "rollout", "status", "-n", m.namespace, strings.ToLower(m.kind)+"/flights", "--timeout=90s")
	m.ApplyText(t, testbed.Replaced(t, "../examples/flights/manifests/guard.yaml", append([]string{
		"namespace: flights", "namespace: " + m.namespace,
		"kind: Deployment", "kind: " + m.kind,
		"verify: {for: 15s, goodAfter: 20s}", "verify: {for: 5s, goodAfter: 10s}",
	}, m.guard...)...))
	f := &testbed.Traffic{URL: "http://" + m.ServiceIP(t, m.namespace, "flights") + "/v2/models/flights/infer", Rows: m.Rows, PerSecond: perSecond}
	m.traffic[m.namespace] = f
	f.Start(t)
}

// deploy applies the example's manifest for a version.
func (m *served) deploy(t *testing.T, version string) {
	t.Helper()
	parts := []string{
		"namespace: flights", "namespace: " + m.namespace, "replicas: 3", "replicas: 2",
		"${VERSION}", version, "${MODEL_URI}", m.uris[version], "${PROFILE_DIGEST}", m.Digest,
	}
	if m.kind == "StatefulSet" {
		parts = append(parts, "kind: Deployment", "kind: StatefulSet",
			"strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 100%}}", "serviceName: flights")
	}
	m.ApplyText(t, testbed.Replaced(t, "../examples/flights/manifests/model.yaml", parts...))
}

// sees waits until the guard has something to say of itself.
func (m *served) sees(t *testing.T, patience time.Duration, ok func(guardObject) bool) guardObject {
	t.Helper()
	var g guardObject
	testbed.Eventually(t, patience, func() error {
		g = guardObject{}
		if err := m.read(t, &g, "modelguard", "flights", "-n", m.namespace); err != nil {
			return err
		}
		if !ok(g) {
			return fmt.Errorf("guard %s/flights is %+v", m.namespace, g.Status)
		}
		return nil
	})
	return g
}

// proven waits until version 1 was clean for so long that it may be gone back to.
func (m *served) proven(t *testing.T) {
	t.Helper()
	m.sees(t, time.Minute, func(g guardObject) bool {
		return g.Status.Phase == "Watching" && g.Status.ActiveVersion == "1" &&
			!g.Status.SettledAt.IsZero() && time.Since(g.Status.SettledAt) > 15*time.Second
	})
}

// decided waits for a decision on a bad release that is in a state.
func (m *served) decided(t *testing.T, patience time.Duration, states ...string) decisionObject {
	t.Helper()
	var found decisionObject
	testbed.Eventually(t, patience, func() error {
		var list struct{ Items []decisionObject }
		if err := m.read(t, &list, "modeldecisions", "-n", m.namespace); err != nil {
			return err
		}
		for _, d := range list.Items {
			if d.Spec.Cause == "bad_release" && slices.Contains(states, d.Status.State) {
				found = d
				return nil
			}
		}
		return fmt.Errorf("no bad_release is %q in namespace %s, only %v", states, m.namespace, list.Items)
	})
	if found.Spec.Action != "rollback" || found.Spec.From != "2" || found.Spec.To != "1" {
		t.Errorf("%s; want to go back from 2 to 1", found)
	}
	return found
}

// template says which version the workload's template names, how often the
// template has changed, and whether all pods, and no others, have it.
func (m *served) template(t *testing.T) (version string, generation int64, settled bool) {
	t.Helper()
	var w struct {
		Metadata struct{ Generation int64 }
		Spec     struct {
			Replicas int64
			Template struct {
				Metadata struct{ Labels map[string]string }
			}
		}
		Status struct {
			ObservedGeneration, Replicas, UpdatedReplicas, AvailableReplicas int64
			CurrentRevision, UpdateRevision                                  string
		}
	}
	if err := m.read(t, &w, m.kind, "flights", "-n", m.namespace); err != nil {
		t.Fatal(err)
	}
	n := w.Spec.Replicas
	settled = w.Status.ObservedGeneration >= w.Metadata.Generation && w.Status.Replicas == n && w.Status.UpdatedReplicas == n &&
		w.Status.AvailableReplicas == n && w.Status.CurrentRevision == w.Status.UpdateRevision
	return w.Spec.Template.Metadata.Labels["leeway.dev/version"], w.Metadata.Generation, settled
}

// untouched checks that the workload still is as the bad release made it.
func (m *served) untouched(t *testing.T) (generation int64) {
	t.Helper()
	version, generation, _ := m.template(t)
	if version != "2" || generation != 2 {
		t.Errorf("version %s at generation %d, want 2 at 2: something has changed the workload", version, generation)
	}
	return generation
}

// wentBack waits until a rollback is done, and checks what there is then.
func (m *served) wentBack(t *testing.T, name string) decisionObject {
	t.Helper()
	d := m.decided(t, 90*time.Second, "Done")
	if d.Metadata.Name != name && name != "" {
		t.Errorf("%s was done, want %s", d, name)
	}
	testbed.Eventually(t, 30*time.Second, func() error {
		version, generation, settled := m.template(t)
		switch {
		case generation != 3:
			return fmt.Errorf("generation %d, want 3: one release, one rollback", generation)
		case version != "1" || !settled:
			return fmt.Errorf("version %s (rolled out: %t), want 1", version, settled)
		}
		return nil
	})
	var v struct{ Status struct{ Lifecycle string } }
	if err := m.read(t, &v, "modelversion", "flights-2", "-n", m.namespace); err != nil || v.Status.Lifecycle != "rejected" {
		t.Errorf("version 2 is %q (%v), want rejected", v.Status.Lifecycle, err)
	}
	t.Logf("%s, verified by %s", d, d.Status.VerifiedBy)
	return d
}

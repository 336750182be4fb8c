package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/testbed"
)

// workloadOf is a model server with nothing in it, and nothing running.
const workloadOf = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: guards}
spec:
  replicas: 0
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s, leeway.dev/model: %[1]s, leeway.dev/version: "1"}}
    spec: {containers: [{name: model, image: none, env: [{name: MODEL_URI, value: "s3://flights/models/1"}]}]}
---`

const guardOf = `
apiVersion: leeway.dev/v1alpha1
kind: ModelGuard
metadata: {name: %s, namespace: guards}
spec:
  model: %s
  workload: {name: %s}
  artifact: {%s}
  autonomy: {default: %s}
---`

// testGuards writes guards that the API server takes and Leeway can't serve.
// Each says so itself.
func testGuards(t *testing.T, s *stage) {
	const artifact = `container: model, env: MODEL_URI, allow: ["s3://flights/*"]`
	cases := []struct {
		name, model, workload, artifact, autonomy string
		condition, reason                         string
		says                                      []string
	}{
		{"no-container", "one", "one", "container: modle, env: MODEL_URI", "Observe", "Accepted", "container_missing", []string{`"modle"`, "model", "guards/one"}},
		{"no-variable", "two", "two", "container: model, env: MODEL", "Observe", "Accepted", "artifact_field_missing", []string{"MODEL", "guards/two"}},
		{"no-workload", "three", "three", artifact, "Observe", "Accepted", "workload_missing", []string{"Deployment three", "namespace guards"}},
		{"a-first", "four", "four", artifact, "Observe", "Accepted", "Accepted", nil},
		{"b-second", "five", "four", artifact, "Observe", "Accepted", "duplicate_guard", []string{"a-first", "deployment four"}},
		{"c-third", "four", "five", artifact, "Observe", "Accepted", "duplicate_guard", []string{"a-first", "model four"}},
		{"no-patterns", "six", "six", "container: model, env: MODEL_URI", "Auto", "Permitted", "artifact_not_allowed", []string{"spec.artifact.allow"}},
	}
	var manifest strings.Builder
	manifest.WriteString("{apiVersion: v1, kind: Namespace, metadata: {name: guards}}\n---")
	for _, name := range []string{"one", "two", "four", "five", "six"} {
		fmt.Fprintf(&manifest, workloadOf, name)
	}
	for _, tc := range cases {
		fmt.Fprintf(&manifest, guardOf, tc.name, tc.model, tc.workload, tc.artifact, tc.autonomy)
	}
	s.ApplyText(t, manifest.String())
	kubectl(t, s.Cluster, "apply", "-n", "guards", "-f", "../manifests/components/actor/actor.yaml")
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			testbed.Eventually(t, 20*time.Second, func() error {
				var g guardObject
				if err := s.read(t, &g, "modelguard", tc.name, "-n", "guards"); err != nil {
					return err
				}
				c := g.condition(tc.condition)
				want := map[bool]string{true: "True", false: "False"}[tc.reason == tc.condition]
				if c.Status != want || c.Reason != tc.reason {
					return fmt.Errorf("condition %+v, want %s %s %s", c, tc.condition, want, tc.reason)
				}
				for _, part := range tc.says {
					if !strings.Contains(c.Message, part) {
						return fmt.Errorf("the message does not name %s: %s", part, c.Message)
					}
				}
				if tc.condition == "Accepted" && want == "False" && (g.Status.Phase != "Held" || g.Status.Reason != tc.reason) {
					return fmt.Errorf("the guard is %s (%s), want it held for %s", g.Status.Phase, g.Status.Reason, tc.reason)
				}
				return nil
			})
		})
	}
	kubectl(t, s.Cluster, "delete", "namespace", "guards", "--wait=false")
}

// testRefused sends what the API server itself must refuse.
func testRefused(t *testing.T, s *stage) {
	const both, neither = "container: model, env: MODEL_URI, image: true", "container: model"
	for name, artifact := range map[string]string{"a guard with env and image": both, "a guard with neither": neither} {
		t.Run(name, func(t *testing.T) {
			err := s.Apply(t.Context(), strings.ReplaceAll(fmt.Sprintf(guardOf, "bad", "bad", "bad", artifact, "Observe"), "namespace: guards", "namespace: default"))
			refusedWith(t, err, "spec.artifact", "give exactly one of env and image: true")
		})
	}
	for _, tc := range []struct{ name, patch, says string }{
		{"another artifact", `{"spec":{"artifact":{"uri":"s3://elsewhere/model"}}}`, "a version is immutable: register a new one"},
		{"another profile", `{"spec":{"profile":{"gzip":"H4sI"}}}`, "a version is immutable: register a new one"},
		{"a metric less", `{"spec":{"metrics":null}}`, "a version is immutable: register a new one"},
	} {
		t.Run("a version with "+tc.name, func(t *testing.T) {
			_, err := s.Kubectl(t.Context(), "patch", "modelversion", "flights-1", "-n", example, "--type=merge", "-p", tc.patch)
			refusedWith(t, err, tc.says)
		})
	}
}

// refusedWith checks that the API server has refused something as invalid, and
// what it said.
func refusedWith(t *testing.T, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, part := range append(says, "is invalid") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the refusal does not say %q: %v", part, err)
		}
	}
}

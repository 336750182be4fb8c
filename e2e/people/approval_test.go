package people_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Who may approve, and nothing else; bound to ann and bob.
const approvers = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: approver, namespace: shop}
rules:
  - {apiGroups: [leeway.dev], resources: [modeldecisions], verbs: [get, patch, create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: approver, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: approver}
subjects: [{kind: User, name: ann}, {kind: User, name: bob}]
`

// waiting is a decision that waits for a person.
const waiting = `apiVersion: leeway.dev/v1alpha1
kind: ModelDecision
metadata: {name: NAME, namespace: shop, annotations: {ANNOTATIONS}}
spec:
  guard: churn
  model: churn
  workload: {name: churn}
  workloadUID: u
  decidedAt: "2026-03-01T12:00:00.000000Z"
  attempt: 1
  cause: bad_release
  action: rollback
  reason: last_good
  autonomy: Approve
  from: "2"
  to: "1"
`

// create makes a decision as somebody.
func (w *installed) create(t *testing.T, who, name, annotations string) error {
	t.Helper()
	file := filepath.Join(w.dir, name+".yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer("NAME", name, "ANNOTATIONS", annotations).Replace(waiting)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := w.Kubectl(t.Context(), "create", "-f", file, "--as="+who)
	return err
}

func annotate(who, name, value string, more ...string) []string {
	return append([]string{"annotate", "modeldecision", name, "-n", "shop", "--overwrite", "leeway.dev/approved-by" + value, "--as=" + who}, more...)
}

func (w *installed) approvedBy(t *testing.T, name string) string {
	t.Helper()
	return w.do(t, "get", "modeldecision", name, "-n", "shop", "-o", `jsonpath={.metadata.annotations.leeway\.dev/approved-by}`)
}

// approvedBefore is a decision that ann approved in bob's name while there was no
// policy: Leeway without it.
func (w *installed) approvedBefore(t *testing.T) string {
	t.Helper()
	file := filepath.Join(w.dir, "approvers.yaml")
	if err := os.WriteFile(file, []byte(approvers), 0o600); err != nil {
		t.Fatal(err)
	}
	w.do(t, "create", "namespace", "leeway-system")
	w.do(t, "create", "namespace", "shop")
	w.do(t, "apply", "-f", "../../manifests/base/crd")
	w.do(t, "wait", "--for=condition=Established", "--timeout=1m", "crd", "modeldecisions.leeway.dev")
	w.do(t, "apply", "-n", "leeway-system", "-f", "../../manifests/base/role.yaml", "-f", "../../manifests/base/rbac.yaml")
	w.do(t, "apply", "-f", file)
	await(t, 10*time.Second, func(context.Context) error { return w.create(t, controller, "old", "") })
	await(t, 10*time.Second, func(ctx context.Context) error {
		_, err := w.Kubectl(ctx, annotate("ann", "old", "=bob")...)
		return err
	})
	return "old"
}

// awaitPolicy waits until the API server has read the policy, which is a moment
// after it was made.
func (w *installed) awaitPolicy(t *testing.T) {
	t.Helper()
	await(t, 30*time.Second, func(ctx context.Context) error {
		if _, err := w.Kubectl(ctx, annotate("ann", "old", "=carl", "--dry-run=server")...); err == nil {
			return errors.New("anybody may approve in carl's name")
		}
		return nil
	})
}

func testApprovals(t *testing.T, w *installed, old string) {
	const denied = "leeway.dev/approved-by must be your own name, which is ann, not bob"
	if err := w.create(t, controller, "new", ""); err != nil {
		t.Fatal("the controller may not make a decision:", err)
	}
	w.refused(t, denied, annotate("ann", "new", "=bob")...)
	if by := w.approvedBy(t, "new"); by != "" {
		t.Errorf("what was refused has approved it, by %q", by)
	}
	w.do(t, annotate("ann", "new", "=ann")...)
	w.do(t, annotate("ann", "new", "=ann", "note=seen")...) // once more, and something else
	w.do(t, "annotate", "modeldecision", "new", "-n", "shop", "bob=was here", "--as=bob")
	if by := w.approvedBy(t, "new"); by != "ann" {
		t.Errorf("approved by %q, want ann", by)
	}
	w.refused(t, "must be your own name, which is bob, not carl", annotate("bob", "new", "=carl")...)
	w.do(t, annotate("bob", "new", "=bob")...)
	w.do(t, annotate("ann", "new", "-")...)
	w.refused(t, denied, "apply", "--server-side", "--force-conflicts", "-f", w.changed(t, "new", `leeway.dev/approved-by: bob`), "--as=ann")

	// From before the policy: it stands, and can't be made again.
	if by := w.approvedBy(t, old); by != "bob" {
		t.Errorf("approved by %q, want bob, as ann had written before", by)
	}
	w.do(t, "annotate", "modeldecision", old, "-n", "shop", "note=seen", "--as=ann")
	w.do(t, annotate("ann", old, "-")...)
	w.refused(t, denied, annotate("ann", old, "=bob")...)

	// Nobody approves what he makes in another's name.
	if err := w.create(t, "ann", "forged", "leeway.dev/approved-by: bob"); err == nil || !strings.Contains(err.Error(), denied) {
		t.Errorf("a decision with another's approval: %v", err)
	}
	testOnlyApprovals(t, w)
}

// testOnlyApprovals: who may approve may do no more, and the controller can't.
func testOnlyApprovals(t *testing.T, w *installed) {
	patch := func(who, patch string, more ...string) []string {
		return append([]string{"patch", "modeldecision", "new", "-n", "shop", "--type=merge", "-p", patch, "--as=" + who}, more...)
	}
	w.refused(t, "a decision is immutable", patch("ann", `{"spec":{"to":"3"}}`)...)
	w.refused(t, `cannot get resource "modeldecisions/status"`, patch("ann", `{"status":{"state":"Acting"}}`, "--subresource=status")...)
	w.do(t, patch("ann", `{"status":{"state":"Acting"},"metadata":{"annotations":{"note":"status"}}}`)...)
	if state := w.do(t, "get", "modeldecision", "new", "-n", "shop", "-o", "jsonpath={.status.state}"); state != "" {
		t.Errorf("an approver has written the state %s", state)
	}
	w.refused(t, `cannot patch resource "modeldecisions"`, annotate(controller, "new", "="+controller)...)
	w.refused(t, `cannot get resource "modeldecisions"`, annotate("carl", "new", "=carl")...)

	file := filepath.Join(w.dir, "status.yaml")
	body := w.do(t, "get", "modeldecision", "new", "-n", "shop", "-o", "yaml") + "\nstatus: {state: AwaitingApproval}\n"
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	w.do(t, "replace", "--subresource=status", "-f", file, "--as="+controller)
}

// changed is a file to apply with an annotation, and nothing else.
func (w *installed) changed(t *testing.T, name, annotation string) string {
	t.Helper()
	file := filepath.Join(w.dir, name+"-apply.yaml")
	text := "apiVersion: leeway.dev/v1alpha1\nkind: ModelDecision\nmetadata: {name: " + name + ", namespace: shop, annotations: {" + annotation + "}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

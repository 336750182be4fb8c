package workload_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
)

var env = v1alpha1.ArtifactRef{Container: "model", Env: "MODEL_URI"}

func deployment(uri string) *appsv1.Deployment {
	three := int32(3)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ml", Name: "churn", UID: "u1", Generation: 4},
		Spec: appsv1.DeploymentSpec{
			Replicas: &three,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "churn", v1alpha1.LabelVersion: "2"}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{
					{Name: "other", Image: "o"},
					{Name: "model", Image: "server:1", Env: []corev1.EnvVar{{Name: "A", Value: "b"}, {Name: "MODEL_URI", Value: uri}}},
				}},
			},
		},
	}
}

func TestFields(t *testing.T) {
	w := workload.FromDeployment(deployment("s3://m/2"))
	f, err := w.Fields(env)
	if err != nil || f.Version != "2" || f.Artifact != "s3://m/2" {
		t.Fatal(f, err)
	}
	if f, err = w.Fields(v1alpha1.ArtifactRef{Container: "model", Image: true}); err != nil || f.Artifact != "server:1" {
		t.Error(f, err)
	}
	if _, err = w.Fields(v1alpha1.ArtifactRef{Container: "modle", Env: "X"}); !errors.Is(err, workload.ErrContainer) || !strings.Contains(err.Error(), "it has other, model") {
		t.Error(err)
	}
	if _, err = w.Fields(v1alpha1.ArtifactRef{Container: "model", Env: "X"}); !errors.Is(err, workload.ErrEnv) {
		t.Error(err)
	}
}

func TestHashIsOfTheModelsFieldsAlone(t *testing.T) {
	hash := func(d *appsv1.Deployment) string {
		f, err := workload.FromDeployment(d).Fields(env)
		if err != nil {
			t.Fatal(err)
		}
		return f.Hash()
	}
	a, b := deployment("s3://m/2"), deployment("s3://m/2")
	*b.Spec.Replicas = 9
	b.Spec.Template.Annotations = map[string]string{"kubectl.kubernetes.io/restartedAt": "now"}
	b.Spec.Template.Spec.Containers[0].Image = "p"
	if hash(a) != hash(b) {
		t.Error("scaling and a restart change the hash")
	}
	if hash(a) == hash(deployment("s3://m/3")) {
		t.Error("another artifact has the same hash")
	}
}

func TestProgress(t *testing.T) {
	counts := func(observed int64, total, updated, available int32) func(*workload.Workload) {
		return func(w *workload.Workload) {
			w.Counts.ObservedGeneration, w.Counts.Total, w.Counts.Updated, w.Counts.Available = observed, total, updated, available
		}
	}
	tests := []struct {
		name       string
		set        func(*workload.Workload)
		generation int64
		complete   bool
	}{
		{"all of it", counts(4, 3, 3, 3), 4, true},
		{"the patch is not observed", counts(4, 3, 3, 3), 5, false},
		{"the object is not observed", counts(3, 3, 3, 3), 0, false},
		{"old pods are left", counts(4, 4, 3, 3), 4, false},
		{"not all updated", counts(4, 3, 2, 3), 4, false},
		{"not all available", counts(4, 3, 3, 2), 4, false},
		{"later than the patch", counts(6, 3, 3, 3), 4, true},
		{"scaled to nothing", func(w *workload.Workload) {
			counts(4, 0, 0, 0)(w)
			w.Counts.Desired = 0
		}, 4, true},
		{"a StatefulSet's old revision is there", func(w *workload.Workload) {
			counts(4, 3, 3, 3)(w)
			w.Kind, w.Counts.CurrentRevision, w.Counts.UpdateRevision = "StatefulSet", "a", "b"
		}, 4, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := workload.FromDeployment(deployment("x"))
			tt.set(w)
			if p := w.Progress(tt.generation); p.Complete != tt.complete {
				t.Errorf("complete is %v: %s", p.Complete, p.Message)
			}
		})
	}
}

func TestAllowed(t *testing.T) {
	pinned := "r.example/m@sha256:" + strings.Repeat("a", 64)
	tests := []struct {
		ref  v1alpha1.ArtifactRef
		uri  string
		want bool
	}{
		{v1alpha1.ArtifactRef{}, "s3://m/1", false},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/*"}}, "s3://m/1", true},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/*"}}, "s3://n/s3://m/1", false},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/*.json"}}, "s3://m/a/b.json", true},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/*.json"}}, "s3://m/a/b.bin", false},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/*/x/*"}}, "s3://m/a/x/b", true},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/*/x/*"}}, "s3://m/x/b", false},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/1"}}, "s3://m/1", true},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/1"}}, "s3://m/11", false},
		{v1alpha1.ArtifactRef{Allow: []string{"ab*ba"}}, "aba", false},
		{v1alpha1.ArtifactRef{Image: true, Allow: []string{"*"}}, "r.example/m:latest", false},
		{v1alpha1.ArtifactRef{Image: true, Allow: []string{"r.example/*"}}, pinned, true},
		{v1alpha1.ArtifactRef{Image: true, Allow: []string{"r.example/*"}}, "r.example/m:1@sha256:" + strings.Repeat("a", 64), true},
		{v1alpha1.ArtifactRef{Image: true, Allow: []string{"r.example/*"}}, "r.example/m@sha256:", false},
		{v1alpha1.ArtifactRef{Image: true, Allow: []string{"r.example/*"}}, "r.example/m@sha256:abc", false},
		{v1alpha1.ArtifactRef{Image: true, Allow: []string{"r.example/*"}}, pinned + ":latest", false},
		{v1alpha1.ArtifactRef{Image: true, Allow: []string{"r.example/*"}}, "r.example/m:latest#@sha256:", false},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/*"}}, "s3://m/v1..2/model..json", true},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/*"}}, "s3://m/100%/model", true},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/*"}}, "s3://m/../n/1", false},
		{v1alpha1.ArtifactRef{Allow: []string{"https://models.example/m/*"}}, "https://models.example/m/%2e%2e/n", false},
		{v1alpha1.ArtifactRef{Allow: []string{"https://models.example/m/*"}}, "https://models.example/m/%252e%252E%252fn", false},
		{v1alpha1.ArtifactRef{Allow: []string{"https://models.example/m/*"}}, "https://models.example/m/..%2fn", false},
		{v1alpha1.ArtifactRef{Allow: []string{"file:///m/*"}}, "file:///m/..\\n", false},
		{v1alpha1.ArtifactRef{Allow: []string{"file:///m/*"}}, "file:///m/..", false},
		{v1alpha1.ArtifactRef{Allow: []string{"s3://m/*"}}, "s3://m/1\ns3://n/2", false},
	}
	for _, tt := range tests {
		if got := workload.Allowed(tt.ref, tt.uri); got != tt.want {
			t.Errorf("Allowed(%v, %q) = %v", tt.ref.Allow, tt.uri, got)
		}
	}
}

const ownsArtifact = `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"model\"}":{"f:env":{"k:{\"name\":\"MODEL_URI\"}":{"f:value":{}}}}}}}}}`
const ownsLabel = `{"f:spec":{"f:template":{"f:metadata":{"f:labels":{"f:leeway.dev/version":{}}}}}}`
const ownsOther = `{"f:spec":{"f:replicas":{}}}`

func owned(entries ...metav1.ManagedFieldsEntry) *workload.Workload {
	d := deployment("x")
	d.ManagedFields = entries
	return workload.FromDeployment(d)
}

func entry(manager, fields string, at int64) metav1.ManagedFieldsEntry {
	t := metav1.NewTime(time.Unix(at, 0))
	return metav1.ManagedFieldsEntry{Manager: manager, Time: &t, FieldsV1: metav1.NewFieldsV1(fields)}
}

func TestOwners(t *testing.T) {
	status := entry("kube-controller-manager", ownsArtifact, 99)
	status.Subresource = "status"
	tests := []struct {
		name            string
		w               *workload.Workload
		changed, gitops string
	}{
		{"a person", owned(entry("kubectl-client-side-apply", ownsArtifact, 5), entry("hpa", ownsOther, 9), status), "kubectl-client-side-apply", ""},
		{"the latest of two", owned(entry("helm", ownsArtifact, 5), entry("kubectl-edit", ownsArtifact, 7)), "kubectl-edit", ""},
		{"Leeway", owned(entry("leeway", ownsArtifact, 5), entry("kubectl", ownsLabel, 9)), "", ""},
		{"Leeway and who applied the same again", owned(entry("leeway", ownsArtifact, 5), entry("kubectl", ownsArtifact, 9)), "", ""},
		{"Argo CD", owned(entry("argocd-controller", ownsArtifact, 5)), "argocd-controller", "argocd-controller"},
		{"Flux, the label only", owned(entry("leeway", ownsArtifact, 5), entry("kustomize-controller", ownsLabel, 6)), "", "kustomize-controller"},
		{"Argo CD, other fields", owned(entry("kubectl", ownsArtifact, 5), entry("argocd-controller", ownsOther, 6)), "kubectl", ""},
		{"nobody", owned(), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if o, _ := tt.w.ChangedBy(env); o.Manager != tt.changed {
				t.Errorf("changed by %q, want %q", o.Manager, tt.changed)
			}
			if m, _ := tt.w.GitOpsOwner(env); m != tt.gitops {
				t.Errorf("GitOps owner %q, want %q", m, tt.gitops)
			}
		})
	}
}

func TestApply(t *testing.T) {
	s := runtime.NewScheme()
	if err := appsv1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	var order []string
	c := fake.NewClientBuilder().WithScheme(s).WithReturnManagedFields().WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if slices.Contains(opts, client.ApplyOption(client.DryRunAll)) { // the fake client would write
				order = append(order, "dry run")
				return nil
			}
			order = append(order, "apply")
			return c.Apply(ctx, o, opts...)
		},
	}).Build()
	if err := c.Create(t.Context(), deployment("s3://m/2"), client.FieldOwner("kubectl")); err != nil {
		t.Fatal(err)
	}
	ref := v1alpha1.WorkloadRef{Name: "churn"}
	w, err := workload.Get(t.Context(), c, "ml", ref)
	if err != nil {
		t.Fatal(err)
	}
	to := workload.Fields{Version: "1", Artifact: "s3://m/1", ProfileDigest: "sha256:ab", ArtifactDigest: "cd"}
	if _, err = workload.Apply(t.Context(), c, w, workload.Change{Artifact: env, To: to, Decision: "d/applying"}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(order, []string{"dry run", "apply"}) {
		t.Error(order)
	}
	after, err := workload.Get(t.Context(), c, "ml", ref)
	if err != nil {
		t.Fatal(err)
	}
	f, err := after.Fields(env)
	if err != nil || f.Version != "1" || f.Artifact != "s3://m/1" || f.ProfileDigest != "sha256:ab" {
		t.Error(f, err)
	}
	if f.ArtifactDigest != "" {
		t.Error("the artifact is stamped where no stamp was")
	}
	if after.Counts.Desired != 3 || after.Template.Labels["app"] != "churn" || after.Template.Spec.Containers[1].Env[0].Value != "b" || len(after.Template.Spec.Containers) != 2 {
		t.Errorf("other fields have changed: %+v", after.Template)
	}
	if after.Annotations[v1alpha1.AnnotationDecision] != "d/applying" {
		t.Error(after.Annotations)
	}
	if _, human := after.ChangedBy(env); human {
		t.Error("Leeway's own change is taken for somebody else's")
	}
	// The object has changed since w was read: nothing may be written on it.
	to.Version = "9"
	if _, err = workload.Apply(t.Context(), c, w, workload.Change{Artifact: env, To: to}); !apierrors.IsConflict(err) {
		t.Error("applied on what was read before another change:", err)
	}
}

// Who moves the artifact to another field takes nothing away of the one before:
// a server-side apply deletes what it owns and no longer names.
func TestApplyKeepsWhatItAppliedBefore(t *testing.T) {
	s := runtime.NewScheme()
	if err := appsv1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(s).WithReturnManagedFields().WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if slices.Contains(opts, client.ApplyOption(client.DryRunAll)) {
				return nil
			}
			return c.Apply(ctx, o, opts...)
		},
	}).Build()
	if err := c.Create(t.Context(), deployment("s3://m/2"), client.FieldOwner("kubectl")); err != nil {
		t.Fatal(err)
	}
	apply := func(ref v1alpha1.ArtifactRef, artifact string) *workload.Workload {
		t.Helper()
		w, err := workload.Get(t.Context(), c, "ml", v1alpha1.WorkloadRef{Name: "churn"})
		if err != nil {
			t.Fatal(err)
		}
		to := workload.Fields{Version: "1", Artifact: artifact, ProfileDigest: "sha256:ab"}
		if _, err := workload.Apply(t.Context(), c, w, workload.Change{Artifact: ref, To: to, Decision: "d/applying"}); err != nil {
			t.Fatal(err)
		}
		if w, err = workload.Get(t.Context(), c, "ml", v1alpha1.WorkloadRef{Name: "churn"}); err != nil {
			t.Fatal(err)
		}
		return w
	}
	apply(env, "s3://m/1")
	apply(v1alpha1.ArtifactRef{Container: "other", Image: true}, "o@sha256:1")
	w := apply(v1alpha1.ArtifactRef{Container: "model", Image: true}, "server@sha256:1")
	want := []corev1.Container{
		{Name: "other", Image: "o@sha256:1"},
		{Name: "model", Image: "server@sha256:1", Env: []corev1.EnvVar{{Name: "A", Value: "b"}, {Name: "MODEL_URI", Value: "s3://m/1"}}},
	}
	if !equality.Semantic.DeepEqual(w.Template.Spec.Containers, want) {
		t.Errorf("containers %+v, want %+v", w.Template.Spec.Containers, want)
	}
	if w = apply(env, "s3://m/3"); w.Template.Spec.Containers[1].Env[1].Value != "s3://m/3" || w.Template.Spec.Containers[1].Image != "server@sha256:1" {
		t.Errorf("containers %+v", w.Template.Spec.Containers)
	}
}

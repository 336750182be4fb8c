package workload

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Change is one change of a workload's model fields.
type Change struct {
	Artifact v1alpha1.ArtifactRef
	To       Fields
	// Decision is "<decision>/<step>", written beside the change so that whoever
	// leads next can tell that it was made.
	Decision string
}

// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets,verbs=get;list;watch,roleName=leeway-controller
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets,verbs=patch,roleName=leeway-actor

// Apply changes the workload as it was read, or not at all: the API server
// refuses it (apierrors.IsConflict) when the object has changed since, or is
// another of the same name. A dry run goes first, so that a refusal by
// validation, quota or admission is known before anything is written. It
// returns the generation whose rollout is to be waited for.
//
// Fields owned by people and their tools are taken over: the guard is the
// consent. The caller has made sure that no GitOps controller owns them.
func Apply(ctx context.Context, c client.Client, w *Workload, change Change) (int64, error) {
	opts := []client.ApplyOption{client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership}
	dry := append([]client.ApplyOption{client.DryRunAll}, opts...)
	u := document(w, change)
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), dry...); err != nil {
		return 0, fmt.Errorf("dry run of the change of %s to version %s: %w", w.Ref(), change.To.Version, err)
	}
	u = document(w, change)
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), opts...); err != nil {
		return 0, fmt.Errorf("change %s to version %s: %w", w.Ref(), change.To.Version, err)
	}
	return u.GetGeneration(), nil
}

// document is the whole of what Leeway applies. Nothing may be added to it
// lightly: an applied field is owned, and dropping an owned one deletes it.
func document(w *Workload, change Change) *unstructured.Unstructured {
	doc := w.Patch(change.Artifact, change.To)
	w.keep(doc)
	metadata := doc["metadata"].(map[string]any)
	metadata["uid"], metadata["resourceVersion"] = string(w.UID), w.ResourceVersion
	metadata["annotations"] = map[string]any{v1alpha1.AnnotationDecision: change.Decision}
	return &unstructured.Unstructured{Object: doc}
}

// keep adds to a change the artifacts, as they are, that Leeway has applied where
// the guard named them before, all in the order of the template.
func (w *Workload) keep(doc map[string]any) {
	podSpec := doc["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
	change := podSpec["containers"].([]any)[0].(map[string]any)
	own := w.applied()
	var containers []any
	for _, c := range w.Template.Spec.Containers {
		kept := map[string]any{"name": c.Name}
		if c.Name == change["name"] {
			kept = change
		}
		if own.Has(artifactPath(v1alpha1.ArtifactRef{Container: c.Name, Image: true})) && kept["image"] == nil {
			kept["image"] = c.Image
		}
		if env := keptVariables(c, kept["env"], own); len(env) > 0 {
			kept["env"] = env
		}
		if len(kept) > 1 {
			containers = append(containers, kept)
		}
	}
	podSpec["containers"] = containers
}

// keptVariables are those of a container that are changed, or that Leeway owns.
func keptVariables(c corev1.Container, change any, own *fieldpath.Set) (env []any) {
	changed, _ := change.([]any)
	for _, e := range c.Env {
		i := slices.IndexFunc(changed, func(x any) bool { return x.(map[string]any)["name"] == e.Name })
		switch {
		case i >= 0:
			env = append(env, changed[i])
		case e.ValueFrom == nil && own.Has(artifactPath(v1alpha1.ArtifactRef{Container: c.Name, Env: e.Name})):
			env = append(env, map[string]any{"name": e.Name, "value": e.Value})
		}
	}
	return env
}

// Patch is the change to a version as a strategic merge patch, which kubectl and
// Kustomize take.
func (w *Workload) Patch(ref v1alpha1.ArtifactRef, to Fields) map[string]any {
	container := map[string]any{"name": ref.Container}
	if ref.Image {
		container["image"] = to.Artifact
	} else {
		container["env"] = []any{map[string]any{"name": ref.Env, "value": to.Artifact}}
	}
	stamps := map[string]any{v1alpha1.AnnotationProfileDigest: to.ProfileDigest}
	if w.Template.Annotations[v1alpha1.AnnotationArtifactDigest] != "" {
		stamps[v1alpha1.AnnotationArtifactDigest] = to.ArtifactDigest
	}
	return map[string]any{
		"apiVersion": "apps/v1",
		"kind":       w.Kind,
		"metadata":   map[string]any{"namespace": w.Namespace, "name": w.Name},
		"spec": map[string]any{"template": map[string]any{
			"metadata": map[string]any{
				"labels":      map[string]any{v1alpha1.LabelVersion: to.Version},
				"annotations": stamps,
			},
			"spec": map[string]any{"containers": []any{container}},
		}},
	}
}

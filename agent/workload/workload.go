package workload

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// ErrKind is returned for a workload that is neither Deployment nor StatefulSet.
var ErrKind = errors.New("workload kind is not supported")

// Workload is a Deployment or a StatefulSet, as far as Leeway looks at it.
type Workload struct {
	Kind            string
	Namespace, Name string
	UID             types.UID
	ResourceVersion string
	Annotations     map[string]string
	ManagedFields   []metav1.ManagedFieldsEntry
	Template        *corev1.PodTemplateSpec
	Selector        *metav1.LabelSelector
	// Paused Deployments take a patch and do not roll it out.
	Paused bool
	// DeadlineSeconds is how long a rollout may make no progress, 0 unknown.
	DeadlineSeconds int32
	Counts          Counts
	// OrderedReady StatefulSets replace no pod before all others are ready.
	OrderedReady bool
	// Object is what was read, for events.
	Object client.Object
}

// Counts are the numbers that a rollout's progress is read from.
type Counts struct {
	Generation, ObservedGeneration      int64
	Desired, Total, Updated, Available  int32
	CurrentRevision, UpdateRevision     string // StatefulSet only
	ProgressDeadlineExceeded, Recreates bool
	// NotCreated is why pods could not even be created, such as a quota.
	NotCreated string
}

// Get reads a workload. The error of a missing one satisfies
// apierrors.IsNotFound.
func Get(ctx context.Context, r client.Reader, namespace string, ref v1alpha1.WorkloadRef) (*Workload, error) {
	key := client.ObjectKey{Namespace: namespace, Name: ref.Name}
	switch ref.Kind {
	case "", "Deployment":
		var d appsv1.Deployment
		if err := r.Get(ctx, key, &d); err != nil {
			return nil, fmt.Errorf("read deployment %s/%s: %w", namespace, ref.Name, err)
		}
		return FromDeployment(&d), nil
	case "StatefulSet":
		var s appsv1.StatefulSet
		if err := r.Get(ctx, key, &s); err != nil {
			return nil, fmt.Errorf("read statefulset %s/%s: %w", namespace, ref.Name, err)
		}
		return FromStatefulSet(&s), nil
	}
	return nil, fmt.Errorf("%w: %q; use Deployment or StatefulSet", ErrKind, ref.Kind)
}

// FromDeployment is the view of a Deployment.
func FromDeployment(d *appsv1.Deployment) *Workload {
	w := view(d, "Deployment", &d.Spec.Template, d.Spec.Selector)
	w.Paused = d.Spec.Paused
	if d.Spec.ProgressDeadlineSeconds != nil {
		w.DeadlineSeconds = *d.Spec.ProgressDeadlineSeconds
	}
	w.Counts = Counts{
		Generation: d.Generation, ObservedGeneration: d.Status.ObservedGeneration,
		Desired: orOne(d.Spec.Replicas), Total: d.Status.Replicas,
		Updated: d.Status.UpdatedReplicas, Available: d.Status.AvailableReplicas,
		Recreates: d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType,
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded" {
			w.Counts.ProgressDeadlineExceeded = true
		}
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			w.Counts.NotCreated = c.Message
		}
	}
	return w
}

// FromStatefulSet is the view of a StatefulSet.
func FromStatefulSet(s *appsv1.StatefulSet) *Workload {
	w := view(s, "StatefulSet", &s.Spec.Template, s.Spec.Selector)
	w.OrderedReady = s.Spec.PodManagementPolicy != appsv1.ParallelPodManagement
	w.Counts = Counts{
		Generation: s.Generation, ObservedGeneration: s.Status.ObservedGeneration,
		Desired: orOne(s.Spec.Replicas), Total: s.Status.Replicas,
		Updated: s.Status.UpdatedReplicas, Available: s.Status.AvailableReplicas,
		CurrentRevision: s.Status.CurrentRevision, UpdateRevision: s.Status.UpdateRevision,
	}
	if missing := w.Counts.Desired - w.Counts.Total; missing > 0 {
		w.Counts.NotCreated = fmt.Sprintf("%d of %d pods are not there", missing, w.Counts.Desired)
	}
	return w
}

func view(o client.Object, kind string, t *corev1.PodTemplateSpec, s *metav1.LabelSelector) *Workload {
	return &Workload{
		Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(),
		ResourceVersion: o.GetResourceVersion(), Annotations: o.GetAnnotations(),
		ManagedFields: o.GetManagedFields(), Template: t, Selector: s, Object: o,
	}
}

func orOne(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// Ref is how messages name the workload: "deployment ml/churn".
func (w *Workload) Ref() string {
	if w.Kind == "StatefulSet" {
		return "statefulset " + w.Namespace + "/" + w.Name
	}
	return "deployment " + w.Namespace + "/" + w.Name
}

package retrain

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// LastWords are the termination messages of the containers of a Job's newest pod that
// succeeded; none where there is no such pod, or the Job is gone.
func (j Jobs) LastWords(ctx context.Context, o Order, name string) ([]string, error) {
	var job batchv1.Job
	if err := j.Live.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: name}, &job); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read job %s/%s: %w", o.Namespace, name, err)
	}
	var pods corev1.PodList
	if err := j.Live.List(ctx, &pods, client.InNamespace(o.Namespace), client.MatchingLabels{LabelDecision: name}); err != nil {
		return nil, fmt.Errorf("list the pods of job %s/%s: %w", o.Namespace, name, err)
	}
	own := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool {
		return p.Status.Phase != corev1.PodSucceeded || !metav1.IsControlledBy(&p, &job)
	})
	if len(own) == 0 {
		return nil, nil
	}
	newest := slices.MaxFunc(own, func(a, b corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	var words []string
	for _, c := range newest.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil && t.Message != "" {
			words = append(words, t.Message)
		}
	}
	return words, nil
}

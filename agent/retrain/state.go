package retrain

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// State is where a Job stands.
type State int

// The states of a Job.
const (
	Running State = iota
	Complete
	Failed
	// Gone: deleted, or cleaned up after its end by the CronJob's history limits.
	Gone
)

func (s State) String() string {
	switch s {
	case Running:
		return "running"
	case Complete:
		return "complete"
	case Failed:
		return "failed"
	}
	return "gone"
}

// Look reads the state of a Job and what it says of it.
func Look(ctx context.Context, live client.Reader, namespace, name string) (State, string, error) {
	var j batchv1.Job
	err := live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &j)
	if apierrors.IsNotFound(err) {
		return Gone, "job " + name + " is gone", nil
	}
	if err != nil {
		return Running, "", fmt.Errorf("read job %s/%s: %w", namespace, name, err)
	}
	for _, c := range j.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			return Complete, "job " + name + " is complete", nil
		case batchv1.JobFailed:
			return Failed, fmt.Sprintf("job %s failed: %s: %s", name, c.Reason, c.Message), nil
		}
	}
	return Running, fmt.Sprintf("job %s runs, %d pods active, %d failed", name, j.Status.Active, j.Status.Failed), nil
}

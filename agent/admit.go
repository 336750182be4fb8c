package agent

import (
	"context"
	"errors"

	"github.com/prometheus/prometheus/model/labels"
	corev1 "k8s.io/api/core/v1"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/agent/embedded"
)

// watchPods has the authority hear of the pods that the manager's cache holds
// anyway.
func (r *controller) watchPods() error {
	informer, err := r.manager.GetCache().GetInformer(context.Background(), &corev1.Pod{})
	if err != nil {
		return err
	}
	handling, err := informer.AddEventHandler(r.pods.Handler())
	if err == nil {
		r.pods.Synced(handling.HasSynced)
	}
	return err
}

// admit says to the engine what a refusal of the authority means to it.
func (r *controller) admit(ctx context.Context, series labels.Labels) error {
	err := r.authority.AdmitSeries(ctx, series)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, auth.ErrUnknownPod) && errors.Is(err, auth.ErrUnavailable):
		return refused{refused{err, embedded.ErrNewSeries}, embedded.ErrLater}
	case errors.Is(err, auth.ErrUnknownPod):
		return refused{err, embedded.ErrNewSeries}
	case errors.Is(err, auth.ErrForeign):
		return refused{err, embedded.ErrSeries}
	}
	return err
}

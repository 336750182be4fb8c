package agent

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/agent/embedded"
)

// watchPods has the authority hear of the pods that the manager's cache holds
// anyway. While the API server is away it is tried again, and samples wait.
func (r *controller) watchPods(ctx context.Context) error {
	for {
		informer, err := r.manager.GetCache().GetInformer(ctx, &corev1.Pod{})
		if err == nil {
			var handling toolscache.ResourceEventHandlerRegistration
			if handling, err = informer.AddEventHandler(r.pods.Handler()); err == nil {
				r.pods.Synced(handling.HasSynced)
				return nil
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		r.Logger.Warn("cannot watch pods; samples of sidecars wait", zap.Error(err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookEvery):
		}
	}
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

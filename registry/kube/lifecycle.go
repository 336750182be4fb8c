package kube

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// What the custom resource holds at most.
const (
	maxAudit  = 50
	maxReason = 1024
)

// SetLifecycle implements registry.Store. The object keeps the latest 50
// changes, and an event tells of this one where the caller may create events.
func (s *Store) SetLifecycle(ctx context.Context, model string, number int64, from, to v1alpha1.Lifecycle, by, reason string) error {
	if err := registry.CheckTransition(from, to); err != nil {
		return err
	}
	if err := registry.ValidateModel(model); err != nil {
		return err
	}
	if len(reason) > maxReason {
		return fmt.Errorf("%w: the reason has %d bytes, at most %d are kept", registry.ErrInvalid, len(reason), maxReason)
	}
	// A conflict may come of a cache that lags: it is given time to catch up.
	b := wait.Backoff{Duration: 5 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 9}
	err := wait.ExponentialBackoffWithContext(ctx, b, func(ctx context.Context) (bool, error) {
		o, err := s.get(ctx, model, number)
		if err != nil {
			return false, err
		}
		if is := lifecycle(o); is != from {
			return false, fmt.Errorf("version %d of %s: %w: it is %s, not %s", number, model, registry.ErrConflict, is, from)
		}
		line := v1alpha1.AuditLine{Time: metav1.NewMicroTime(s.now()), From: from, To: to, By: by, Reason: reason}
		o.Status.Lifecycle, o.Status.Reason = to, reason
		o.Status.Audit = append(o.Status.Audit, line)
		if n := len(o.Status.Audit); n > maxAudit {
			o.Status.Audit = o.Status.Audit[n-maxAudit:]
		}
		err = s.client.Status().Update(ctx, o)
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) { // changed, or deleted: look again
			return false, nil
		}
		if err != nil {
			return false, s.explain(err, "update modelversions/status")
		}
		s.tell(ctx, o, line)
		return true, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("version %d of %s: %w: others keep changing it; try again", number, model, registry.ErrConflict)
	}
	return err
}

package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/explain"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// endOrphans ends what is open of guards that were deleted: with the guard goes
// the consent to go on. The workload stays as it is. A guard that is made again
// before this looks goes on with what is open.
func (l *Loop) endOrphans(ctx context.Context, guards []v1alpha1.ModelGuard) error {
	var all v1alpha1.ModelDecisionList
	if err := l.Client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil { // they are only read
		return fmt.Errorf("list decisions: %w", err)
	}
	there := names(guards)
	var errs []error
	for i := range all.Items {
		d := &all.Items[i]
		if journal.Open(d) && !there[guardOf(d)] {
			errs = append(errs, l.endOrphan(ctx, guardOf(d), d.Name))
		}
	}
	return errors.Join(errs...)
}

func names(guards []v1alpha1.ModelGuard) map[client.ObjectKey]bool {
	there := make(map[client.ObjectKey]bool, len(guards))
	for i := range guards {
		there[client.ObjectKeyFromObject(&guards[i])] = true
	}
	return there
}

func guardOf(d *v1alpha1.ModelDecision) client.ObjectKey {
	return client.ObjectKey{Namespace: d.Namespace, Name: d.Spec.Guard}
}

// endOrphan ends a decision if its guard is not there, whatever the cache says, and
// is not being visited any more.
func (l *Loop) endOrphan(ctx context.Context, guard client.ObjectKey, name string) error {
	if !l.enter(guard) {
		return nil
	}
	defer l.leave(guard)
	namespace := guard.Namespace
	d, err := l.journal.Read(ctx, namespace, name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || !journal.Open(d) {
		return err
	}
	if err := l.Live.Get(ctx, guard, &v1alpha1.ModelGuard{}); !apierrors.IsNotFound(err) {
		return err
	}
	message := fmt.Sprintf("guard %s was deleted while this was open; %s %s is left as it is",
		d.Spec.Guard, strings.ToLower(d.Spec.Workload.Kind), d.Spec.Workload.Name)
	d.Status.State, d.Status.Reason, d.Status.Outcome, d.Status.Message = v1alpha1.Superseded, string(ReasonSuperseded), "superseded", message
	journal.Step(d, journal.Ended, l.Now(), string(v1alpha1.Superseded)+", "+string(ReasonSuperseded))
	if err := l.journal.Write(ctx, d); apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // somebody was faster: look again in the next round
	} else if err != nil {
		return err
	}
	l.Logger.Info("ended", zap.String("namespace", namespace), zap.String("decision", name), zap.String("state", string(d.Status.State)),
		zap.String("reason", d.Status.Reason), zap.String("message", message))
	l.Event(d, corev1.EventTypeNormal, d.Status.Reason, explain.Advised(message, d.Status.Reason, maxMessage))
	return nil
}

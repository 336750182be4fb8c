package guard

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/journal"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
	"github.com/leeway-dev/leeway/agent/workload"
	"github.com/leeway-dev/leeway/registry"
)

// visit is one look at one guard, from what is stored to what is stored.
type visit struct {
	*Loop
	// leading ends when the leader stops; a visit has a time of its own.
	leading context.Context
	round   *round
	now     time.Time
	log     *zap.Logger
	// guard is what will be stored, stored what was read.
	guard, stored *v1alpha1.ModelGuard

	work     *workload.Workload
	fields   workload.Fields
	progress workload.Progress
	// pods of the active version, and of others.
	pods, others []corev1.Pod
	permitted    bool

	store    registry.Store
	versions []registry.Version
	// all decisions of the namespace, and those of this guard, newest first.
	all, decisions []v1alpha1.ModelDecision
	policy         decide.Policy
	evidence       decide.Evidence
	// afresh asks the registry again, however lately it was.
	afresh bool
}

// visit observes, goes on with what is open, and else decides. An error means
// that something could not be read or written; the next round tries again.
func (l *Loop) visit(ctx, leading context.Context, r *round, stored *v1alpha1.ModelGuard) error {
	v := &visit{
		Loop: l, leading: leading, round: r, now: l.Now().Truncate(time.Microsecond), stored: stored, guard: stored.DeepCopy(),
		log: l.Logger.With(zap.String("namespace", stored.Namespace), zap.String("guard", stored.Name)),
	}
	err := v.pass(ctx)
	if apierrors.IsConflict(err) {
		err = nil // somebody wrote since this visit read: look again
	}
	if err = errors.Join(err, v.publish(ctx, err)); err == nil {
		l.looked.note(client.ObjectKeyFromObject(stored), v.now)
	}
	return err
}

func (v *visit) pass(ctx context.Context) error {
	if err := v.read(ctx); err != nil {
		return err
	}
	held, err := v.observe(ctx)
	if err != nil {
		return err
	}
	if held != nil {
		v.hold(*held)
		return v.abandon(ctx, *held)
	}
	if err := v.gather(ctx); err != nil {
		return err
	}
	// That the registry can't be written to must not keep a bad version in service.
	return errors.Join(v.reconcileLifecycles(ctx), v.advance(ctx))
}

// advance takes what is open a step on, or decides.
func (v *visit) advance(ctx context.Context) error {
	if busy, err := v.retraining(ctx); err != nil || busy {
		return err
	}
	open, err := v.open(ctx)
	if err != nil {
		return err
	}
	if open != nil {
		return v.resume(ctx, open)
	}
	v.fleet.release(keyOf(v.guard))
	if err := v.decide(ctx); err != nil {
		return err
	}
	return v.journal.Prune(ctx, v.decisions, v.Keep)
}

func (v *visit) read(ctx context.Context) error {
	all, err := v.journal.In(ctx, v.guard.Namespace)
	if err != nil {
		return err
	}
	v.all = all
	for _, d := range all {
		if d.Spec.Guard == v.guard.Name {
			v.decisions = append(v.decisions, d)
		}
	}
	return nil
}

// open is the decision that the rollback track is at, read live. A training is
// on the other track.
func (v *visit) open(ctx context.Context) (*v1alpha1.ModelDecision, error) {
	for i := range v.decisions {
		d := &v.decisions[i]
		if !journal.Open(d) || inTraining(d) {
			continue
		}
		d, err := v.journal.Read(ctx, d.Namespace, d.Name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if journal.Open(d) && !inTraining(d) {
			return d, nil
		}
	}
	return nil, nil
}

// resume goes on with an open decision from where its journal says that it is.
func (v *visit) resume(ctx context.Context, d *v1alpha1.ModelDecision) error {
	v.guard.Status.Decision = &v1alpha1.DecisionRef{Name: d.Name}
	if other := v.aboutAnother(d); other != "" {
		return v.supersede(ctx, d, ReasonSuperseded, other)
	}
	switch d.Status.State {
	case "":
		return v.begin(ctx, d)
	case v1alpha1.AwaitingApproval:
		return v.await(ctx, d)
	case v1alpha1.StateActing:
		return v.act(ctx, d)
	case v1alpha1.StateVerifying:
		return v.verify(ctx, d)
	}
	return nil
}

// hold puts the guard on hold without a decision: nothing was decided, because
// nothing could be.
func (v *visit) hold(h held) { v.phase(v1alpha1.Held, h.reason, h.message) }

// held is why a guard is on hold.
type held struct {
	reason  decide.Reason
	message string
}

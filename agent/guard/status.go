package guard

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/explain"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

const (
	conditionReconciled = "Reconciled"
	conditionHeld       = "Held"
	conditionTrained    = "Trained"
	conditionEvaluated  = "Evaluated"
)

// phase says where the rollback track stands. While phase and reason stay the
// same, so does the message: its numbers move every second, and each would be a
// write and nothing new.
func (v *visit) phase(p v1alpha1.Phase, reason decide.Reason, message string) {
	s, was := &v.guard.Status, &v.stored.Status
	s.Phase, s.Reason = p, string(reason)
	if p == was.Phase && string(reason) == was.Reason && s.ActiveVersion == was.ActiveVersion && was.Message != "" {
		s.Message = was.Message
		return
	}
	s.Message = message
}

// condition sets a condition of the guard, with a message that stays for as
// long as its reason does.
func (v *visit) condition(kind string, status metav1.ConditionStatus, reason, message string) {
	if c := meta.FindStatusCondition(v.guard.Status.Conditions, kind); c != nil && c.Status == status && c.Reason == reason &&
		c.ObservedGeneration == v.guard.Generation {
		return
	}
	meta.SetStatusCondition(&v.guard.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: atMost(message, maxMessage),
		ObservedGeneration: v.guard.Generation, LastTransitionTime: metav1.NewTime(v.now),
	})
}

// show projects an own decision on the guard.
func (v *visit) show(d *v1alpha1.ModelDecision, message string) {
	v.guard.Status.Decision = &v1alpha1.DecisionRef{Name: d.Name}
	reason := decide.Reason(d.Status.Reason)
	switch d.Status.State {
	case v1alpha1.StateActing:
		v.phase(v1alpha1.Acting, decide.Reason(d.Spec.Reason), message)
	case v1alpha1.StateVerifying:
		v.phase(v1alpha1.Verifying, decide.Reason(d.Spec.Reason), message)
	case v1alpha1.AwaitingApproval:
		v.phase(v1alpha1.Deciding, ReasonAwaitingApproval, fmt.Sprintf("decision %s (%s) waits for approval: %s", d.Name, d.Spec.Reason, message))
	case v1alpha1.Proposed:
		would := d.Spec.Action
		if d.Spec.To != "" {
			would += " to version " + d.Spec.To
		}
		v.phase(v1alpha1.Held, v.proposedReason(), fmt.Sprintf("would %s: %s", would, message))
	case v1alpha1.StateTraining, v1alpha1.StateEvaluating:
		v.phase(v1alpha1.Watching, decide.ReasonRetrainOpen, message)
	case v1alpha1.StateHeld, v1alpha1.Failed:
		v.phase(v1alpha1.Held, reason, message)
	default:
		v.phase(v1alpha1.Watching, reason, message)
	}
}

// project shows a decision made before that still is the answer.
func (v *visit) project(d *v1alpha1.ModelDecision, c choice) {
	v.show(d, c.Message)
}

func (v *visit) proposedReason() decide.Reason {
	if !v.permitted {
		return ReasonNoPermission
	}
	return ReasonProposed
}

// publish stores what the visit found, and tells of what changed.
func (v *visit) publish(ctx context.Context, failed error) error {
	if failed != nil {
		v.condition(conditionReconciled, metav1.ConditionFalse, "Error", failed.Error())
	} else {
		v.condition(conditionReconciled, metav1.ConditionTrue, "Reconciled", "the last visit read and wrote all that it had to")
	}
	if v.guard.Status.Phase == "" {
		v.guard.Status.Phase = v1alpha1.Watching
	}
	v.conditionOverloaded()
	v.conditionHeld()
	v.metrics.project(v.guard)
	if equality.Semantic.DeepEqual(v.guard.Status, v.stored.Status) {
		return nil
	}
	if err := v.Client.Status().Update(ctx, v.guard); err != nil {
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return nil // read again in the next round
		}
		return fmt.Errorf("write the status of guard %s/%s: %w", v.guard.Namespace, v.guard.Name, err)
	}
	now, was := v.guard.Status, v.stored.Status
	if now.Phase != was.Phase || now.Phase == v1alpha1.Held && now.Reason != was.Reason {
		kind := corev1.EventTypeNormal
		if now.Phase == v1alpha1.Held {
			kind = corev1.EventTypeWarning
		}
		v.Event(v.guard, kind, orWord(now.Reason, string(now.Phase)),
			explain.Advised(fmt.Sprintf("%s: %s", now.Phase, now.Message), now.Reason, maxMessage))
	}
	return nil
}

// conditionHeld says whether the guard is held, why, and what to do about it.
func (v *visit) conditionHeld() {
	s := v.guard.Status
	status := metav1.ConditionFalse
	if s.Phase == v1alpha1.Held {
		status = metav1.ConditionTrue
	}
	v.condition(conditionHeld, status, orWord(s.Reason, string(s.Phase)), explain.Advised(s.Message, s.Reason, maxMessage))
}

func orWord(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// event tells of a change of a decision.
func (v *visit) event(d *v1alpha1.ModelDecision, kind, reason, message string) {
	v.Event(d, kind, reason, explain.Advised(message, reason, maxMessage))
}

// maxMessage bounds what is said in a status or an event, in bytes: the API server
// takes no events of more than 1,024.
const maxMessage = 1000

func atMost(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

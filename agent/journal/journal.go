// Package journal keeps ModelDecisions: it creates one, which is the lock, and
// writes its status, which is the only journal.
//
// A step is written before it is taken and after, each time with the resource
// version that was read, so that of two leaders (one woken after it was thought
// dead) only one can go on. Nothing is remembered anywhere else: whoever leads
// next reads the journal and resumes from what it says.
package journal

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// The steps of a decision, in the order that they are taken.
const (
	Decided   = "decided"
	Approved  = "approved"
	Applying  = "applying"
	Applied   = "applied"
	RolledOut = "rolled_out"
	Verified  = "verified"
	Undoing   = "undoing"
	Undone    = "undone"
	JobStart  = "job_starting"
	// JobPostponed says that surely nothing came of the job_starting before it.
	JobPostponed = "job_postponed"
	JobStarted   = "job_started"
	// JobFound says what the training is called, where that was not known at once.
	JobFound   = "job_found"
	JobDone    = "job_done"
	GatePassed = "gate_passed"
	Ended      = "ended"
)

// +kubebuilder:rbac:groups=leeway.dev,resources=modeldecisions,verbs=get;list;watch;create;delete,roleName=leeway-controller
// +kubebuilder:rbac:groups=leeway.dev,resources=modeldecisions/status,verbs=get;update,roleName=leeway-controller

// Journal reads and writes decisions.
type Journal struct {
	// Client writes, and lists from its cache.
	Client client.Client
	// Live reads past the cache: a lock is not looked up in a copy.
	Live client.Reader
}

// Create records a decision. When another of its name exists, that one is
// returned and created is false: the caller resumes it.
func (j Journal) Create(ctx context.Context, d *v1alpha1.ModelDecision) (*v1alpha1.ModelDecision, bool, error) {
	Fit(d)
	err := j.Client.Create(ctx, d)
	if apierrors.IsAlreadyExists(err) {
		there, err := j.Read(ctx, d.Namespace, d.Name)
		return there, false, err
	}
	if err != nil {
		return nil, false, fmt.Errorf("create decision %s/%s: %w", d.Namespace, d.Name, err)
	}
	return d, true, nil
}

// Read reads a decision from the API server itself.
func (j Journal) Read(ctx context.Context, namespace, name string) (*v1alpha1.ModelDecision, error) {
	var d v1alpha1.ModelDecision
	if err := j.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &d); err != nil {
		return nil, fmt.Errorf("read decision %s/%s: %w", namespace, name, err)
	}
	return &d, nil
}

// Write stores the status. A conflict (apierrors.IsConflict) means that
// somebody else wrote since: stop, and look again.
func (j Journal) Write(ctx context.Context, d *v1alpha1.ModelDecision) error {
	Fit(d)
	if err := j.Client.Status().Update(ctx, d); err != nil {
		return fmt.Errorf("write the journal of %s/%s: %w", d.Namespace, d.Name, err)
	}
	return nil
}

// Of lists the decisions of a guard, the newest first.
func (j Journal) Of(ctx context.Context, namespace, guard string) ([]v1alpha1.ModelDecision, error) {
	all, err := j.In(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(d v1alpha1.ModelDecision) bool { return d.Spec.Guard != guard }), nil
}

// In lists the decisions of a namespace, the newest first.
func (j Journal) In(ctx context.Context, namespace string) ([]v1alpha1.ModelDecision, error) {
	var list v1alpha1.ModelDecisionList
	if err := j.Client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list the decisions of namespace %s: %w", namespace, err)
	}
	slices.SortStableFunc(list.Items, func(a, b v1alpha1.ModelDecision) int {
		return b.Spec.DecidedAt.Compare(a.Spec.DecidedAt.Time)
	})
	return list.Items, nil
}

// Prune deletes the oldest ended decisions of a guard beyond keep. Decisions
// are given newest first; open ones are never deleted.
func (j Journal) Prune(ctx context.Context, decisions []v1alpha1.ModelDecision, keep int) error {
	if len(decisions) <= keep {
		return nil
	}
	for i := range decisions[keep:] {
		d := &decisions[keep+i]
		if Open(d) {
			continue
		}
		if err := client.IgnoreNotFound(j.Client.Delete(ctx, d)); err != nil {
			return fmt.Errorf("delete old decision %s/%s: %w", d.Namespace, d.Name, err)
		}
	}
	return nil
}

// Step adds a line to the journal in memory; Write stores it.
func Step(d *v1alpha1.ModelDecision, name string, now time.Time, message string) {
	d.Status.Steps = append(d.Status.Steps, v1alpha1.Step{Name: name, Time: metav1.NewMicroTime(now), Message: message})
}

// At is when a step was last written, zero if never.
func At(d *v1alpha1.ModelDecision, name string) time.Time {
	for _, s := range slices.Backward(d.Status.Steps) {
		if s.Name == name {
			return s.Time.Time
		}
	}
	return time.Time{}
}

// First is when the first of some steps was written, zero if none was.
func First(d *v1alpha1.ModelDecision, names ...string) time.Time {
	for _, s := range d.Status.Steps {
		if slices.Contains(names, s.Name) {
			return s.Time.Time
		}
	}
	return time.Time{}
}

// Last is the one of some steps that was written last, empty if none was.
func Last(d *v1alpha1.ModelDecision, names ...string) string {
	for _, s := range slices.Backward(d.Status.Steps) {
		if slices.Contains(names, s.Name) {
			return s.Name
		}
	}
	return ""
}

// Count is how often a step was written.
func Count(d *v1alpha1.ModelDecision, name string) int {
	n := 0
	for _, s := range d.Status.Steps {
		if s.Name == name {
			n++
		}
	}
	return n
}

// Said is the message of the last step of a name.
func Said(d *v1alpha1.ModelDecision, name string) string {
	for i := len(d.Status.Steps) - 1; i >= 0; i-- {
		if d.Status.Steps[i].Name == name {
			return d.Status.Steps[i].Message
		}
	}
	return ""
}

// Has says whether a step was written.
func Has(d *v1alpha1.ModelDecision, name string) bool { return !At(d, name).IsZero() }

// Open says that a decision is not at its end. One without a status is: its
// maker was stopped between creating it and the first line.
func Open(d *v1alpha1.ModelDecision) bool {
	switch d.Status.State {
	case v1alpha1.Done, v1alpha1.StateHeld, v1alpha1.Superseded, v1alpha1.Failed, v1alpha1.Proposed:
		return false
	}
	return true
}

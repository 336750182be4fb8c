package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Store keeps the versions of models. Its implementations are safe for use by
// many goroutines, and many processes may share what they keep. What they
// return is the caller's, who may change it.
//
// A version is immutable once it is registered; only its lifecycle changes.
// Errors wrap one of the sentinels below where one fits; their text says what
// was wrong, where, and what to do.
type Store interface {
	// Register keeps a new version and returns it with the number given to it.
	// spec.Version must be 0: the store gives the number, from 1, to one
	// version only, whatever the race, and never again, also when the version
	// is deleted. Numbers rise, but a registration that died may leave a gap.
	//
	// With spec.Lineage.Decision set, registering the same content for the same
	// decision again (see Key) returns the version that is there, so that a Job
	// which is run twice registers once.
	//
	// It returns ErrInvalid for a spec that can't be kept and ErrTooLarge for
	// one that is beyond the store's limit.
	Register(ctx context.Context, spec v1alpha1.ModelVersionSpec) (Version, error)
	// Get returns one version, or ErrNotFound.
	Get(ctx context.Context, model string, number int64) (Version, error)
	// List returns the versions of a model by rising number; none is not an
	// error. A version that is still being written is not in it. What never
	// changes of a version is read once and remembered, so that listing again
	// is cheap: Watch lists every few seconds.
	List(ctx context.Context, model string) ([]Version, error)
	// SetLifecycle changes a lifecycle from one value to another and leaves an
	// audit line that says by whom and why. It returns ErrConflict, and changes
	// nothing, when the lifecycle is not from; of several callers at once one
	// wins. It returns ErrInvalid for a change that CheckTransition refuses.
	SetLifecycle(ctx context.Context, model string, number int64, from, to v1alpha1.Lifecycle, by, reason string) error
	// Models returns the names of the models that have versions, sorted.
	Models(ctx context.Context) ([]string, error)
	// Delete removes a version for good. Its number is not given again; who
	// deleted it, when and why is kept where the store has a place for it (see
	// DeletionLog). It returns ErrConflict, and removes nothing, when the
	// version is live, and ErrNotFound when it is not there. A deletion that
	// died half way is finished by deleting again.
	Delete(ctx context.Context, model string, number int64, by, reason string) error
}

// What a Store's errors wrap.
var (
	// ErrNotFound: no such version.
	ErrNotFound = errors.New("not found")
	// ErrConflict: somebody else was first.
	ErrConflict = errors.New("conflict")
	// ErrInvalid: what was asked for is wrong; asking again is no use.
	ErrInvalid = errors.New("invalid")
	// ErrTooLarge: the version is beyond the store's limit.
	ErrTooLarge = errors.New("too large")
	// ErrForbidden: the store does not allow it to this user.
	ErrForbidden = errors.New("forbidden")
	// ErrUnreachable: the store did not answer; asking again may help.
	ErrUnreachable = errors.New("unreachable")
)

// Transition gives the audit line of a change of lifecycle for a version as it
// is, or ErrConflict: what SetLifecycle does in stores that write lines. It
// returns ErrInvalid for a change that CheckTransition refuses.
func Transition(from, to v1alpha1.Lifecycle, by, reason string, now func() time.Time) (func(Version) (v1alpha1.AuditLine, error), error) {
	if err := CheckTransition(from, to); err != nil {
		return nil, err
	}
	return func(v Version) (v1alpha1.AuditLine, error) {
		if v.Lifecycle != from {
			return v1alpha1.AuditLine{}, fmt.Errorf("version %d of %s: %w: it is %s, not %s", v.Number, v.Model, ErrConflict, v.Lifecycle, from)
		}
		return v1alpha1.AuditLine{Time: metav1.NewMicroTime(now()), From: from, To: to, By: by, Reason: reason}, nil
	}, nil
}

// CheckTransition says whether a lifecycle may change so. A rejected or retired
// version does not go live: it must be made registered again first, which
// leaves its own audit line.
func CheckTransition(from, to v1alpha1.Lifecycle) error {
	known := func(l v1alpha1.Lifecycle) bool {
		switch l {
		case v1alpha1.Registered, v1alpha1.Live, v1alpha1.Rejected, v1alpha1.Retired:
			return true
		}
		return false
	}
	switch {
	case !known(from):
		return fmt.Errorf("%w: lifecycle %q is not one of registered, live, rejected, retired", ErrInvalid, from)
	case !known(to):
		return fmt.Errorf("%w: lifecycle %q is not one of registered, live, rejected, retired", ErrInvalid, to)
	case from == to:
		return fmt.Errorf("%w: lifecycle is to change from %s to itself", ErrInvalid, from)
	case to == v1alpha1.Live && from != v1alpha1.Registered:
		return fmt.Errorf("%w: a %s version can't go live; make it registered first", ErrInvalid, from)
	}
	return nil
}

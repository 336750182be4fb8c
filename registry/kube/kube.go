package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/seen"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Labels of a ModelVersion object. They help people to select; what counts is
// the spec.
const (
	// LabelModel is the name of the model.
	LabelModel = "leeway.dev/model"
	// LabelKey is the beginning of the key of what was registered for a
	// decision; registry.Key has the whole.
	LabelKey = "leeway.dev/registration"
)

// AnnotationCreated holds the time of registration of a version that was copied
// from another store; the object itself is younger.
const AnnotationCreated = "leeway.dev/created"

// Store is a registry in a namespace. It implements registry.Store,
// registry.Watcher, registry.DeletionLog and registry.Importer.
type Store struct {
	client    client.WithWatch
	namespace string
	now       func() time.Time

	unselective atomic.Bool // the server can't select by the model
	shared      shared
	known       *seen.Cache[registry.Version]
}

var (
	_ registry.Importer    = (*Store)(nil)
	_ registry.DeletionLog = (*Store)(nil)
	_ registry.Watcher     = (*Store)(nil)
)

// New returns the registry in a namespace. The client must read from the server,
// not from a cache, and its scheme must know ModelVersion and ConfigMap. now
// gives the time of changes.
func New(c client.WithWatch, namespace string, now func() time.Time) *Store {
	return &Store{client: c, namespace: namespace, now: now, known: seen.New[registry.Version](remembered)}
}

// Get implements registry.Store.
func (s *Store) Get(ctx context.Context, model string, number int64) (registry.Version, error) {
	if err := registry.ValidateModel(model); err != nil {
		return registry.Version{}, err
	}
	o, err := s.get(ctx, model, number)
	if err != nil {
		return registry.Version{}, err
	}
	return version(o), nil
}

// Models implements registry.Store. It reads names alone, which say the model.
func (s *Store) Models(ctx context.Context) ([]string, error) {
	names, err := s.names(ctx, "")
	if err != nil {
		return nil, err
	}
	var models []string
	for _, name := range names {
		if model, _, ok := cutName(name); ok {
			models = append(models, model)
		}
	}
	slices.Sort(models)
	return slices.Compact(models), nil
}

func (s *Store) get(ctx context.Context, model string, number int64) (*v1alpha1.ModelVersion, error) {
	o := &v1alpha1.ModelVersion{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: Name(model, number)}, o)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("version %d of %s in namespace %s: %w", number, model, s.namespace, registry.ErrNotFound)
	}
	if err != nil {
		return nil, s.explain(err, "get modelversions")
	}
	if o.Spec.Model != model || o.Spec.Version != number {
		return nil, fmt.Errorf("modelversion %s/%s: %w: its spec says version %d of %q", s.namespace, o.Name, errMisnamed, o.Spec.Version, o.Spec.Model)
	}
	return o, nil
}

// errMisnamed: an object that was made by hand, and is no version.
var errMisnamed = fmt.Errorf("%w: it is no version by its name", registry.ErrInvalid)

// Name of the object that is a version.
func Name(model string, number int64) string {
	return model + "-" + strconv.FormatInt(number, 10)
}

// cutName is Name the other way round.
func cutName(name string) (model string, number int64, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 1 {
		return "", 0, false
	}
	number, err := strconv.ParseInt(name[i+1:], 10, 64)
	if err != nil || number < 1 || Name(name[:i], number) != name || registry.ValidateModel(name[:i]) != nil {
		return "", 0, false
	}
	return name[:i], number, true
}

func version(o *v1alpha1.ModelVersion) registry.Version {
	return registry.Version{
		Model:     o.Spec.Model,
		Number:    o.Spec.Version,
		Created:   created(o),
		Spec:      o.Spec,
		Lifecycle: lifecycle(o),
		Reason:    o.Status.Reason,
		Audit:     o.Status.Audit,
	}
}

func created(o *v1alpha1.ModelVersion) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, o.Annotations[AnnotationCreated]); err == nil {
		return t.UTC()
	}
	return o.CreationTimestamp.UTC()
}

// lifecycle of a version that nobody has changed yet is registered: to write
// that down would need a right to write statuses.
func lifecycle(o *v1alpha1.ModelVersion) v1alpha1.Lifecycle {
	return cmp.Or(o.Status.Lifecycle, v1alpha1.Registered)
}

// explain says what an answer of the API server means to the user of a
// registry, and what to do.
func (s *Store) explain(err error, verb string) error {
	where := "registry kube:" + s.namespace
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %s: %w: %w", where, verb, registry.ErrUnreachable, err)
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return fmt.Errorf("%s: %w: the cluster has no ModelVersions; install Leeway's custom resources: %w", where, registry.ErrUnreachable, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: %w: you may not %s here; ask for a RoleBinding that allows it: %w", where, registry.ErrForbidden, verb, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: %w: log in to the cluster again: %w", where, registry.ErrForbidden, err)
	case apierrors.IsRequestEntityTooLargeError(err):
		return fmt.Errorf("%s: %w: keep this model's versions in a registry s3://bucket/prefix: %w", where, registry.ErrTooLarge, err)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return fmt.Errorf("%s: %w: %w", where, registry.ErrInvalid, err)
	}
	return fmt.Errorf("%s: %s: %w: %w", where, verb, registry.ErrUnreachable, err)
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
)

// A controller that is to register for others, by its HTTP API, needs these
// rights in their namespaces, as every registrar does.
//
// +kubebuilder:rbac:groups=leeway.dev,resources=modelversions,verbs=create;get;list,roleName=leeway-registrar
// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=leeway-numbers,verbs=get;update,roleName=leeway-registrar

// models serves the registries of all namespaces.
func (r *controller) models() (http.Handler, error) {
	return api.New(api.Config{
		Open: func(_ context.Context, namespace string, _ api.Verb) (registry.Store, error) {
			if namespace == "" {
				return nil, &registry.FieldError{Field: "namespace", Err: fmt.Errorf("%w: say in which namespace the model is, with ?namespace=", registry.ErrInvalid)}
			}
			return r.store(namespace)
		},
		Authorize: func(req *http.Request, namespace string, verb api.Verb) error {
			return authorized(r.authority.Versions(req, namespace, string(verb)))
		},
		Failed: func(req *http.Request, err error) {
			r.Logger.Warn("registry request failed", zap.String("method", req.Method), zap.String("path", req.URL.Path), zap.Error(err))
		},
	})
}

// authorized says what a refusal means to the API.
func authorized(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, auth.ErrUnauthenticated):
		return refused{err, api.ErrUnauthenticated}
	case errors.Is(err, auth.ErrForbidden):
		return refused{err, registry.ErrForbidden}
	}
	return refused{err, registry.ErrUnreachable}
}

// refused is an error that is another one, too.
type refused struct {
	error
	is error
}

func (r refused) Unwrap() []error { return []error{r.error, r.is} }

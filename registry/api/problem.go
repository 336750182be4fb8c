package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/leeway-dev/leeway/registry"
)

// ErrUnauthenticated is for Config.Authorize: there is no token, or it is none
// of Leeway's.
var ErrUnauthenticated = errors.New("unauthenticated")

// refusal is an error that knows its answer.
type refusal struct {
	status int
	reason Reason
	field  string
	error
}

func (r *refusal) Unwrap() error { return r.error }

func refuse(status int, reason Reason, field, format string, a ...any) error {
	return &refusal{status, reason, field, fmt.Errorf(format, a...)}
}

func invalid(field, format string, a ...any) error {
	return refuse(http.StatusUnprocessableEntity, Invalid, field, format, a...)
}

// problem is how an error is answered.
func problem(err error) Problem {
	p := Problem{Detail: err.Error()}
	var (
		r     *refusal
		field *registry.FieldError
		limit *http.MaxBytesError
	)
	if errors.As(err, &field) {
		p.Field = field.Field
	}
	switch {
	case errors.As(err, &limit):
		p.Status, p.Reason = http.StatusRequestEntityTooLarge, TooLarge
		p.Detail = fmt.Sprintf("the body has more than %d bytes", limit.Limit)
	case errors.As(err, &r):
		p.Status, p.Reason, p.Field = r.status, r.reason, r.field
	case errors.Is(err, ErrUnauthenticated):
		p.Status, p.Reason = http.StatusUnauthorized, Unauthenticated
	case errors.Is(err, registry.ErrForbidden):
		p.Status, p.Reason = http.StatusForbidden, Forbidden
	case errors.Is(err, registry.ErrNoProfile):
		p.Status, p.Reason = http.StatusNotFound, NoProfile
	case errors.Is(err, registry.ErrNotFound):
		p.Status, p.Reason = http.StatusNotFound, NotFound
	case errors.Is(err, registry.ErrConflict):
		p.Status, p.Reason = http.StatusConflict, Conflict
	case errors.Is(err, registry.ErrTooLarge):
		p.Status, p.Reason = http.StatusRequestEntityTooLarge, TooLarge
	case errors.Is(err, registry.ErrInvalid), errors.Is(err, registry.ErrNoRows):
		p.Status, p.Reason = http.StatusUnprocessableEntity, Invalid
	case errors.Is(err, registry.ErrUnreachable):
		p.Status, p.Reason = http.StatusServiceUnavailable, Unavailable
	default:
		p.Status, p.Reason = http.StatusInternalServerError, Internal
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// refuse answers with what went wrong.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problem(err)
	if p.Status >= http.StatusInternalServerError && r.Context().Err() == nil {
		h.Failed(r, err)
	}
	head := w.Header()
	head.Del("ETag")
	head.Set("Content-Type", MediaType)
	head.Set("Cache-Control", "no-store")
	switch p.Status {
	case http.StatusUnauthorized:
		head.Set("WWW-Authenticate", `Bearer realm="leeway"`)
	case http.StatusServiceUnavailable:
		head.Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client may be gone
}

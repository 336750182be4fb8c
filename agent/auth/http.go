package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// maxToken bounds what is sent on to the API server.
const maxToken = 16 << 10

type identityKey struct{}

// From is the identity of a request that came through one of the handlers below;
// nil without one.
func From(ctx context.Context) *Identity {
	id, _ := ctx.Value(identityKey{}).(*Identity)
	return id
}

func identity(ctx context.Context) (*Identity, error) {
	if id := From(ctx); id != nil {
		return id, nil
	}
	return nil, fmt.Errorf("%w: no identity", ErrUnauthenticated)
}

// Authenticated lets every valid token through. What it may do has to be asked
// later, as for feedback, where it depends on the body.
func (a *Authority) Authenticated(next http.Handler) http.Handler {
	return a.require("feedback", next, func(*http.Request, *Identity) error { return nil })
}

// Queries guards the query API.
func (a *Authority) Queries(next http.Handler) http.Handler {
	return a.require("queries", next, func(r *http.Request, id *Identity) error {
		if id.role == controller {
			return nil
		}
		return a.allowed(r.Context(), id, right{verb: "get", resource: "modelguards"})
	})
}

// Snapshots guards the copies of the whole storage: they are for the other replica.
func (a *Authority) Snapshots(next http.Handler) http.Handler {
	return a.require("snapshots", next, func(_ *http.Request, id *Identity) error {
		if id.role != controller {
			return fmt.Errorf("%w: %s is no controller of Leeway's and may not copy the storage", ErrForbidden, id.User)
		}
		return nil
	})
}

// Writes guards remote write. AdmitSeries has to be asked for each series.
func (a *Authority) Writes(next http.Handler) http.Handler {
	return a.require("writes", next, func(_ *http.Request, id *Identity) error {
		if id.role == outsider {
			return fmt.Errorf("%w: %s is not one of Leeway's agents and may not write samples", ErrForbidden, id.User)
		}
		return nil
	})
}

func (a *Authority) require(what string, next http.Handler, may func(*http.Request, *Identity) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := a.sender(r)
		if err == nil {
			if err = may(r, id); err == nil {
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, id)))
				return
			}
		}
		Refuse(w, a.count(what, err))
	})
}

// sender says whose token a request has.
func (a *Authority) sender(r *http.Request) (*Identity, error) {
	token, err := bearer(r)
	if err != nil {
		return nil, err
	}
	return a.Identify(r.Context(), token)
}

func bearer(r *http.Request) (string, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	switch {
	case !strings.EqualFold(scheme, "Bearer") || token == "":
		return "", fmt.Errorf("%w: send a Kubernetes token for the audience %q in the header Authorization: Bearer …", ErrUnauthenticated, Audience)
	case len(token) > maxToken:
		return "", fmt.Errorf("%w: the token is longer than %d bytes", ErrUnauthenticated, maxToken)
	}
	return token, nil
}

// Status is the HTTP status of a refusal.
func Status(err error) int {
	switch {
	case errors.Is(err, ErrUnauthenticated):
		return http.StatusUnauthorized
	case errors.Is(err, ErrForbidden):
		return http.StatusForbidden
	default:
		return http.StatusServiceUnavailable
	}
}

// Refuse answers with the refusal, one sentence of text.
func Refuse(w http.ResponseWriter, err error) {
	code := Status(err)
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="leeway"`)
	}
	http.Error(w, err.Error(), code)
}

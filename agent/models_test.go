package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/leeway-dev/leeway/agent/auth"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
)

// What the API server says of a token is what the registry's API answers.
func TestRefusalsOfTheAuthority(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		reason api.Reason
	}{
		{nil, http.StatusOK, ""},
		{fmt.Errorf("%w: no token", auth.ErrUnauthenticated), http.StatusUnauthorized, api.Unauthenticated},
		{fmt.Errorf("%w: bob may not", auth.ErrForbidden), http.StatusForbidden, api.Forbidden},
		{fmt.Errorf("%w: access review", auth.ErrUnavailable), http.StatusServiceUnavailable, api.Unavailable},
	} {
		h, err := api.New(api.Config{
			Open:      func(context.Context, string, api.Verb) (registry.Store, error) { return noModels{}, nil },
			Authorize: func(*http.Request, string, api.Verb) error { return authorized(tt.err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/leeway/v1/models", nil))
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != tt.status || p.Reason != tt.reason {
			t.Errorf("%v: got %d: %s, %v", tt.err, w.Code, w.Body, err)
		}
		if tt.err != nil && (p.Detail != tt.err.Error() || !errors.Is(authorized(tt.err), tt.err)) {
			t.Errorf("%v: it says %q", tt.err, p.Detail)
		}
	}
}

// noModels is an empty registry.
type noModels struct{ registry.Store }

// Models implements registry.Store.
func (noModels) Models(context.Context) ([]string, error) { return nil, nil }

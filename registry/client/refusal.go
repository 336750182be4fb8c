package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
)

// problem makes an error of an answer that is no success.
func (c *Client) problem(w *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(w.Body, maxProblem))
	var p api.Problem
	kind, _, _ := mime.ParseMediaType(w.Header.Get("Content-Type"))
	if kind != api.MediaType || json.Unmarshal(text, &p) != nil || p.Reason == "" {
		p = api.Problem{Detail: strings.TrimSpace(string(text[:min(len(text), 200)]))}
	}
	err := fmt.Errorf("registry %s: %s: %w", c.where(), w.Status, &Refusal{Status: w.StatusCode, Problem: p})
	switch w.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &passing{err, true}
	case http.StatusTooManyRequests:
		return &passing{err, false}
	}
	return err
}

// Refusal is an answer that is no success. It wraps the registry's own error
// that says the same, if there is one.
type Refusal struct {
	// Status of HTTP.
	Status int
	// Problem is what the server says; without Reason when it was no API of
	// Leeway's that answered.
	Problem api.Problem
}

// Error is what the server says.
func (r *Refusal) Error() string {
	if r.Problem.Detail == "" {
		return "no more was said"
	}
	return r.Problem.Detail
}

// Unwrap returns the registry's error.
func (r *Refusal) Unwrap() error {
	switch r.Problem.Reason {
	case api.NotFound:
		return registry.ErrNotFound
	case api.NoProfile:
		return registry.ErrNoProfile
	case api.Conflict:
		return registry.ErrConflict
	case api.TooLarge:
		return registry.ErrTooLarge
	case api.Unauthenticated, api.Forbidden:
		return registry.ErrForbidden
	case api.BadRequest, api.Invalid, api.UnsupportedMedia, api.MethodNotAllowed:
		return registry.ErrInvalid
	}
	switch {
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusForbidden:
		return registry.ErrForbidden
	case r.Status == http.StatusTooManyRequests, r.Status >= http.StatusInternalServerError:
		return registry.ErrUnreachable
	}
	return registry.ErrInvalid
}

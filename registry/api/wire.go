package api

import (
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// Version is one version as the API shows it: what a ModelVersion object holds,
// without the profile's bytes.
type Version struct {
	// Created is when the version was registered.
	Created time.Time                   `json:"created"`
	Spec    Spec                        `json:"spec"`
	Status  v1alpha1.ModelVersionStatus `json:"status"`
}

// Spec never changes. Of the profile it has the digest; the bytes have a path of
// their own.
type Spec struct {
	v1alpha1.ModelVersionSpec
	Profile *ProfileDigest `json:"profile,omitempty"`
}

// ProfileDigest names a profile by its content.
type ProfileDigest struct {
	// Digest is "sha256:" and 64 hexadecimal digits of the profile's bytes.
	Digest string `json:"digest"`
}

// Model is one model that has versions.
type Model struct {
	Name string `json:"name"`
}

// Page of models or versions.
type Page[T any] struct {
	Items []T `json:"items"`
	// Continue asks for the next page; empty on the last one.
	Continue string `json:"continue,omitempty"`
}

// MediaType is that of Problem.
const MediaType = "application/problem+json"

// Problem is every answer that is no success: problem details as RFC 9457 has
// them, with two members more.
type Problem struct {
	// Title is what the status means.
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail says what was wrong, where, and what to do.
	Detail string `json:"detail"`
	// Reason is the word for it.
	Reason Reason `json:"reason"`
	// Field is the path of what is wrong in the body, or the name of the query
	// parameter, where it is one.
	Field string `json:"field,omitempty"`
}

// Reason is the word for why a request failed.
type Reason string

// Why a request failed.
const (
	BadRequest       Reason = "bad_request"            // 400: can't be read
	Unauthenticated  Reason = "unauthenticated"        // 401: no token, or not a valid one
	Forbidden        Reason = "forbidden"              // 403: not allowed here, by the token or to the server
	NotFound         Reason = "not_found"              // 404: no such version, or no such path
	NoProfile        Reason = "no_profile"             // 404: the version was registered without one
	MethodNotAllowed Reason = "method_not_allowed"     // 405
	Conflict         Reason = "conflict"               // 409: somebody else was first
	TooLarge         Reason = "too_large"              // 413: beyond the API's or the store's limit
	UnsupportedMedia Reason = "unsupported_media_type" // 415: another content type or encoding
	Invalid          Reason = "invalid"                // 422: can be read, but is wrong
	Internal         Reason = "internal"               // 500
	Unavailable      Reason = "unavailable"            // 503: try again
)

func wireVersion(v registry.Version) Version {
	w := Version{
		Created: v.Created.UTC(),
		Spec:    Spec{ModelVersionSpec: v.Spec},
		Status:  v1alpha1.ModelVersionStatus{Lifecycle: v.Lifecycle, Reason: v.Reason, Audit: v.Audit},
	}
	if v.Spec.Profile != nil {
		w.Spec.Profile = &ProfileDigest{Digest: v.Spec.Profile.Digest}
	}
	w.Spec.ModelVersionSpec.Profile = nil
	return w
}

// Registry returns the version as a Store would, but for its profile.
func (v Version) Registry() registry.Version {
	return registry.Version{
		Model: v.Spec.Model, Number: v.Spec.Version, Created: v.Created, Spec: v.Spec.ModelVersionSpec,
		Lifecycle: v.Status.Lifecycle, Reason: v.Status.Reason, Audit: v.Status.Audit,
	}
}

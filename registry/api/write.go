package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// register keeps a new version. The answer is 201, or 200 where the version was
// there already: the same content for the same decision.
func (h *handler) register(w http.ResponseWriter, r *http.Request) error {
	s, err := h.open(r, Create)
	if err != nil {
		return err
	}
	release, err := h.holdBody(r.Context())
	if err != nil {
		return err
	}
	defer release()
	spec, err := h.readSpec(w, r)
	if err != nil {
		return err
	}
	if model := r.PathValue("model"); spec.Model == "" {
		spec.Model = model
	} else if spec.Model != model {
		return invalid("model", "the spec is of model %.70q, the path says %s", spec.Model, model)
	}
	there, err := h.isThere(r, spec)
	if err != nil {
		return err
	}
	v, err := s.Register(r.Context(), spec)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", r.URL.EscapedPath()+"/"+strconv.FormatInt(v.Number, 10)+query(r))
	if !there {
		w.WriteHeader(http.StatusCreated)
	}
	_ = json.NewEncoder(w).Encode(wireVersion(v)) // the client may be gone
	return nil
}

func query(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return "?" + r.URL.RawQuery
}

// isThere says whether a registration repeats one. It is for the answer alone:
// of two at once, which register one version, both may be told that they did.
func (h *handler) isThere(r *http.Request, spec v1alpha1.ModelVersionSpec) (bool, error) {
	if err := registry.Validate(spec); err != nil {
		return false, err
	}
	key, err := registry.Key(spec)
	if err != nil || key == "" {
		return false, err
	}
	s, err := h.Open(r.Context(), r.URL.Query().Get("namespace"), List)
	if err != nil {
		return false, err
	}
	versions, err := s.List(r.Context(), spec.Model)
	if err != nil {
		return false, err
	}
	for _, v := range versions {
		if v.Spec.Lineage.Decision != spec.Lineage.Decision {
			continue
		}
		if k, err := registry.KeyOf(v); err == nil && k == key {
			return true, nil
		}
	}
	return false, nil
}

// match ranks the versions by how near their training data is to the live
// profile in the body.
func (h *handler) match(w http.ResponseWriter, r *http.Request) error {
	var (
		q   = r.URL.Query()
		o   registry.MatchOptions
		err error
	)
	if o.Tolerance, err = registry.ParseTolerance(q.Get("tolerance")); err != nil {
		return invalid("tolerance", "%w", err)
	}
	if live := q.Get("live"); live != "" {
		if o.Live, err = registry.ParseNumber(live); err != nil {
			return invalid("live", "%w", err)
		}
	}
	s, err := h.open(r, List)
	if err != nil {
		return err
	}
	release, err := h.holdBody(r.Context())
	if err != nil {
		return err
	}
	defer release()
	body, err := h.body(w, r)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return unreadable(err)
	}
	live, err := profile.Parse(b)
	if err != nil {
		return invalid("", "live profile: %w", err)
	}
	versions, err := s.List(r.Context(), r.PathValue("model"))
	if err != nil {
		return err
	}
	key := matcherKey{q.Get("namespace"), r.PathValue("model")}
	result, err := h.matchers.of(key, time.Now()).match(versions, live, o)
	if err != nil {
		return err
	}
	result.Model = r.PathValue("model")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(result) // the client may be gone
	return nil
}

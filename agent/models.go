package agent

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
)

// models serves the registry, read-only, to node agents and to people:
//
//	GET /leeway/v1/models/{model}/versions?namespace=NS
//	GET /leeway/v1/models/{model}/versions/{version}?namespace=NS
//	GET /leeway/v1/models/{model}/versions/{version}/profile?namespace=NS
type models struct {
	store func(namespace string) (registry.Store, error)
}

func (m models) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /leeway/v1/models/{model}/versions", m.versions)
	mux.HandleFunc("GET /leeway/v1/models/{model}/versions/{version}", m.version)
	mux.HandleFunc("GET /leeway/v1/models/{model}/versions/{version}/profile", m.profile)
	return mux
}

func (m models) versions(w http.ResponseWriter, r *http.Request) {
	store, err := m.store(r.URL.Query().Get("namespace"))
	if err != nil {
		refuse(w, err)
		return
	}
	list, err := store.List(r.Context(), r.PathValue("model"))
	if err != nil {
		refuse(w, err)
		return
	}
	for i := range list {
		list[i].Spec.Profile = nil // each is large, and has a path of its own
	}
	answer(w, list)
}

func (m models) get(r *http.Request) (registry.Version, error) {
	store, err := m.store(r.URL.Query().Get("namespace"))
	if err != nil {
		return registry.Version{}, err
	}
	number, err := registry.ParseNumber(r.PathValue("version"))
	if err != nil {
		return registry.Version{}, err
	}
	return store.Get(r.Context(), r.PathValue("model"), number)
}

func (m models) version(w http.ResponseWriter, r *http.Request) {
	v, err := m.get(r)
	if err != nil {
		refuse(w, err)
		return
	}
	v.Spec.Profile = nil
	answer(w, v)
}

// profile answers with the exact bytes that were registered, so that they have
// the digest that the pods are stamped with.
func (m models) profile(w http.ResponseWriter, r *http.Request) {
	v, err := m.get(r)
	if err != nil {
		refuse(w, err)
		return
	}
	_, b, err := v.Profile()
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", `"`+profile.Digest(b)+`"`)
	w.Write(b)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	switch {
	case errors.Is(err, registry.ErrNotFound), errors.Is(err, registry.ErrNoProfile):
		code = http.StatusNotFound
	case errors.Is(err, registry.ErrInvalid):
		code = http.StatusBadRequest
	case errors.Is(err, registry.ErrForbidden):
		code = http.StatusForbidden
	case errors.Is(err, registry.ErrUnreachable):
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

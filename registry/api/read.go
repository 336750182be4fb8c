package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

func (h *handler) models(w http.ResponseWriter, r *http.Request) error {
	p, err := parsePage(r.URL.Query())
	if err != nil {
		return err
	}
	s, err := h.open(r, List)
	if err != nil {
		return err
	}
	names, err := s.Models(r.Context())
	if err != nil {
		return err
	}
	first, there := slices.BinarySearch(names, p.after)
	if there {
		first++
	}
	names, next := cut(names[first:], p.limit, func(name string) string { return name })
	models := Page[Model]{Items: make([]Model, 0, len(names)), Continue: next}
	for _, name := range names {
		models.Items = append(models.Items, Model{Name: name})
	}
	return answer(w, r, models)
}

func (h *handler) versions(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	p, err := parsePage(q)
	if err != nil {
		return err
	}
	var after int64
	if p.after != "" {
		if after, err = strconv.ParseInt(p.after, 10, 64); err != nil {
			return badToken()
		}
	}
	wanted, err := lifecycles(q.Get("lifecycle"))
	if err != nil {
		return err
	}
	s, err := h.open(r, List)
	if err != nil {
		return err
	}
	all, err := s.List(r.Context(), r.PathValue("model"))
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(v registry.Version) bool {
		return v.Number <= after || len(wanted) > 0 && !slices.Contains(wanted, v.Lifecycle)
	})
	page, err := versionPage(all, p.limit)
	if err != nil {
		return err
	}
	return answer(w, r, page)
}

// lifecycles reads a list with commas; none means all.
func lifecycles(s string) (wanted []v1alpha1.Lifecycle, err error) {
	if s == "" {
		return nil, nil
	}
	for _, one := range strings.Split(s, ",") {
		l := v1alpha1.Lifecycle(one)
		switch l {
		case v1alpha1.Registered, v1alpha1.Live, v1alpha1.Rejected, v1alpha1.Retired:
			wanted = append(wanted, l)
		default:
			return nil, invalid("lifecycle", "lifecycle %.20q is not one of registered, live, rejected, retired", one)
		}
	}
	return wanted, nil
}

func (h *handler) get(r *http.Request) (registry.Version, error) {
	s, err := h.open(r, Get)
	if err != nil {
		return registry.Version{}, err
	}
	number, err := registry.ParseNumber(r.PathValue("version"))
	if err != nil {
		return registry.Version{}, err
	}
	return s.Get(r.Context(), r.PathValue("model"), number)
}

func (h *handler) version(w http.ResponseWriter, r *http.Request) error {
	v, err := h.get(r)
	if err != nil {
		return err
	}
	return answer(w, r, wireVersion(v))
}

// profile answers with the exact bytes that were registered, so that they have
// the digest that the pods are stamped with. What is not in the form of today is
// served all the same: a reader has to check it anyway.
func (h *handler) profile(w http.ResponseWriter, r *http.Request) error {
	v, err := h.get(r)
	if err != nil {
		return err
	}
	if v.Spec.Profile == nil {
		_, _, err := v.Profile() // says so
		return err
	}
	// A version never changes, and its number is not given again.
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	if notModified(w, r, v.Spec.Profile.Digest) {
		return nil
	}
	b, err := registry.Unpack(*v.Spec.Profile)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // the client may be gone
	return nil
}

// answer writes what may change: it is to be asked for again, which costs
// little while it is the same.
func answer(w http.ResponseWriter, r *http.Request, v any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return err
	}
	sum := sha256.Sum256(b.Bytes())
	w.Header().Set("Cache-Control", "private, no-cache")
	if notModified(w, r, hex.EncodeToString(sum[:16])) {
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b.Bytes())
	return nil
}

// notModified sets the ETag, and answers with 304 when the client has this
// content. The tag is weak, as the bytes on the wire may be compressed or not.
func notModified(w http.ResponseWriter, r *http.Request, content string) bool {
	tag := `"` + content + `"`
	w.Header().Set("ETag", "W/"+tag)
	for _, known := range strings.Split(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		known = strings.TrimPrefix(strings.TrimSpace(known), "W/")
		if known == tag || known == "*" {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}

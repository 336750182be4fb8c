package api_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

const versionsPath = "/leeway/v1/models/churn/versions"

func TestModelsInPages(t *testing.T) {
	s := start(t, nil)
	for _, model := range []string{"e", "b", "d", "a", "c"} {
		s.register(t, "ml", model, 1)
	}
	s.register(t, "other", "x", 1)
	var got []string
	token := ""
	for page := 0; ; page++ {
		w, b := s.do(t, "GET", "/leeway/v1/models?namespace=ml&limit=2&continue="+token, nil)
		if w.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", w.Status, b)
		}
		list := decode[api.Page[api.Model]](t, b)
		for _, m := range list.Items {
			got = append(got, m.Name)
		}
		if token = list.Continue; token == "" {
			if page != 2 {
				t.Errorf("%d pages of 2 for 5 models", page+1)
			}
			break
		}
	}
	if want := []string{"a", "b", "c", "d", "e"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, b := s.do(t, "GET", "/leeway/v1/models?namespace=none", nil); strings.TrimSpace(string(b)) != `{"items":[]}` {
		t.Errorf("no models: got %s", b)
	}
}

func TestVersionsInPagesAndByLifecycle(t *testing.T) {
	s := start(t, nil)
	s.register(t, "ml", "churn", make([]float64, 12)...) // beyond 9, where names and numbers sort differently
	for n, to := range map[int64]v1alpha1.Lifecycle{2: v1alpha1.Live, 3: v1alpha1.Rejected, 11: v1alpha1.Retired} {
		if err := s.store("ml").SetLifecycle(t.Context(), "churn", n, v1alpha1.Registered, to, "ada", "a reason"); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]string{
		"":                "1 2 3 4 5 6 7 8 9 10 11 12",
		"&limit=5":        "1 2 3 4 5 | 6 7 8 9 10 | 11 12",
		"&limit=12":       "1 2 3 4 5 6 7 8 9 10 11 12",
		"&lifecycle=live": "2",
		"&lifecycle=live,rejected,retired&limit=2": "2 3 | 11",
	} {
		var got []string
		for token := ""; ; {
			w, b := s.do(t, "GET", versionsPath+"?namespace=ml"+query+"&continue="+token, nil)
			if w.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s: %s", query, w.Status, b)
			}
			page := decode[api.Page[api.Version]](t, b)
			for _, v := range page.Items {
				got = append(got, fmt.Sprint(v.Spec.Version))
				if v.Spec.Profile == nil || bytes.Contains(b, []byte("gzip")) {
					t.Errorf("version %d: want the profile's digest, and not its bytes: %.300s", v.Spec.Version, b)
				}
			}
			if token = page.Continue; token == "" {
				break
			}
			got = append(got, "|")
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: got %s, want %s", query, s, want)
		}
	}
	if _, b := s.do(t, "GET", "/leeway/v1/models/none/versions?namespace=ml", nil); strings.TrimSpace(string(b)) != `{"items":[]}` {
		t.Errorf("no versions: got %s", b)
	}
}

func TestVersion(t *testing.T) {
	s := start(t, nil)
	s.register(t, "ml", "churn", 1, 2)
	if err := s.store("ml").SetLifecycle(t.Context(), "churn", 2, v1alpha1.Registered, v1alpha1.Rejected, "ada", "leaked labels"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/2", "/v2"} {
		w, b := s.do(t, "GET", versionsPath+path+"?namespace=ml", nil)
		if w.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", w.Status, b)
		}
		v := decode[api.Version](t, b)
		if v.Spec.Version != 2 || v.Spec.Model != "churn" || v.Created.IsZero() || v.Spec.Profile == nil ||
			v.Status.Lifecycle != v1alpha1.Rejected || len(v.Status.Audit) != 1 || v.Status.Audit[0].By != "ada" {
			t.Errorf("got %s", b)
		}
		again, _ := s.do(t, "GET", versionsPath+path+"?namespace=ml", nil, "If-None-Match", w.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("asked again: %s", again.Status)
		}
	}
	w, _ := s.do(t, "GET", versionsPath+"/2?namespace=ml", nil)
	if err := s.store("ml").SetLifecycle(t.Context(), "churn", 2, v1alpha1.Rejected, v1alpha1.Registered, "ada", "it was the network"); err != nil {
		t.Fatal(err)
	}
	if again, _ := s.do(t, "GET", versionsPath+"/2?namespace=ml", nil, "If-None-Match", w.Header.Get("ETag")); again.StatusCode != http.StatusOK {
		t.Errorf("asked again after a change: %s", again.Status)
	}
}

// The profile's ETag is its digest, it may be kept for ever, and it comes
// compressed to whoever takes that.
func TestProfile(t *testing.T) {
	s := start(t, nil)
	s.register(t, "ml", "churn", 1)
	want, path := training(t, 1), versionsPath+"/1/profile?namespace=ml"
	w, b := s.do(t, "GET", path, nil, "Accept-Encoding", "identity")
	if w.StatusCode != http.StatusOK || profile.Digest(b) != profile.Digest(want) {
		t.Fatalf("%s: %.200s", w.Status, b)
	}
	tag := w.Header.Get("ETag")
	if tag != `W/"`+profile.Digest(want)+`"` || !strings.Contains(w.Header.Get("Cache-Control"), "immutable") ||
		!strings.Contains(w.Header.Get("Vary"), "Accept-Encoding") {
		t.Errorf("headers: %v", w.Header)
	}
	z, packed := s.do(t, "GET", path, nil, "Accept-Encoding", "gzip")
	if z.Header.Get("Content-Encoding") != "gzip" || z.Header.Get("ETag") != tag || len(packed) >= len(want) {
		t.Fatalf("%d bytes of %d, headers: %v", len(packed), len(want), z.Header)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, want) {
		t.Errorf("unpacked: %v, %.200s", err, b)
	}
	for known, status := range map[string]int{
		tag: 304, strings.TrimPrefix(tag, "W/"): 304, `"other", ` + tag: 304, "*": 304,
		`"other"`: 200, profile.Digest(want): 200, "": 200,
	} {
		if w, b := s.do(t, "GET", path, nil, "If-None-Match", known); w.StatusCode != status || status == 304 && len(b) != 0 {
			t.Errorf("If-None-Match %s: got %s, want %d", known, w.Status, status)
		}
	}
	if w, b := s.do(t, "HEAD", path, nil); w.StatusCode != 200 || len(b) != 0 || w.Header.Get("ETag") != tag {
		t.Errorf("HEAD: %s %v", w.Status, w.Header)
	}
}

func TestNoProfile(t *testing.T) {
	s := start(t, nil)
	if _, err := s.store("ml").Register(t.Context(), registrytest.Spec("churn")); err != nil {
		t.Fatal(err)
	}
	w, b := s.do(t, "GET", versionsPath+"/1/profile?namespace=ml", nil)
	p := decode[api.Problem](t, b)
	if w.StatusCode != http.StatusNotFound || p.Reason != api.NoProfile || w.Header.Get("Content-Type") != api.MediaType {
		t.Errorf("%s %v: %s", w.Status, w.Header, b)
	}
	if strings.Contains(w.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("that there is none may be kept for ever: %v", w.Header)
	}
}

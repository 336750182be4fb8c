package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s *server) post(t *testing.T, path string, body []byte, headers ...string) (*http.Response, []byte) {
	t.Helper()
	return s.do(t, "POST", path, body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

func TestRegister(t *testing.T) {
	s := start(t, nil)
	spec := registrytest.Spec("churn")
	var err error
	if spec.Profile, err = registry.Pack(training(t, 1)); err != nil {
		t.Fatal(err)
	}
	spec.Metrics = map[string]string{"mae": "6.4"}
	w, b := s.post(t, versionsPath+"?namespace=ml", mustJSON(t, spec))
	if w.StatusCode != http.StatusCreated || w.Header.Get("Location") != versionsPath+"/1?namespace=ml" {
		t.Fatalf("%s %v: %s", w.Status, w.Header, b)
	}
	if v := decode[api.Version](t, b); v.Spec.Version != 1 || v.Spec.Profile.Digest != spec.Profile.Digest || v.Status.Lifecycle != v1alpha1.Registered {
		t.Errorf("got %s", b)
	}
	v, err := s.store("ml").Get(t.Context(), "churn", 1)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(registry.Numbered(spec, 1), v.Spec); d != "" {
		t.Errorf("registered (-want +got):\n%s", d)
	}
	if got, b := s.do(t, "GET", w.Header.Get("Location"), nil); got.StatusCode != http.StatusOK {
		t.Errorf("Location: %s: %s", got.Status, b)
	}
	if w, b := s.post(t, versionsPath+"?namespace=ml", mustJSON(t, spec)); w.StatusCode != http.StatusCreated || decode[api.Version](t, b).Spec.Version != 2 {
		t.Errorf("again, without a decision: %s: %s", w.Status, b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.asked, "create ml") {
		t.Errorf("asked for %v", s.asked)
	}
}

// The same content for the same decision is the version that is there: 200.
func TestRegisterForADecision(t *testing.T) {
	s := start(t, nil)
	spec := registrytest.Spec("churn")
	spec.Lineage.Decision = "churn-1a2b"
	spec.Evaluations = []v1alpha1.Evaluation{{Dataset: "holdout", Metric: "mae", Value: "6.4"}}
	for i, want := range []struct {
		status  int
		version int64
		mae     string
	}{{201, 1, "6.4"}, {200, 1, "6.4"}, {201, 2, "6.5"}, {200, 1, "6.4"}, {200, 2, "6.5"}} {
		spec.Evaluations[0].Value = want.mae
		w, b := s.post(t, versionsPath, mustJSON(t, spec))
		if w.StatusCode != want.status || decode[api.Version](t, b).Spec.Version != want.version {
			t.Errorf("request %d: %s: %s; want %d and version %d", i+1, w.Status, b, want.status, want.version)
		}
	}
}

// form is a multipart body and its content type; parts are names and texts.
func form(t *testing.T, parts ...string) ([]byte, string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := m.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q`, parts[i])}, "Content-Type": {"application/json"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(parts[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), m.FormDataContentType()
}

func TestRegisterByForm(t *testing.T) {
	s := start(t, nil)
	p := training(t, 1)
	body, kind := form(t, "spec", `{"artifact": {"uri": "s3://models/churn/1"}}`, "profile", string(p))
	w, b := s.do(t, "POST", versionsPath, body, "Content-Type", kind)
	if w.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s", w.Status, b)
	}
	v, err := s.store("").Get(t.Context(), "churn", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, got, err := v.Profile(); err != nil || !bytes.Equal(got, p) {
		t.Errorf("the profile did not come back: %v", err)
	}
	for name, tt := range map[string]struct {
		parts []string
		field string
		says  string
	}{
		"no spec":              {[]string{"profile", string(p)}, "spec", "no part spec"},
		"twice":                {[]string{"spec", "{}", "spec", "{}"}, "spec", "want one spec"},
		"another part":         {[]string{"spec", "{}", "model", "x"}, "model", "want one spec"},
		"a profile that isn't": {[]string{"spec", `{"artifact": {"uri": "x"}}`, "profile", "{}"}, "profile", "not a valid profile"},
		"two profiles":         {[]string{"spec", `{"artifact": {"uri": "x"}, "profile": {"digest": "", "gzip": ""}}`, "profile", string(p)}, "profile", "one beside it"},
	} {
		body, kind := form(t, tt.parts...)
		w, b := s.do(t, "POST", versionsPath, body, "Content-Type", kind)
		if p := decode[api.Problem](t, b); w.StatusCode != 422 || p.Reason != api.Invalid || p.Field != tt.field || !strings.Contains(p.Detail, tt.says) {
			t.Errorf("%s: %s: %s", name, w.Status, b)
		}
	}
}

func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

func TestMatch(t *testing.T) {
	s := start(t, nil)
	s.register(t, "ml", "churn", 0, 20, 40)
	now := encode(t, live(t, 20.5))
	path := "/leeway/v1/models/churn/match?namespace=ml"
	for name, headers := range map[string][]string{"plain": nil, "gzip": {"Content-Encoding", "gzip"}} {
		body := now
		if name == "gzip" {
			body = zipped(t, now)
		}
		w, b := s.post(t, path+"&live=3&tolerance=0.3", body, headers...)
		if w.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s: %s", name, w.Status, b)
		}
		r := decode[registry.Result](t, b)
		if r.Model != "churn" || r.Live != "3" || r.Best != "2" || len(r.Candidates) != 3 || r.Candidates[0].Tolerance != 0.3 {
			t.Errorf("%s: got %s", name, b)
		}
		versions, err := s.store("ml").List(t.Context(), "churn")
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.Parse(now)
		if err != nil {
			t.Fatal(err)
		}
		want, err := registry.Match(versions, p, registry.MatchOptions{Live: 3, Tolerance: 0.3})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(mustJSON(t, want)), strings.TrimSpace(string(b))); d != "" {
			t.Errorf("%s: not what registry.Match says (-want +got):\n%s", name, d)
		}
	}
	if w, b := s.post(t, "/leeway/v1/models/none/match?namespace=ml", now); w.StatusCode != 200 || decode[registry.Result](t, b).Model != "none" {
		t.Errorf("a model without versions: %s: %s", w.Status, b)
	}

	// What is kept for the next request is that of this namespace and of now.
	s.register(t, "other", "churn", 0, 60)
	if w, b := s.post(t, "/leeway/v1/models/churn/match?namespace=other", now); w.StatusCode != 200 || len(decode[registry.Result](t, b).Candidates) != 2 {
		t.Errorf("another namespace: %s: %s", w.Status, b)
	}
	s.register(t, "ml", "churn", 20.4)
	if w, b := s.post(t, path, now); w.StatusCode != 200 || len(decode[registry.Result](t, b).Candidates) != 4 {
		t.Errorf("one more version: %s: %s", w.Status, b)
	}
}

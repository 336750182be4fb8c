package api_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/dir"
)

// Whatever is posted is taken or refused, with a reason: it is never our fault.
func FuzzRegister(f *testing.F) {
	f.Add([]byte(`{"artifact": {"uri": "s3://models/churn/1"}}`), "application/json", "", "namespace=ml")
	f.Add([]byte(`{"model": "churn", "dataset": {"from": "2026-01-01T00:00:00Z"}, "evaluations": [{"version": 0}]}`), "application/json", "", "limit=3")
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=spec\r\n\r\n{}\r\n--x--\r\n"), "multipart/form-data; boundary=x", "", "")
	f.Add([]byte("\x1f\x8b\x08\x00"), "application/json", "gzip", "")
	store := dir.New(f.TempDir(), time.Now)
	h, err := api.New(api.Config{
		Open:      func(context.Context, string, api.Verb) (registry.Store, error) { return store, nil },
		Authorize: func(*http.Request, string, api.Verb) error { return nil },
		MaxBody:   1 << 16,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, kind, encoding, query string) {
		r := httptest.NewRequest(http.MethodPost, versionsPath, bytes.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Content-Encoding", encoding)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch {
		case w.Code >= 500:
			t.Errorf("%d: %s", w.Code, w.Body)
		case w.Code >= 300:
			if p := decode[api.Problem](t, w.Body.Bytes()); p.Reason == "" || strings.TrimSpace(p.Detail) == "" {
				t.Errorf("refused without a word: %s", w.Body)
			}
		}
	})
}

// The same of what is asked for.
func FuzzQuery(f *testing.F) {
	f.Add("namespace=ml&limit=3&continue=MQ&lifecycle=live", "*")
	f.Add("continue=%ff&limit=99999999999999999999", `W/"x", "y"`)
	store := dir.New(f.TempDir(), time.Now)
	h, err := api.New(api.Config{
		Open:      func(context.Context, string, api.Verb) (registry.Store, error) { return store, nil },
		Authorize: func(*http.Request, string, api.Verb) error { return nil },
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query, known string) {
		for _, path := range []string{"/leeway/v1/models", versionsPath} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.URL.RawQuery = query
			r.Header.Set("If-None-Match", known)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusOK && w.Code != http.StatusNotModified && w.Code != http.StatusUnprocessableEntity {
				t.Errorf("%d: %s", w.Code, w.Body)
			}
		}
	})
}

package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/registrytest"
)

// server is the API over a folder for each namespace.
type server struct {
	*httptest.Server
	root        string
	description *description

	mu     sync.Mutex
	asked  []string // what was asked for authorization: "create ml"
	deny   error
	broken error // of every store
	failed []error
}

func start(t *testing.T, change func(*api.Config)) *server {
	t.Helper()
	s := &server{root: t.TempDir(), description: describe(t)}
	c := api.Config{
		Open: func(_ context.Context, namespace string, _ api.Verb) (registry.Store, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.broken != nil {
				return nil, s.broken
			}
			return s.store(namespace), nil
		},
		Authorize: func(_ *http.Request, namespace string, verb api.Verb) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.asked = append(s.asked, fmt.Sprintf("%s %s", verb, namespace))
			return s.deny
		},
		Failed: func(_ *http.Request, err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.failed = append(s.failed, err)
		},
	}
	if change != nil {
		change(&c)
	}
	h, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func (s *server) store(namespace string) *dir.Store {
	return dir.New(s.root+"/"+namespace, time.Now)
}

func (s *server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// live is the profile of live rows whose one number lies around at.
func live(t *testing.T, at float64) *profile.Profile {
	t.Helper()
	r, err := profile.NewRecorder([]profile.Column{{Name: "temp", Type: profile.Number}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r.Lock(noon)
	r.AddRows(200)
	for i := range 200 {
		r.Feature(0).Number(at + float64(i)/20)
	}
	r.Unlock()
	return r.Profile(noon, noon.Add(time.Hour))
}

func encode(t *testing.T, p *profile.Profile) []byte {
	t.Helper()
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// training is the profile of training rows like those of live.
func training(t *testing.T, at float64) []byte {
	t.Helper()
	p, _, err := profile.Adopt(profile.AdoptOptions{}, live(t, at))
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, p)
}

// register keeps versions with profiles around the numbers given.
func (s *server) register(t *testing.T, namespace, model string, at ...float64) {
	t.Helper()
	for _, x := range at {
		spec := registrytest.Spec(model)
		var err error
		if spec.Profile, err = registry.Pack(training(t, x)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.store(namespace).Register(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
}

// do sends a request; headers are pairs.
func (s *server) do(t *testing.T, method, path string, body []byte, headers ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w, err := http.DefaultTransport.RoundTrip(r) // adds and undoes gzip only if nobody asked for it
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if w.Header.Get("Content-Encoding") == "" {
		s.description.check(t, r, body, w, b)
	}
	return w, b
}

// decode reads an answer strictly.
func decode[T any](t testing.TB, b []byte) (v T) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %.300s", err, b)
	}
	return v
}

package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/api"
	"github.com/leeway-dev/leeway/registry/client"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// served is the API over a folder.
type served struct {
	*httptest.Server
	store *dir.Store

	mu       sync.Mutex
	requests []string // "GET /leeway/v1/models 200"
	before   func(w http.ResponseWriter, r *http.Request) (answered bool)
	after    func(w http.ResponseWriter, r *http.Request)
}

func serve(t *testing.T) *served {
	t.Helper()
	s := &served{store: dir.New(t.TempDir(), time.Now)}
	h, err := api.New(api.Config{
		Open:      func(context.Context, string, api.Verb) (registry.Store, error) { return s.store, nil },
		Authorize: func(*http.Request, string, api.Verb) error { return nil },
		AtOnce:    32,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		before, after := s.before, s.after
		s.mu.Unlock()
		seen := &statusWriter{ResponseWriter: w}
		if before == nil || !before(seen, r) {
			if after != nil {
				h.ServeHTTP(httptest.NewRecorder(), r)
				after(seen, r)
			} else {
				h.ServeHTTP(seen, r)
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, fmt.Sprintf("%s %s %d", r.Method, strings.TrimPrefix(r.URL.Path, "/leeway/v1/models"), seen.status))
	}))
	t.Cleanup(s.Close)
	return s
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// took returns the requests since the last call, sorted.
func (s *served) took() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.requests
	s.requests = nil
	slices.Sort(got)
	return got
}

func (s *served) set(before func(http.ResponseWriter, *http.Request) bool, after func(http.ResponseWriter, *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

func connect(t *testing.T, s *served, change func(*client.Config)) *client.Client {
	t.Helper()
	c := client.Config{URL: s.URL, HTTP: s.Client()}
	if change != nil {
		change(&c)
	}
	got, err := client.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// whole is the client, and the store behind the API for what that does not
// offer: changing lifecycles and deleting.
type whole struct {
	*client.Client
	store *dir.Store
}

func (w whole) SetLifecycle(ctx context.Context, model string, number int64, from, to v1alpha1.Lifecycle, by, reason string) error {
	return w.store.SetLifecycle(ctx, model, number, from, to, by, reason)
}

func (w whole) Delete(ctx context.Context, model string, number int64, by, reason string) error {
	return w.store.Delete(ctx, model, number, by, reason)
}

func (w whole) Deletions(ctx context.Context, model string) ([]registry.Deletion, error) {
	return w.store.Deletions(ctx, model)
}

// What a store promises holds through the API as well; importing it does not
// offer.
func TestStore(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) func() registry.Store {
		s := serve(t)
		return func() registry.Store { return whole{connect(t, s, nil), s.store} }
	}, func() registrytest.Options { return registrytest.Options{} })
}

func withProfile(t *testing.T, s *served, n int) []registry.Version {
	t.Helper()
	var versions []registry.Version
	for i := range n {
		spec := registrytest.Spec("churn")
		var err error
		if spec.Profile, err = registry.Pack([]byte(strings.Repeat(fmt.Sprint("profile ", i), 1000))); err != nil {
			t.Fatal(err)
		}
		v, err := s.store.Register(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, v)
	}
	return versions
}

// What has not changed is not sent again.
func TestNothingIsFetchedTwice(t *testing.T) {
	s := serve(t)
	withProfile(t, s, 2)
	c := connect(t, s, nil)
	list := func() {
		t.Helper()
		if vs, err := c.List(t.Context(), "churn"); err != nil || len(vs) != 2 || vs[1].Spec.Profile == nil {
			t.Fatalf("got %v, %v", vs, err)
		}
	}
	for i, want := range [][]string{
		{"GET /churn/versions 200", "GET /churn/versions/1/profile 200", "GET /churn/versions/2/profile 200"},
		{"GET /churn/versions 304"},
	} {
		list()
		if got := s.took(); !slices.Equal(got, want) {
			t.Errorf("list %d: got %v, want %v", i+1, got, want)
		}
	}
	if err := s.store.SetLifecycle(t.Context(), "churn", 1, v1alpha1.Registered, v1alpha1.Live, "ada", "gate passed"); err != nil {
		t.Fatal(err)
	}
	list()
	if got, want := s.took(), []string{"GET /churn/versions 200"}; !slices.Equal(got, want) {
		t.Errorf("after a change: got %v, want %v", got, want)
	}
	for i, want := range []string{"GET /churn/versions/2/profile 200", "GET /churn/versions/2/profile 304"} {
		if b, err := c.Profile(t.Context(), "churn", 2); err != nil || !strings.HasPrefix(string(b), "profile 1") {
			t.Fatalf("got %.20s, %v", b, err)
		}
		if got := s.took(); !slices.Equal(got, []string{want}) {
			t.Errorf("profile %d: got %v, want %v", i+1, got, want)
		}
	}
}

// A cache without room forgets, and what is read is still right.
func TestSmallCache(t *testing.T) {
	s := serve(t)
	versions := withProfile(t, s, 20)
	c := connect(t, s, func(c *client.Config) { c.MaxCache = 2000 })
	for range 3 {
		got, err := c.List(t.Context(), "churn")
		if err != nil || len(got) != len(versions) {
			t.Fatalf("got %d versions, %v", len(got), err)
		}
		for i := range got {
			if *got[i].Spec.Profile != *versions[i].Spec.Profile {
				t.Errorf("version %d has another's profile", got[i].Number)
			}
		}
	}
}

// Requests that fail in passing are sent again, but a registration that may
// have been done only where that can't make a second version.
func TestAgain(t *testing.T) {
	for _, tt := range []struct {
		name     string
		decision string
		status   int
		lost     bool // the first answer, after it was done
		tries    int
		versions int
		want     error
	}{
		{"503", "", 503, false, 1, 0, registry.ErrUnreachable},
		{"503, for a decision", "churn-1", 503, false, 3, 1, nil},
		{"429", "", 429, false, 3, 1, nil},
		{"500", "churn-1", 500, false, 1, 0, registry.ErrUnreachable},
		{"an answer that was lost", "", 502, true, 1, 1, registry.ErrUnreachable},
		{"an answer that was lost, for a decision", "churn-1", 502, true, 3, 1, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t)
			var n atomic.Int32
			fail := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "try again", tt.status) }
			if tt.lost {
				s.set(nil, func(w http.ResponseWriter, r *http.Request) {
					if n.Add(1) == 2 {
						s.set(nil, nil)
					}
					fail(w, r)
				})
			} else {
				s.set(func(w http.ResponseWriter, r *http.Request) bool {
					if n.Add(1) == 3 {
						return false
					}
					fail(w, r)
					return true
				}, nil)
			}
			spec := registrytest.Spec("churn")
			spec.Lineage.Decision = tt.decision
			_, err := connect(t, s, nil).Register(t.Context(), spec)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if got := len(s.took()); got != tt.tries {
				t.Errorf("sent %d times, want %d", got, tt.tries)
			}
			if vs, err := s.store.List(t.Context(), "churn"); err != nil || len(vs) != tt.versions {
				t.Errorf("%d versions are there, %v, want %d", len(vs), err, tt.versions)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		s := serve(t)
		s.Close()
		c := connect(t, s, func(c *client.Config) { c.Tries = 2 })
		if _, err := c.Get(t.Context(), "churn", 1); !errors.Is(err, registry.ErrUnreachable) || strings.Count(err.Error(), s.URL) != 1 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a read is tried until it is given up", func(t *testing.T) {
		s := serve(t)
		s.set(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true }, nil)
		if _, err := connect(t, s, func(c *client.Config) { c.Tries = 3 }).Models(t.Context()); !errors.Is(err, registry.ErrUnreachable) {
			t.Errorf("got %v", err)
		}
		if got := s.took(); len(got) != 3 {
			t.Errorf("sent %v, want 3", got)
		}
	})
}

// What the server says becomes the registry's own errors.
func TestErrors(t *testing.T) {
	s := serve(t)
	withProfile(t, s, 1)
	c := connect(t, s, nil)
	for reason, want := range map[api.Reason]error{
		api.BadRequest: registry.ErrInvalid, api.Unauthenticated: registry.ErrForbidden, api.Forbidden: registry.ErrForbidden,
		api.NotFound: registry.ErrNotFound, api.NoProfile: registry.ErrNoProfile, api.MethodNotAllowed: registry.ErrInvalid,
		api.Conflict: registry.ErrConflict, api.TooLarge: registry.ErrTooLarge, api.UnsupportedMedia: registry.ErrInvalid,
		api.Invalid: registry.ErrInvalid, api.Internal: registry.ErrUnreachable,
	} {
		s.set(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", api.MediaType)
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, `{"status": 500, "detail": "the third wheel is broken", "reason": %q}`, reason)
			return true
		}, nil)
		_, err := c.Get(t.Context(), "churn", 1)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "the third wheel is broken") || !strings.Contains(err.Error(), s.URL) {
			t.Errorf("%s: got %v, want %v", reason, err, want)
		}
		if refusal := new(client.Refusal); !errors.As(err, &refusal) || refusal.Problem.Reason != reason {
			t.Errorf("%s: no refusal in %v", reason, err)
		}
	}
	for status, want := range map[int]error{401: registry.ErrForbidden, 403: registry.ErrForbidden, 404: registry.ErrInvalid, 500: registry.ErrUnreachable} {
		s.set(func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "<html>no Leeway here</html>", status)
			return true
		}, nil)
		if _, err := c.Get(t.Context(), "churn", 1); !errors.Is(err, want) || errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%d by another server: got %v, want %v", status, err, want)
		}
	}
}

// A server's answer is not believed where it can be checked.
func TestAnswersAreChecked(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0", 64)
	version := func(model string, n int) string {
		return fmt.Sprintf(`{"created": "2026-01-01T00:00:00Z", "spec": {"model": %q, "version": %d, "artifact": {"uri": "x"}, "profile": {"digest": %q}}, "status": {}}`, model, n, digest)
	}
	s := serve(t)
	c := connect(t, s, nil)
	for name, tt := range map[string]struct {
		answers map[string]string // by path
		call    func() error
	}{
		"another model":   {map[string]string{"/churn/versions/1": version("fraud", 1)}, func() error { _, err := c.Get(t.Context(), "churn", 1); return err }},
		"another version": {map[string]string{"/churn/versions/1": version("churn", 2)}, func() error { _, err := c.Get(t.Context(), "churn", 1); return err }},
		"another profile": {map[string]string{"/churn/versions/1": version("churn", 1), "/churn/versions/1/profile": "{}"},
			func() error { _, err := c.Get(t.Context(), "churn", 1); return err }},
		"a profile without its tag": {map[string]string{"/churn/versions/1/profile": "{}"}, func() error { _, err := c.Profile(t.Context(), "churn", 1); return err }},
		"no JSON":                   {map[string]string{"/churn/versions": "<html>"}, func() error { _, err := c.List(t.Context(), "churn"); return err }},
		"a list without an end":     {map[string]string{"": `{"items": [], "continue": "x"}`}, func() error { _, err := c.Models(t.Context()); return err }},
	} {
		s.set(func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.WriteString(w, tt.answers[strings.TrimPrefix(r.URL.Path, "/leeway/v1/models")])
			return true
		}, nil)
		if err := tt.call(); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
}

func TestTokenAndNamespace(t *testing.T) {
	s := serve(t)
	var got atomic.Pointer[string]
	s.set(func(_ http.ResponseWriter, r *http.Request) bool {
		text := r.Header.Get("Authorization") + " " + r.URL.RawQuery
		got.Store(&text)
		return false
	}, nil)
	n := 0
	c := connect(t, s, func(c *client.Config) {
		c.Namespace = "ml"
		c.Token = func(context.Context) (string, error) { n++; return fmt.Sprint("token-", n), nil }
	})
	for _, want := range []string{"Bearer token-1 namespace=ml", "Bearer token-2 namespace=ml"} {
		if _, err := c.Models(t.Context()); err != nil || *got.Load() != want {
			t.Errorf("got %q, %v, want %q", *got.Load(), err, want)
		}
	}
	if _, err := c.In("other").Models(t.Context()); err != nil || *got.Load() != "Bearer token-3 namespace=other" {
		t.Errorf("got %q, %v", *got.Load(), err)
	}
	lost := errors.New("no such file")
	c = connect(t, s, func(c *client.Config) { c.Token = func(context.Context) (string, error) { return "", lost } })
	if _, err := c.Models(t.Context()); !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
}

func TestURLs(t *testing.T) {
	for u, ok := range map[string]bool{
		"http://host:9096": true, "https://host/behind/a/proxy/": true,
		"host:9096": false, "ftp://host": false, "http://": false, "http://me:secret@host": false, "http://host?x=1": false, "http://h\x7fost:secret@x": false, "": false,
	} {
		_, err := client.New(client.Config{URL: u})
		if (err == nil) != ok || err != nil && (!errors.Is(err, registry.ErrInvalid) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: got %v", u, err)
		}
	}
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

// The match is asked where the versions are, and comes out as it would here.
func TestMatch(t *testing.T) {
	s := serve(t)
	for _, at := range []float64{0, 20, 40} {
		p, _, err := profile.Adopt(profile.AdoptOptions{}, live(t, at))
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		spec := registrytest.Spec("churn")
		if spec.Profile, err = registry.Pack(b); err != nil {
			t.Fatal(err)
		}
		if _, err := s.store.Register(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	now := live(t, 20.5)
	c := connect(t, s, nil)
	versions, err := c.List(t.Context(), "churn")
	if err != nil {
		t.Fatal(err)
	}
	o := registry.MatchOptions{Live: 3, Tolerance: 0.3}
	want, err := registry.Match(versions, now, o)
	if err != nil {
		t.Fatal(err)
	}
	s.took()
	got, err := c.Match(t.Context(), "churn", now, o)
	if err != nil || got.Best != "2" {
		t.Fatalf("got %+v, %v", got, err)
	}
	a, _ := json.Marshal(want)
	if b, _ := json.Marshal(got); string(a) != string(b) || got.Rows != want.Rows || got.Length != want.Length {
		t.Errorf("got  %s of %d rows, %s\nwant %s of %d rows, %s", b, got.Rows, got.Length, a, want.Rows, want.Length)
	}
	if asked := s.took(); !slices.Equal(asked, []string{"POST /churn/match 200"}) {
		t.Errorf("asked %v", asked)
	}
	if _, err := c.Match(t.Context(), "churn", &profile.Profile{Format: now.Format}, o); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("a profile of nothing: got %v", err)
	}
	for _, o := range []registry.MatchOptions{{Labelled: &registry.Labelled{}}, {Findings: map[int64]registry.Finding{1: {}}}} {
		if _, err := c.Match(t.Context(), "churn", now, o); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("what can't be sent: got %v", err)
		}
	}
}

func TestUnsupported(t *testing.T) {
	c := connect(t, serve(t), nil)
	if err := c.SetLifecycle(t.Context(), "churn", 1, v1alpha1.Registered, v1alpha1.Live, "ada", "x"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	if err := c.Delete(t.Context(), "churn", 1, "ada", "x"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

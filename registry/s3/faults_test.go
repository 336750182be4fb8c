package s3_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/bucket"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/s3"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// faulty answers some requests as a network or an overloaded server does.
type faulty struct {
	http.Handler
	// fault is asked for each request; nil is none.
	fault func(r *http.Request) func(w http.ResponseWriter, serve http.Handler, r *http.Request)
}

func (f faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if fault := f.fault(r); fault != nil {
		fault(w, f.Handler, r)
		return
	}
	f.Handler.ServeHTTP(w, r)
}

// served is done, but the answer is lost: the connection is reset.
func served(w http.ResponseWriter, serve http.Handler, r *http.Request) {
	serve.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// reset is not done.
func reset(http.ResponseWriter, http.Handler, *http.Request) { panic(http.ErrAbortHandler) }

// late is done, and answered when nobody waits any more.
func late(w http.ResponseWriter, serve http.Handler, r *http.Request) {
	serve.ServeHTTP(httptest.NewRecorder(), r)
	time.Sleep(200 * time.Millisecond)
}

func says(code int, name string) func(http.ResponseWriter, http.Handler, *http.Request) {
	return func(w http.ResponseWriter, _ http.Handler, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>try again</Message></Error>", name)
	}
}

// doneAndSays is done, and said not to be.
func doneAndSays(code int, name string) func(http.ResponseWriter, http.Handler, *http.Request) {
	return func(w http.ResponseWriter, serve http.Handler, r *http.Request) {
		serve.ServeHTTP(httptest.NewRecorder(), r)
		says(code, name)(w, serve, r)
	}
}

func impatient(t *testing.T, url string) *s3.Store {
	t.Helper()
	s, err := s3.New("s3://models/registry", bucket.Options{Endpoint: url, Patience: 50 * time.Millisecond}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is asked for happens once, whatever happens to requests and answers.
func TestFaults(t *testing.T) {
	setenv(t)
	faults := map[string]func(http.ResponseWriter, http.Handler, *http.Request){
		"answer lost": served, "request lost": reset, "answer late": late,
		"slow down": says(503, "SlowDown"), "internal error": says(500, "InternalError"),
		"conflict":             says(409, "ConditionalRequestConflict"),
		"done, internal error": doneAndSays(500, "InternalError"), "done, conflict": doneAndSays(409, "ConditionalRequestConflict"),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			r := rand.New(rand.NewPCG(1, 2))
			armed := false
			server := faulty{fakeS3(t), func(q *http.Request) func(http.ResponseWriter, http.Handler, *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if armed && !strings.Contains(q.URL.Path, ".probe") && r.Float64() < 0.25 {
					return fault
				}
				return nil
			}}
			url := serve(t, server)
			s := impatient(t, url)
			mu.Lock()
			armed = true
			mu.Unlock()
			retry := func(what string, f func() error) { // as a person would
				t.Helper()
				for range 10 {
					err := f()
					if err == nil {
						return
					}
					if !errors.Is(err, registry.ErrUnreachable) {
						t.Fatalf("%s: %v", what, err)
					}
				}
				t.Fatalf("%s: it never came through", what)
			}
			for i := range 10 {
				spec := registrytest.Spec("churn")
				spec.Lineage.Decision = fmt.Sprint("churn-", i)
				retry("register", func() error {
					v, err := s.Register(t.Context(), spec)
					if err == nil && v.Number != int64(i+1) {
						t.Errorf("got number %d, want %d", v.Number, i+1)
					}
					return err
				})
			}
			set := func(from, to v1alpha1.Lifecycle) {
				t.Helper()
				retry("change", func() error {
					err := s.SetLifecycle(t.Context(), "churn", 3, from, to, "ada", "because")
					if errors.Is(err, registry.ErrConflict) {
						t.Errorf("%s to %s: our own change is taken for somebody else's: %v", from, to, err)
						return nil
					}
					return err
				})
			}
			for range 5 {
				set(v1alpha1.Registered, v1alpha1.Rejected)
				set(v1alpha1.Rejected, v1alpha1.Registered)
			}
			mu.Lock()
			armed = false
			mu.Unlock()
			vs, err := open(t, url).List(t.Context(), "churn")
			if err != nil || len(vs) != 10 || len(vs[2].Audit) != 10 {
				t.Errorf("got %d versions, %v, want 10 and 10 audit lines", len(vs), err)
			}
		})
	}
}

// A server that ignores the condition is refused before anything is written,
// whether or not it is only raced.
func TestUnconditionalServer(t *testing.T) {
	setenv(t)
	inner := fakeS3(t)
	writes := 0
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("If-None-Match")
		r.Header.Del("If-Match")
		if r.Method == http.MethodPut && !strings.Contains(r.URL.Path, "/.probe/") {
			writes++
		}
		inner.ServeHTTP(w, r)
	}))
	s := open(t, url)
	v := registry.Version{Model: "churn", Number: 1, Created: time.Now(), Spec: registry.Numbered(registrytest.Spec("churn"), 1), Lifecycle: v1alpha1.Registered}
	for what, f := range map[string]func() error{
		"register": func() error { _, err := s.Register(t.Context(), registrytest.Spec("churn")); return err },
		"change": func() error {
			return s.SetLifecycle(t.Context(), "churn", 1, v1alpha1.Registered, v1alpha1.Live, "ada", "x")
		},
		"delete":          func() error { return s.Delete(t.Context(), "churn", 1, "ada", "x") },
		"import":          func() error { return s.Import(t.Context(), v) },
		"import deletion": func() error { return s.ImportDeletion(t.Context(), registry.Deletion{Model: "churn", Number: 1}) },
	} {
		err := f()
		if !errors.Is(err, s3.ErrUnconditional) || !strings.Contains(err.Error(), "use a server that has them") {
			t.Errorf("%s: got %v, want an error that says why and what to do", what, err)
		}
	}
	if writes > 0 {
		t.Errorf("%d objects were written", writes)
	}
	if vs, err := s.List(t.Context(), "churn"); err != nil || len(vs) != 0 {
		t.Errorf("reading is allowed: got %v, %v", vs, err)
	}
}

// A server that keeps the condition but not in a race lets several writers win.
func TestRacyServer(t *testing.T) {
	setenv(t)
	inner := fakeS3(t)
	var mu sync.Mutex
	gate := sync.NewCond(&mu)
	writers := 0
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			mu.Lock()
			writers++
			if writers <= 4 { // all look before any writes
				r.Header.Del("If-None-Match")
			}
			for writers < 4 {
				gate.Wait()
			}
			gate.Broadcast()
			mu.Unlock()
		}
		inner.ServeHTTP(w, r)
	}))
	if _, err := open(t, url).Register(t.Context(), registrytest.Spec("churn")); !errors.Is(err, s3.ErrUnconditional) {
		t.Errorf("got %v, want the server refused", err)
	}
}

// The probe leaves nothing behind, is made once, and not by readers.
func TestProbe(t *testing.T) {
	setenv(t)
	inner := fakeS3(t)
	var mu sync.Mutex
	probes := map[string]int{}
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/.probe/") {
			mu.Lock()
			probes[r.Method+r.URL.Path]++
			mu.Unlock()
		}
		inner.ServeHTTP(w, r)
	}))
	s := open(t, url)
	if _, err := s.List(t.Context(), "churn"); err != nil || len(probes) != 0 {
		t.Errorf("a reader: %v, probes %v", err, probes)
	}
	for range 3 {
		if _, err := s.Register(t.Context(), registrytest.Spec("churn")); err != nil {
			t.Fatal(err)
		}
	}
	if len(probes) != 3 { // PUT, GET and DELETE of one name
		t.Errorf("probes: %v", probes)
	}
	if models, err := s.Models(t.Context()); err != nil || len(models) != 1 {
		t.Errorf("got models %v, %v", models, err)
	}
}

// Errors say what to do, and keep the credentials to themselves.
func TestErrors(t *testing.T) {
	setenv(t)
	for name, tt := range map[string]struct {
		url   string
		want  error
		tells string
	}{
		"forbidden":      {serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { says(403, "AccessDenied")(w, nil, r) })), registry.ErrForbidden, "rights"},
		"no such bucket": {serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { says(404, "NoSuchBucket")(w, nil, r) })), registry.ErrUnreachable, "no such bucket"},
		"nobody there":   {"http://user:very-secret@127.0.0.1:1", registry.ErrUnreachable, "AWS_ENDPOINT_URL"},
		"not S3":         {serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418) })), registry.ErrUnreachable, "418"},
		"broken":         {serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })), registry.ErrUnreachable, "s3://models/registry"},
	} {
		s := open(t, tt.url)
		_, getErr := s.Get(t.Context(), "churn", 1)
		_, listErr := s.List(t.Context(), "churn")
		_, modelsErr := s.Models(t.Context())
		_, registerErr := s.Register(t.Context(), registrytest.Spec("churn"))
		if errors.Is(registerErr, s3.ErrUnconditional) { // it says yes to everything
			registerErr = getErr
		}
		for _, err := range []error{getErr, listErr, modelsErr, registerErr} {
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.tells) {
				t.Errorf("%s: got %v, want %v that tells %q", name, err, tt.want, tt.tells)
			}
			if err != nil && strings.Contains(err.Error(), "very-secret") {
				t.Errorf("%s: the error tells the secret: %v", name, err)
			}
		}
	}
}

// Whoever has no time left gets an answer.
func TestDeadline(t *testing.T) {
	setenv(t)
	url := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := open(t, url).List(ctx, "churn")
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, registry.ErrUnreachable) || time.Since(began) > time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

func TestURI(t *testing.T) {
	for _, uri := range []string{"s3://", "s3:///prefix", "s3://bucket/a?b=c", "s3://user:secret@bucket/a", "s3://bucket/a/../b", "s3://bucket//a", "dir:x"} {
		if _, err := s3.New(uri, bucket.Options{}, time.Now); !errors.Is(err, registry.ErrInvalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want invalid", uri, err)
		}
	}
	for uri, want := range map[string]string{"s3://b": "registry s3://b/", "s3://b/": "registry s3://b/", "s3://b/x/y/": "registry s3://b/x/y/"} {
		if s, err := s3.New(uri, bucket.Options{}, time.Now); err != nil || s.String() != want {
			t.Errorf("%s: got %v, %v, want %s", uri, s, err, want)
		}
	}
}

package artifact_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/leeway-dev/leeway/registry/artifact"
)

// pushed starts a real registry with one image, and returns its host and the
// image's digest.
func pushed(t *testing.T, wrap func(http.Handler) http.Handler) (host, digest string) {
	t.Helper()
	var handler atomic.Value
	real := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	handler.Store(real)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.Load().(http.HandlerFunc).ServeHTTP(w, r)
	}))
	handler.Store(http.HandlerFunc(real.ServeHTTP))
	t.Cleanup(s.Close)
	host = strings.TrimPrefix(s.URL, "http://")
	image, err := random.Image(1024, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/acme/churn:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	sum, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		handler.Store(http.HandlerFunc(wrap(real).ServeHTTP))
	}
	return host, sum.Hex
}

func TestImage(t *testing.T) {
	host, digest := pushed(t, nil)
	tests := []struct {
		patterns    []string
		uri, digest string
		want        error
	}{
		{[]string{"*"}, host + "/acme/churn@sha256:" + digest, digest, nil},
		{[]string{"image:" + host + "/acme/*"}, "docker://" + host + "/acme/churn@sha256:" + digest, digest, nil},
		{[]string{"image:" + host + "/acme/*"}, "oci://" + host + "/acme/churn@sha256:" + digest, "", nil},
		{[]string{"*"}, host + "/acme/churn@sha256:" + digest, hexOf([]byte("other")), artifact.ErrDigest},
		{[]string{"*"}, host + "/acme/churn@sha256:" + hexOf(nil), hexOf(nil), artifact.ErrMissing},
		{[]string{"*"}, host + "/acme/other@sha256:" + digest, digest, artifact.ErrMissing},
		{[]string{"image:*"}, host + "/acme/churn@sha256:" + hexOf(nil), hexOf(nil), nil}, // nobody is asked
		{[]string{"*"}, "127.0.0.1:1/acme/churn@sha256:" + digest, digest, artifact.ErrUnreachable},
		{[]string{"*"}, "example.com/Acme@sha256:" + digest, digest, artifact.ErrScheme},
	}
	for _, tt := range tests {
		c := artifact.New(artifact.Options{Allow: allow(t, tt.patterns...)})
		if err := c.Check(t.Context(), tt.uri, tt.digest); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%v, %s: got %v, want %v", tt.patterns, tt.uri, err, tt.want)
		}
	}
}

// What an answer other than yes and no means: nothing.
func TestImageUnreachable(t *testing.T) {
	elsewhere, asked := "", int32(0)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { atomic.AddInt32(&asked, 1) }))
	defer other.Close()
	elsewhere = strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	answers := map[string]http.HandlerFunc{
		"private": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"denied":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"failing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		},
		"metadata": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusTemporaryRedirect)
		},
		"token from elsewhere": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+elsewhere+`/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
	}
	for what, answer := range answers {
		host, digest := pushed(t, func(real http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v2/" && what != "token from elsewhere" {
					real.ServeHTTP(w, r)
					return
				}
				answer(w, r)
			})
		})
		c := artifact.New(artifact.Options{Allow: allow(t, "image:"+host+"/*")})
		err := c.Check(t.Context(), host+"/acme/churn@sha256:"+digest, digest)
		if !errors.Is(err, artifact.ErrUnreachable) || artifact.Reason(err) != artifact.ReasonUnreachable {
			t.Errorf("%s: got %v, want unreachable", what, err)
		}
	}
	if n := atomic.LoadInt32(&asked); n > 0 {
		t.Errorf("another host was asked %d times", n)
	}
}

// The anonymous flow of tokens, as public registries have it.
func TestImageToken(t *testing.T) {
	var asked atomic.Int32
	host, digest := pushed(t, func(real http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/token":
				if r.URL.Query().Get("scope") != "repository:acme/churn:pull" || r.Header.Get("Authorization") != "" {
					t.Errorf("asked for a token with %s, %q", r.URL.RawQuery, r.Header.Get("Authorization"))
				}
				asked.Add(1)
				_, _ = io.WriteString(w, `{"token": "anybody"}`)
			case r.Header.Get("Authorization") == "Bearer anybody":
				real.ServeHTTP(w, r)
			default:
				w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="x"`)
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
	})
	c := artifact.New(artifact.Options{Allow: allow(t, "image:"+host+"/*")})
	if err := c.Check(t.Context(), host+"/acme/churn@sha256:"+digest, digest); err != nil || asked.Load() != 1 {
		t.Errorf("got %v, a token was asked for %d times", err, asked.Load())
	}
	if err := c.Check(t.Context(), host+"/acme/churn@sha256:"+hexOf(nil), hexOf(nil)); !errors.Is(err, artifact.ErrMissing) {
		t.Errorf("got %v, want missing", err)
	}
}

package artifact_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/leeway-dev/leeway/registry/artifact"
)

func TestBounds(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 100), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, b := server(t)
	put(t, b, "m/a", make([]byte, 100))
	put(t, b, "m/b", make([]byte, 100))
	for _, uri := range []string{dir, "s3://models/m/"} {
		seen := 0
		c := artifact.New(artifact.Options{MaxBytes: 200, Progress: func(n int) { seen += n }})
		if _, err := c.Digest(t.Context(), uri); err != nil || seen != 200 {
			t.Errorf("%s: %v, told of %d bytes", uri, err, seen)
		}
		_, err := artifact.New(artifact.Options{MaxBytes: 199}).Digest(t.Context(), uri)
		if err == nil || !strings.Contains(err.Error(), "larger") || errors.Is(err, artifact.ErrMissing) {
			t.Errorf("%s: got %v, want too large", uri, err)
		}
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skip(err)
	}
	for _, path := range []string{pipe, dir} {
		if _, err := artifact.New(artifact.Options{}).Digest(t.Context(), path); err == nil {
			t.Errorf("%s: a named pipe was read", path)
		}
	}
}

// A store that sends on to another host is not followed there.
func TestS3Redirect(t *testing.T) {
	server(t)
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	err := artifact.New(artifact.Options{Endpoint: s.URL}).Check(t.Context(), "s3://models/churn", hexOf(nil))
	if artifact.Reason(err) != artifact.ReasonUnreachable || asked.Load() > 0 {
		t.Errorf("got %v, the other host was asked %d times", err, asked.Load())
	}
	err = artifact.New(artifact.Options{Endpoint: "http://169.254.169.254"}).Check(t.Context(), "s3://models/churn", hexOf(nil))
	if artifact.Reason(err) != artifact.ReasonUnreachable || !strings.Contains(err.Error(), "never asked") {
		t.Errorf("a link-local address: %v", err)
	}
}

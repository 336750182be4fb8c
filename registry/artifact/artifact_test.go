package artifact_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/leeway-dev/leeway/registry/artifact"
)

const secret = "wJalrXUtnFEMI-secret"

func hexOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// server is a real S3 server with one bucket, models.
func server(t *testing.T) (*artifact.Checker, *s3mem.Backend) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	backend := s3mem.New()
	s := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(s.Close)
	t.Setenv("AWS_ENDPOINT_URL", s.URL)
	if err := backend.CreateBucket("models"); err != nil {
		t.Fatal(err)
	}
	return artifact.New(artifact.Options{Endpoint: s.URL}), backend
}

func put(t *testing.T, b *s3mem.Backend, key string, content []byte) {
	t.Helper()
	if _, err := b.PutObject("models", key, nil, bytes.NewReader(content), int64(len(content)), nil); err != nil {
		t.Fatal(err)
	}
}

func TestS3(t *testing.T) {
	c, b := server(t)
	big := bytes.Repeat([]byte("leeway "), 1<<20)
	put(t, b, "churn/1.bin", big)
	if err := artifact.New(artifact.Options{}).Check(t.Context(), "s3://models/churn/1.bin", hexOf(big)); err != nil {
		t.Errorf("with the endpoint of the environment: %v", err)
	}
	put(t, b, "churn/2/model.bin", []byte("two"))
	put(t, b, "churn/2/MLmodel", []byte("flavors"))
	folder := hexOf([]byte(hexOf([]byte("flavors")) + "  MLmodel\n" + hexOf([]byte("two")) + "  model.bin\n"))

	tests := []struct {
		uri, digest string
		want        error
	}{
		{"s3://models/churn/1.bin", hexOf(big), nil},
		{"s3://models/churn/2/", folder, nil},
		{"s3://models/churn/1.bin", hexOf([]byte("other")), artifact.ErrDigest},
		{"s3://models/churn/1.bin", "", artifact.ErrDigest},
		{"s3://models/churn/9.bin", hexOf(big), artifact.ErrMissing},
		{"s3://models/churn/9/", hexOf(big), artifact.ErrMissing},
		{"s3://nothere/churn/1.bin", hexOf(big), artifact.ErrMissing},
		{"s3://", hexOf(big), artifact.ErrScheme},
	}
	for _, tt := range tests {
		if err := c.Check(t.Context(), tt.uri, tt.digest); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.uri, err, tt.want)
		}
	}
}

// Nothing is known when the server fails: that is neither missing nor changed.
func TestS3Failures(t *testing.T) {
	server(t)
	status := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status == http.StatusOK { // breaks off
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
			return
		}
		w.WriteHeader(status)
	}))
	defer s.Close()
	c := artifact.New(artifact.Options{Endpoint: strings.Replace(s.URL, "http://", "http://user:"+secret+"@", 1)})
	for _, status = range []int{403, 301, 400, 200} {
		err := c.Check(t.Context(), "s3://models/churn", hexOf(nil))
		if err == nil || errors.Is(err, artifact.ErrMissing) || errors.Is(err, artifact.ErrDigest) {
			t.Errorf("status %d: got %v, want an error that is neither missing nor changed", status, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("status %d: the error tells the password: %v", status, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Check(ctx, "s3://models/churn", hexOf(nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"model.bin": "one", "m/b": "two", "m/a/c": "three"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	// as sha256sum prints it
	folder := hexOf([]byte(hexOf([]byte("three")) + "  a/c\n" + hexOf([]byte("two")) + "  b\n"))
	c := artifact.New(artifact.Options{})
	tests := []struct {
		uri, want string
		err       error
	}{
		{filepath.Join(dir, "model.bin"), hexOf([]byte("one")), nil},
		{"file://" + filepath.Join(dir, "model.bin"), hexOf([]byte("one")), nil},
		{filepath.Join(dir, "m"), folder, nil},
		{filepath.Join(dir, "gone"), "", artifact.ErrMissing},
		{filepath.Join(dir, "empty"), "", artifact.ErrMissing},
		{"file://host/x", "", artifact.ErrScheme},
		{"ftp://user:" + secret + "@host/x", "", artifact.ErrScheme},
	}
	for _, tt := range tests {
		got, err := c.Digest(t.Context(), tt.uri)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %s, %v, want %s, %v", tt.uri, got, err, tt.want, tt.err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]string{
		"model.bin":                          "file://" + dir + "/model.bin",
		"a model/":                           "file://" + dir + "/a%20model/",
		"/m":                                 "file:///m",
		"s3://b/k":                           "s3://b/k",
		"file:///m":                          "file:///m",
		"example.com/m@sha256:" + hexOf(nil): "example.com/m@sha256:" + hexOf(nil),
	} {
		if got, err := artifact.Absolute(uri); got != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", uri, got, err, want)
		}
	}
	if err := os.WriteFile("a model", []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	uri, _ := artifact.Absolute("a model")
	if got, err := artifact.New(artifact.Options{}).Digest(t.Context(), uri); got != hexOf([]byte("one")) || err != nil {
		t.Errorf("%s: got %s, %v", uri, got, err)
	}
}

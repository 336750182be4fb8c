package s3_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/bucket"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/s3"
)

// fakeS3 is an S3 server with the bucket "models".
func fakeS3(t testing.TB) http.Handler {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("models"); err != nil {
		t.Fatal(err)
	}
	return gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
}

// serve starts a server, and sets the environment of who reaches it.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func setenv(t testing.TB) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "leeway", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_CONFIG_FILE": "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "", "AWS_REGION": "",
	} {
		t.Setenv(name, value)
	}
}

func open(t testing.TB, url string) *s3.Store {
	t.Helper()
	s, err := s3.New("s3://models/registry", bucket.Options{Endpoint: url, Patience: 2 * time.Second}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	setenv(t)
	registrytest.Run(t, func(t *testing.T) func() registry.Store {
		url := serve(t, fakeS3(t))
		return func() registry.Store { return open(t, url) }
	}, func() registrytest.Options { return registrytest.Options{} })
}

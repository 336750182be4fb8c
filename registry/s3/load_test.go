package s3_test

import (
	"os"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/bucket"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/s3"
)

// long asks for the tests at their full size, which take minutes.
const long = "LEEWAY_TEST_LONG"

func TestManyRegistrars(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while")
	}
	each := 3
	if os.Getenv(long) != "" {
		each = 100
	}
	setenv(t)
	url := serve(t, fakeS3(t))
	registrytest.Registrars(t, func() registry.Store { return patient(t, url) }, 100, each)
}

func TestManyVersions(t *testing.T) {
	if os.Getenv(long) == "" {
		t.Skip(long + " is not set: it takes a while")
	}
	setenv(t)
	url := serve(t, fakeS3(t))
	registrytest.Listing(t, func() registry.Store { return patient(t, url) }, 10_000,
		registrytest.Limits{First: 60 * time.Second, Again: 5 * time.Second, Told: 10 * time.Second, Bytes: 500 << 20})
}

// patient waits as long as people do: a busy machine is no fault.
func patient(t *testing.T, url string) *s3.Store {
	t.Helper()
	s, err := s3.New("s3://models/registry", bucket.Options{Endpoint: url}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

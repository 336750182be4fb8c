package dir_test

import (
	"os"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/dir"
	"github.com/leeway-dev/leeway/registry/registrytest"
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
	path := t.TempDir()
	registrytest.Registrars(t, func() registry.Store { return dir.New(path, time.Now) }, 100, each)
}

func TestManyVersions(t *testing.T) {
	if os.Getenv(long) == "" {
		t.Skip(long + " is not set: it takes a while")
	}
	path := t.TempDir()
	registrytest.Listing(t, func() registry.Store { return dir.New(path, time.Now) }, 10_000,
		registrytest.Limits{First: 60 * time.Second, Again: 15 * time.Second, Told: 15 * time.Second, Bytes: 500 << 20})
}

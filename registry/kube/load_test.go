package kube_test

import (
	"os"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/kube"
	"github.com/leeway-dev/leeway/registry/registrytest"
)

// long asks for the tests at their full size, which take minutes.
const long = "LEEWAY_TEST_LONG"

// TestRealRegistrars has many register at once at a real API server.
func TestRealRegistrars(t *testing.T) {
	c := realClient(t)
	registrars, each := 20, 5
	if os.Getenv(long) != "" {
		registrars, each = 100, 100
	}
	namespace := makeNamespace(t, c)
	registrytest.Registrars(t, func() registry.Store { return kube.New(c, namespace, time.Now) }, registrars, each)
}

// TestRealManyVersions lists and watches many at a real API server.
func TestRealManyVersions(t *testing.T) {
	c := realClient(t)
	versions := 300
	if os.Getenv(long) != "" {
		versions = 10_000
	}
	namespace := makeNamespace(t, c)
	registrytest.Listing(t, func() registry.Store { return kube.New(c, namespace, time.Now) }, versions,
		registrytest.Limits{First: 2 * time.Minute, Again: 2 * time.Minute, Told: 10 * time.Second, Bytes: 500 << 20})
}

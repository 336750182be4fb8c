package s3_test

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/bucket"
	"github.com/leeway-dev/leeway/registry/registrytest"
	"github.com/leeway-dev/leeway/registry/s3"
)

// realEnv names a bucket of a real server, s3://bucket, that is reached by the
// AWS tools' environment.
const realEnv = "LEEWAY_TEST_S3"

// TestRealServer runs the suite against a real S3 server. The end-to-end tests
// run it so.
func TestRealServer(t *testing.T) {
	uri := os.Getenv(realEnv)
	if uri == "" {
		t.Skip(realEnv + " is not set: it names a bucket to test with")
	}
	registrytest.Run(t, func(t *testing.T) func() registry.Store {
		prefix := uri + "/" + strings.ToLower(rand.Text())
		return func() registry.Store {
			s, err := s3.New(prefix, bucket.Options{}, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	}, func() registrytest.Options { return registrytest.Options{} })
}

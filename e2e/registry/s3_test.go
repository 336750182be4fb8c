package registry_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/versitygw"
)

// The registry's own suite against a real S3 server, whose objects are files.
// The suite is run as a program of the module above, which this one must not
// require.
func TestS3(t *testing.T) {
	server, err := versitygw.Start(t.Context(), filepath.Join("..", "s3"), t.TempDir(), "models")
	if err != nil {
		if os.Getenv("CI") == "" && strings.Contains(err.Error(), "dial tcp") {
			t.Skipf("the S3 server's modules can't be had: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Close()
		if t.Failed() {
			t.Logf("the S3 server said:\n%s", server.Said())
		}
	})
	cmd := child.Command(t.Context(), "go", "test", "-trimpath", "-count=1", "-v", "-run", "TestRealServer", "./registry/s3")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"LEEWAY_TEST_S3=s3://models"), server.Environment()...)
	out, err := child.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	// Two tests are about versions that are deleted with other tools, which S3
	// has no place for.
	if passed, skipped := strings.Count(out, "--- PASS: TestRealServer/"), strings.Count(out, "--- SKIP"); passed < 21 || skipped > 2 {
		t.Errorf("%d tests have passed, want 21 or more, and %d were skipped:\n%s", passed, skipped, out)
	}
	if strings.Contains(out, versitygw.Secret) {
		t.Error("the output tells the secret")
	}
}

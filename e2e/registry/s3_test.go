package registry_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
)

// The registry's own suite against a real S3 server, whose objects are files.
// The suite is run as a program of the module above, which this one must not
// require.
func TestS3(t *testing.T) {
	endpoint := startS3(t, "models")
	cmd := child.Command(t.Context(), "go", "test", "-trimpath", "-count=1", "-v", "-run", "TestRealServer", "./registry/s3")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "AWS_ENDPOINT_URL="+endpoint, "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+secret,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "LEEWAY_TEST_S3=s3://models")
	out, err := child.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	// Two tests are about versions that are deleted with other tools, which S3
	// has no place for.
	if passed, skipped := strings.Count(out, "--- PASS: TestRealServer/"), strings.Count(out, "--- SKIP"); passed < 21 || skipped > 2 {
		t.Errorf("%d tests have passed, want 21 or more, and %d were skipped:\n%s", passed, skipped, out)
	}
	if strings.Contains(out, secret) {
		t.Error("the output tells the secret")
	}
}

const key, secret = "leeway", "only-a-test"

// startS3 starts versitygw, as module e2e/s3 pins it, with a bucket, and gives
// its URL. It ends with the test.
func startS3(t *testing.T, bucket string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "versitygw")
	build := child.Command(t.Context(), "go", "build", "-trimpath", "-o", program, "github.com/versity/versitygw/cmd/versitygw")
	build.Dir = filepath.Join("..", "s3")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-buildvcs=false") // as the image is built, which shares what is compiled
	if _, err := child.Run(build); err != nil {
		if os.Getenv("CI") == "" && strings.Contains(err.Error(), "dial tcp") {
			t.Skipf("the S3 server's modules can't be had: %v", err)
		}
		t.Fatal(err)
	}
	data := t.TempDir()
	if err := os.Mkdir(filepath.Join(data, bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	address := freePort(t)
	ctx, stop := context.WithCancel(context.Background())
	server := child.Command(ctx, program, "--port", address, "posix", data)
	server.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+key, "ROOT_SECRET_KEY="+secret)
	var said strings.Builder
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("the S3 server said:\n%s", said.String())
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			t.Fatal(fmt.Errorf("the S3 server does not answer: %w", err))
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

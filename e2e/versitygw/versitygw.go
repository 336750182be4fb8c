// Package versitygw runs a real S3 server for tests, as module e2e/s3 pins it.
// Its objects are files, so a test can put some, look at them, and lose them.
package versitygw

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/plane"
)

// Key and Secret are the credentials of who may do everything.
const Key, Secret = "leeway", "only-a-test"

// Server runs until Close, or until this program ends.
type Server struct {
	URL string
	// Buckets is the folder that has a folder for each bucket.
	Buckets string

	cmd  *exec.Cmd
	said *child.Output
	stop context.CancelFunc
}

// Start builds the server and starts it with a bucket. module is the folder
// e2e/s3, dir an empty one for all files.
func Start(ctx context.Context, module, dir, bucket string) (*Server, error) {
	program := filepath.Join(dir, "versitygw")
	build := child.Command(ctx, "go", "build", "-trimpath", "-o", program, "github.com/versity/versitygw/cmd/versitygw")
	build.Dir = module
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-buildvcs=false") // as the image is built, which shares what is compiled
	if _, err := child.Run(build); err != nil {
		return nil, err
	}
	s := &Server{Buckets: filepath.Join(dir, "buckets"), said: &child.Output{}}
	if err := os.MkdirAll(filepath.Join(s.Buckets, bucket), 0o755); err != nil {
		return nil, err
	}
	address, err := plane.FreePort()
	if err != nil {
		return nil, err
	}
	s.URL = "http://" + address
	life, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.cmd = child.Command(life, program, "--port", address, "posix", s.Buckets)
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+Key, "ROOT_SECRET_KEY="+Secret)
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	if err := s.cmd.Start(); err != nil {
		stop()
		return nil, err
	}
	if err := plane.Await(ctx, 30*time.Second, func() error {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err
	}); err != nil {
		s.Close()
		return nil, fmt.Errorf("the S3 server does not answer: %w\n%s", err, s.Said())
	}
	return s, nil
}

// Environment is what its clients need, as the AWS tools read it.
func (s *Server) Environment() []string {
	return []string{"AWS_ENDPOINT_URL=" + s.URL, "AWS_ACCESS_KEY_ID=" + Key, "AWS_SECRET_ACCESS_KEY=" + Secret, "AWS_REGION=us-east-1",
		"AWS_EC2_METADATA_DISABLED=true"}
}

// Said is what it said last.
func (s *Server) Said() string { return s.said.Tail(4000) }

// Close ends it.
func (s *Server) Close() {
	s.stop()
	_ = s.cmd.Wait() // it is killed
}

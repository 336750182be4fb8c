package images

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/leeway-dev/leeway/e2e/archive"
	"github.com/leeway-dev/leeway/e2e/child"
)

// S3Name is the image of the S3 server.
const S3Name = "docker.io/local/versitygw:dev"

const versitygw = "github.com/versity/versitygw/cmd/versitygw"

// S3 builds the image of an S3 server, versitygw as module e2e/s3 pins it, and
// gives the path of its docker-archive. Its entry point is the server; the
// arguments are for the pod to give, such as `--port :7070 posix /data`.
func S3(ctx context.Context, o Options, progress io.Writer) (string, error) {
	o, err := o.withDefaults()
	if err != nil {
		return "", err
	}
	unlock, err := o.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	start := time.Now()
	module := filepath.Join(o.Root, "e2e", "s3")
	stamp, err := child.Run(child.Command(ctx, "go", "env", "GOVERSION", "GOARCH"))
	if err != nil {
		return "", err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		stamp += fmt.Sprintf("%s %x\n", name, sha256.Sum256(b))
	}
	tar := o.archive(S3Name)
	if fresh(tar, stamp) {
		fmt.Fprintf(progress, "        image %s is up to date\n", S3Name)
		return tar, nil
	}
	tmp, err := os.MkdirTemp(o.Dir, "s3-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	program := filepath.Join(tmp, "versitygw")
	cmd := child.Contained(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", program, versitygw)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off", "GOTMPDIR="+tmp)
	if _, err := child.Run(cmd); err != nil {
		return "", fmt.Errorf("image %s: %w", S3Name, err)
	}
	if err := (archive.Image{Name: S3Name, Program: program, User: 65532}).Write(tar); err != nil {
		return "", err
	}
	fmt.Fprintf(progress, "%6.1fs image %s\n", time.Since(start).Seconds(), S3Name)
	return tar, os.WriteFile(tar+".inputs", []byte(stamp), 0o644)
}

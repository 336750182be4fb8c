package images

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/debian"
)

// base is the image that stands for golang:… in the Dockerfiles.
const base = "localhost/golang"

// applets are what Dockerfiles may call in a RUN, besides go.
var applets = []string{"sh", "ls", "mkdir", "cp", "mv", "rm", "cat", "env", "chmod", "touch"}

// contain is run as `sh -c contain sh WORK PROGRAM ARGS…`. buildah keeps notes in
// /var/lib/containers, whatever it is told; there they would stay. So what it
// writes to /var/lib goes elsewhere.
const contain = `work=$1; shift
mount -t proc proc /proc &&
mount -t overlay overlay -o "lowerdir=/var/lib,upperdir=$work/upper,workdir=$work/overlay" /var/lib &&
exec "$@"`

// builder is a store of images that lives for one Build, so that targets of one
// Dockerfile share their stages and nothing else is left on the disk.
type builder struct {
	root string // the checkout
	work string // all files
	host goEnv
}

// goEnv is what `go env -json` says of this machine's Go.
type goEnv struct{ GOROOT, GOMODCACHE, GOCACHE string }

func newBuilder(ctx context.Context, o Options) (*builder, error) {
	b := &builder{root: o.Root, work: filepath.Join(o.Dir, "work")}
	env := child.Command(ctx, "go", "env", "-json", "GOROOT", "GOMODCACHE", "GOCACHE")
	env.Dir = o.Root // for the Go that this module asks for
	out, err := child.Run(env)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(out), &b.host); err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	if err := debian.Install(ctx, debian.Cluster()); err != nil {
		return nil, err
	}
	if err := b.close(); err != nil { // what a killed build left
		return nil, err
	}
	for _, dir := range []string{"upper", "overlay", "tmp", "base"} {
		if err := os.MkdirAll(filepath.Join(b.work, dir), 0o755); err != nil {
			return nil, err
		}
	}
	return b, b.makeBase(ctx)
}

func (b *builder) close() error { return os.RemoveAll(b.work) }

// buildah gives a command that leaves neither process nor mount when it ends,
// however it ends.
func (b *builder) buildah(ctx context.Context, args ...string) *exec.Cmd {
	sh := []string{"-c", contain, "sh", b.work, "buildah", "--storage-driver", "overlay",
		"--root", filepath.Join(b.work, "store"), "--runroot", filepath.Join(b.work, "run")}
	cmd := child.Contained(ctx, "sh", append(sh, args...)...)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(b.work, "tmp"))
	return cmd
}

// makeBase makes an image with a shell, the CA certificates, and an environment
// that finds this machine's Go and its caches, which build mounts. The caches are
// not where the Dockerfiles mount theirs, so those stay empty. What the image's
// environment says does not reach the images that are built.
func (b *builder) makeBase(ctx context.Context) error {
	root := filepath.Join(b.work, "base")
	for _, f := range []struct {
		from, to string
		mode     os.FileMode
	}{
		{"/bin/busybox", "bin/busybox", 0o755},
		{"/etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/ca-certificates.crt", 0o644},
	} {
		content, err := os.ReadFile(f.from)
		if err != nil {
			return fmt.Errorf("base image: %w", err)
		}
		to := filepath.Join(root, f.to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, f.mode); err != nil {
			return err
		}
	}
	for _, name := range applets {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(root, "tmp"), 0o1777); err != nil {
		return err
	}
	const container = "base"
	for _, args := range [][]string{
		{"from", "--name", container, "scratch"},
		{"add", "--quiet", container, root, "/"},
		{"config", "--env", "PATH=/usr/local/go/bin:/bin", "--env", "GOPATH=/go", "--env", "GOTOOLCHAIN=local",
			"--env", "GOPROXY=off", "--env", "GOFLAGS=-buildvcs=false",
			"--env", "GOMODCACHE=/host/mod", "--env", "GOCACHE=/host/cache", container},
		{"commit", "--quiet", "--rm", container, base},
	} {
		if _, err := child.Run(b.buildah(ctx, args...)); err != nil {
			return fmt.Errorf("base image: %w", err)
		}
	}
	return nil
}

// build builds one image and writes it as a docker-archive.
func (b *builder) build(ctx context.Context, image Image, tar string) error {
	names, err := golangBases(filepath.Join(b.root, image.Dockerfile))
	if err != nil {
		return err
	}
	args := []string{"bud", "--layers", "--isolation", "chroot", "--pull-never", "--network", "host",
		"--file", image.Dockerfile, "--tag", image.Name,
		"--volume", b.host.GOROOT + ":/usr/local/go:ro",
		"--volume", b.host.GOMODCACHE + ":/host/mod:ro",
		"--volume", b.host.GOCACHE + ":/host/cache",
	}
	if image.Target != "" {
		args = append(args, "--target", image.Target)
	}
	for _, name := range names {
		args = append(args, "--build-context", name+"=container-image://"+base)
	}
	if _, err := child.Run(b.buildah(ctx, append(args, ".")...)); err != nil {
		return err
	}
	part := tar + ".part"
	if err := os.RemoveAll(part); err != nil { // buildah adds to an archive that is there
		return err
	}
	if _, err := child.Run(b.buildah(ctx, "push", "--quiet", image.Name, "docker-archive:"+part+":"+image.Name)); err != nil {
		return err
	}
	return os.Rename(part, tar)
}

// from finds the base image of each stage of a Dockerfile.
var from = regexp.MustCompile(`(?m)^FROM\s+(golang:\S+)`)

// golangBases lists the golang images that a Dockerfile starts from.
func golangBases(dockerfile string) (names []string, err error) {
	b, err := os.ReadFile(dockerfile)
	if err != nil {
		return nil, err
	}
	for _, match := range from.FindAllStringSubmatch(string(b), -1) {
		names = append(names, match[1])
	}
	return names, nil
}

package cluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/leeway-dev/leeway/e2e"
	"github.com/leeway-dev/leeway/e2e/child"
)

// version is what the Kubernetes parts say of themselves. Clients refuse the odd
// version that they would give otherwise.
const version = " -X k8s.io/component-base/version.gitVersion=v1.37.2" +
	" -X k8s.io/component-base/version.gitMajor=1" +
	" -X k8s.io/component-base/version.gitMinor=37"

// build makes bin from the embedded source, unless it was made from the same.
func (c *Cluster) build(ctx context.Context) error {
	hash, err := c.unpack()
	if err != nil {
		return err
	}
	if have, err := os.ReadFile(c.bin("hash")); err == nil && string(have) == hash {
		return nil
	}
	tmp := c.run("tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"kube", "machine", "pause"} {
		cmd := child.Contained(ctx, "go", "build", "-trimpath", "-o", c.bin(name), "-ldflags", "-s -w"+version, "./"+name)
		cmd.Dir = c.run("source")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off", "GOTMPDIR="+tmp)
		if _, err := child.Run(cmd); err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
	}
	for _, part := range []string{"etcd", "kube-apiserver", "kube-controller-manager",
		"kube-scheduler", "kubelet", "kube-proxy", "coredns", "kubectl"} {
		if err := os.Remove(c.bin(part)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink("kube", c.bin(part)); err != nil {
			return err
		}
	}
	return write(c.bin("hash"), hash)
}

// unpack writes the embedded source to a folder, and gives its digest.
func (c *Cluster) unpack() (hash string, err error) {
	sum := sha256.New()
	err = fs.WalkDir(e2e.Source, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(e2e.Source, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", path, len(b))
		sum.Write(b)
		return write(filepath.Join(c.run("source"), path), b)
	})
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}

// write makes a file, which may be a key, and its folders. A reader finds the
// old content or the new, never a half.
func write[T string | []byte](path string, data T) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part := path + ".part"
	if err := os.WriteFile(part, []byte(data), 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}

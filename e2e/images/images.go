// Package images builds container images from the project's own Dockerfiles,
// with no registry and no container engine: the base golang:… is made from the
// Go and the module cache of this machine, and Debian's buildah does the rest.
// So the end-to-end tests run the images that users build, not a likeness.
//
// A build reads the module cache and shares the build cache of this machine
// (both are mounted, neither ends up in an image), so that it takes seconds.
package images

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Options say where to build. Only Root must be set.
type Options struct {
	Root string // the checkout, which is the context of all Dockerfiles: see FindRoot
	Dir  string // for the archives; zero: leeway/images in the user's cache folder
}

// Image is one target of one Dockerfile.
type Image struct {
	Name       string // with registry and tag, as in docker.io/local/leeway-agent:dev
	Dockerfile string // relative to the root
	Target     string // zero: the last one
}

// Leeway lists the images of the project's own programs.
func Leeway() []Image {
	return []Image{
		{"docker.io/local/leeway-sidecar:dev", "Dockerfile", "sidecar"},
		{"docker.io/local/leeway-agent:dev", "Dockerfile", "agent"},
		{"docker.io/local/leeway:dev", "Dockerfile", "cli"},
	}
}

// FindRoot is the folder at or above dir that has the project's Dockerfile.
func FindRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		b, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module github.com/leeway-dev/leeway\n") {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is in no checkout of Leeway: run this in one", dir)
		}
	}
}

// Build builds those images whose inputs have changed since, and gives the path
// of each one's docker-archive, in the order of the images.
func Build(ctx context.Context, o Options, images []Image, progress io.Writer) (archives []string, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	unlock, err := o.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	inputs, err := o.inputs(ctx)
	if err != nil {
		return nil, err
	}
	var b *builder // made when the first image needs it
	defer func() {
		if b != nil {
			err = firstError(err, b.close())
		}
	}()
	for _, image := range images {
		start := time.Now()
		tar := o.archive(image.Name)
		archives = append(archives, tar)
		stamp := fmt.Sprintf("%s %+v", inputs, image)
		if fresh(tar, stamp) {
			fmt.Fprintf(progress, "        image %s is up to date\n", image.Name)
			continue
		}
		if b == nil {
			if b, err = newBuilder(ctx, o); err != nil {
				return nil, err
			}
		}
		if err := b.build(ctx, image, tar); err != nil {
			return nil, fmt.Errorf("image %s: %w", image.Name, err)
		}
		if err := os.WriteFile(tar+".inputs", []byte(stamp), 0o644); err != nil {
			return nil, err
		}
		fmt.Fprintf(progress, "%6.1fs image %s\n", time.Since(start).Seconds(), image.Name)
	}
	return archives, nil
}

// fresh says whether an archive was made from the inputs that the stamp names.
func fresh(tar, stamp string) bool {
	have, err := os.ReadFile(tar + ".inputs")
	if err != nil || string(have) != stamp {
		return false
	}
	_, err = os.Stat(tar)
	return err == nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// lock waits until no other program builds in the same folder.
func (o Options) lock() (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(o.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f.Close, nil // which unlocks, as does the end of the program
}

// archive is where the archive of an image goes.
func (o Options) archive(name string) string {
	return filepath.Join(o.Dir, strings.NewReplacer("/", "_", ":", "_").Replace(name)+".tar")
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("no cache folder for images, name one: %w", err)
		}
		o.Dir = filepath.Join(cache, "leeway", "images")
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return o, err
	}
	if strings.HasPrefix(o.Dir, "/var/lib/") {
		return o, fmt.Errorf("%s: a build covers /var/lib, choose another folder", o.Dir)
	}
	return o, os.MkdirAll(o.Dir, 0o755)
}

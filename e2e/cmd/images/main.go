// Command images builds the project's images without a registry, and prints the
// paths of their archives, for `cluster load-image`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/leeway-dev/leeway/e2e/images"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir := flag.String("dir", "", "folder for the archives (default: leeway/images in the user's cache folder)")
	name := flag.String("name", "", "build this image instead of the project's, from --file and --target")
	file := flag.String("file", "Dockerfile", "Dockerfile, relative to the checkout")
	target := flag.String("target", "", "target in the Dockerfile (default: the last)")
	s3 := flag.Bool("s3", false, "build the S3 server instead")
	flag.Parse()
	list := images.Leeway()
	if *name != "" {
		list = []images.Image{{Name: *name, Dockerfile: *file, Target: *target}}
	}
	archives, err := build(ctx, *dir, list, *s3)
	if err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
	for _, tar := range archives {
		fmt.Println(tar)
	}
}

func build(ctx context.Context, dir string, list []images.Image, s3 bool) ([]string, error) {
	root, err := images.FindRoot(".")
	if err != nil {
		return nil, err
	}
	o := images.Options{Root: root, Dir: dir}
	if !s3 {
		return images.Build(ctx, o, list, os.Stderr)
	}
	tar, err := images.S3(ctx, o, os.Stderr)
	return []string{tar}, err
}

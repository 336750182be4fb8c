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
	target := flag.String("target", "", "target in the Dockerfile")
	flag.Parse()
	list := images.Leeway()
	if *name != "" {
		list = []images.Image{{Name: *name, Dockerfile: *file, Target: *target}}
	}
	if err := run(ctx, *dir, list); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, list []images.Image) error {
	root, err := images.FindRoot(".")
	if err != nil {
		return err
	}
	archives, err := images.Build(ctx, images.Options{Root: root, Dir: dir}, list, os.Stderr)
	for _, tar := range archives {
		fmt.Println(tar)
	}
	return err
}

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/leeway-dev/leeway/e2e/cluster"
	"github.com/leeway-dev/leeway/e2e/images"
)

// victimEnv makes the test binary do one thing in a folder, so that a test can
// kill it meanwhile.
const (
	victimEnv   = "LEEWAY_E2E_VICTIM" // "up" or "image"
	dirEnv      = "LEEWAY_E2E_DIR"
	programsEnv = "LEEWAY_E2E_PROGRAMS" // where up finds the built programs
)

func TestMain(m *testing.M) {
	var err error
	ctx, dir := context.Background(), os.Getenv(dirEnv)
	switch os.Getenv(victimEnv) {
	case "":
		os.Exit(m.Run())
	case "up":
		_, err = cluster.Up(ctx, options(dir, os.Getenv(programsEnv)), os.Stdout)
	case "image":
		_, err = images.Build(ctx, images.Options{Root: "testdata/probe", Dir: dir}, []images.Image{probe()}, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// probe is the image that pods of these tests run.
func probe() images.Image {
	return images.Image{Name: "docker.io/local/probe:dev", Dockerfile: "Dockerfile", Target: "probe"}
}

// options are those of all clusters here. Their addresses are not the default
// ones, so that a demo that was kept does not come in the way.
func options(dir, programs string) cluster.Options {
	return cluster.Options{Dir: dir, Programs: programs, NodeNet: "10.99.0", PodNet: "10.98", ServiceNet: "10.97", Port: 7443}
}

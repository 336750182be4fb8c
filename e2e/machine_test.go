package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/leeway-dev/leeway/e2e/cluster"
	"github.com/leeway-dev/leeway/e2e/debian"
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

// needMachine skips a test where no cluster can run, and says why. In CI that is
// a failure: a test that never runs is none. It installs what is missing, so that
// a look at the machine finds the programs to look with, and not their files as
// something that was left behind.
func needMachine(t *testing.T) {
	t.Helper()
	err := cluster.Preflight(t.Context())
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err == nil {
		err = debian.Install(t.Context(), debian.Cluster())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// up starts a cluster that goes with the test.
func up(t *testing.T, dir string) *cluster.Cluster {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			showLogs(t, dir)
		}
		if err := cluster.Down(dir); err != nil {
			t.Error("down:", err)
		}
	})
	c, err := cluster.Up(t.Context(), options(dir, ""), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// showLogs prints the end of every machine's own log, for a start that failed.
func showLogs(t *testing.T, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "run", "machine-*", "log", "machine.log"))
	if err != nil {
		t.Error(err)
	}
	for _, path := range logs {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		t.Logf("%s:\n%s", path, b[max(0, len(b)-2000):])
	}
}

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/leeway-dev/leeway/e2e/cluster"
)

// upEnv names a folder: the test binary then only starts a cluster there, so that
// a test can kill it meanwhile.
const upEnv = "LEEWAY_E2E_UP"

// programsEnv is where that start finds the built programs.
const programsEnv = "LEEWAY_E2E_PROGRAMS"

func TestMain(m *testing.M) {
	dir := os.Getenv(upEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	if _, err := cluster.Up(context.Background(), options(dir, os.Getenv(programsEnv)), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are those of all clusters here. Their addresses are not the default
// ones, so that a demo that was kept does not come in the way.
func options(dir, programs string) cluster.Options {
	return cluster.Options{Dir: dir, Programs: programs, NodeNet: "10.99.0", PodNet: "10.98", ServiceNet: "10.97", Port: 7443}
}

// needMachine skips a test where no cluster can run, and says why. In CI that is
// a failure: a test that never runs is none.
func needMachine(t *testing.T) {
	t.Helper()
	err := cluster.Preflight(t.Context())
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
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

package testbed

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/e2e/cluster"
	"github.com/leeway-dev/leeway/e2e/debian"
)

// NeedMachine skips a test where no cluster can run, and says why. In CI that is
// a failure: a test that never runs is none. It installs what is missing, so that
// a look at the machine finds the programs to look with, and not their files as
// something that was left behind.
func NeedMachine(t *testing.T) {
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

// Up starts a cluster that goes with the test.
func Up(t *testing.T, o cluster.Options) *cluster.Cluster {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			showLogs(t, o.Dir)
		}
		if err := cluster.Down(o.Dir); err != nil {
			t.Error("down:", err)
		}
	})
	c, err := cluster.Up(t.Context(), o, t.Output())
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

// Eventually tries until there is no error.
func Eventually(t *testing.T, patience time.Duration, try func() error) {
	t.Helper()
	end := time.Now().Add(patience)
	err := try()
	for ; err != nil && time.Now().Before(end); err = try() {
		time.Sleep(400 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("waited %s: %v", patience, err)
	}
}

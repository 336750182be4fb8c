package python

import (
	"os"
	"os/exec"
	"testing"
)

// Need is the Environment of a test that has nothing to test without it, nor without
// the programs: see SkipOrFail.
func Need(t testing.TB, requirements string, programs ...string) (dir string) {
	t.Helper()
	dir, err := Environment(t.Context(), requirements, t.Output())
	for i := 0; err == nil && i < len(programs); i++ {
		_, err = exec.LookPath(programs[i])
	}
	SkipOrFail(t, err)
	return dir
}

// SkipOrFail skips a test that lacks what it needs, and in CI fails it.
func SkipOrFail(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

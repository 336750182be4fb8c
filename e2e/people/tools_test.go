package people_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/e2e/child"
)

// golang runs go in a folder.
func golang(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := child.Command(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	out, err := child.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// helm builds Helm 3 and 4, as module helm pins them, and says to the guard's
// tests where they are. The name of the program is what it owns fields by.
func helm(t *testing.T, dir string) []string {
	t.Helper()
	var env []string
	for _, version := range []string{"3", "4"} {
		program := filepath.Join(dir, "helm"+version, "helm")
		golang(t, "../helm", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "helm.sh/helm/v"+version+"/cmd/helm")
		env = append(env, "LEEWAY_TEST_HELM"+version+"="+program)
	}
	return env
}

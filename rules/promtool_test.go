package rules_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The shipped files pass Prometheus' own tool: its linter, and the unit tests
// beside them.
func TestPromtool(t *testing.T) {
	shipped, _ := filepath.Glob("*.yaml")
	unit, _ := filepath.Glob("testdata/*_test.yaml")
	if len(shipped) == 0 || len(unit) == 0 {
		t.Fatalf("%d rule files and %d unit tests found", len(shipped), len(unit))
	}
	promtool(t, append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, shipped...)...)
	promtool(t, append([]string{"test", "rules"}, unit...)...)
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"tool", "promtool"}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

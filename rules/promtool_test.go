package rules_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/leeway-dev/leeway/rules"
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

// The example of a user's own rule is one that Leeway reads.
func TestExample(t *testing.T) {
	const example = "../examples/rules/retrain-on-error.yaml"
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	if err := rules.Check(map[string][]byte{"retrain-on-error.yaml": data}); err != nil {
		t.Error(err)
	}
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", example)
	promtool(t, "test", "rules", "../examples/rules/retrain-on-error_test.yaml")
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"tool", "promtool"}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

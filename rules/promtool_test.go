package rules_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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

// Every alert points to a section of docs/rules.md, and stands in its table.
func TestRunbook(t *testing.T) {
	page, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := rules.Render(rules.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	alerts := map[string]bool{}
	for _, data := range files {
		for _, m := range regexp.MustCompile(`(?m)^\s*- alert: (\S+)`).FindAllSubmatch(data, -1) {
			alerts[string(m[1])] = true
		}
		for _, m := range regexp.MustCompile(`problem: "(\w+)"`).FindAllSubmatch(data, -1) {
			if !strings.Contains(string(page), "| `"+string(m[1])+"` |") {
				t.Errorf("docs/rules.md does not say what the problem %s is", m[1])
			}
		}
	}
	if len(alerts) < 15 {
		t.Fatalf("only %d alerts are rendered", len(alerts))
	}
	for name := range alerts {
		if !strings.Contains(string(page), "\n### "+name+"\n") || !strings.Contains(string(page), "| ["+name+"](#"+strings.ToLower(name)+")") {
			t.Errorf("docs/rules.md has no section %s, or its table no line", name)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (Leeway\w+)$`).FindAllStringSubmatch(string(page), -1) {
		if !alerts[m[1]] {
			t.Errorf("docs/rules.md tells of %s, which is no alert", m[1])
		}
	}
}

package rules_test

import (
	"flag"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/rules"
)

var update = flag.Bool("update", false, "write the shipped rule files from the default values")

// The shipped files are what the defaults render to, no more and no less.
func TestShipped(t *testing.T) {
	want, err := rules.Render(rules.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		for name, data := range want {
			if err := os.WriteFile(name, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	names, err := fs.Glob(rules.Files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != len(want) {
		t.Errorf("shipped are %v, rendered %d files: run go test -update", names, len(want))
	}
	for name, data := range want {
		shipped, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(string(shipped), string(data)); diff != "" {
			t.Errorf("%s is not what the defaults render to (run go test -update):\n%s", name, diff)
		}
	}
}

package images

import (
	"os"
	"path/filepath"
	"testing"
)

// What counts as an input decides whether a stale image is used, so it is tried
// from inside.
func TestInputsFollowTheFilesThatCount(t *testing.T) {
	root := t.TempDir()
	put := func(name, content string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(".dockerignore", "# comment\nbin\n**/*_test.go\n**/testdata\n")
	put("Dockerfile", "FROM golang:1.26")
	put("a/a.go", "one")
	for _, step := range []struct {
		file    string
		changes bool
	}{
		{"bin/program", false},
		{"a/a_test.go", false},
		{"a/testdata/x.csv", false},
		{"a/a.go", true},
		{"a/b.go", true},
		{"a/bin/c.go", true}, // only the top bin is ignored
		{"Dockerfile", true},
		{".dockerignore", true},
	} {
		before := inputsOf(t, root)
		put(step.file, "**/changed") // for .dockerignore a pattern
		if changed := inputsOf(t, root) != before; changed != step.changes {
			t.Errorf("%s: inputs changed: %t, want %t", step.file, changed, step.changes)
		}
	}
}

func TestIgnorePatternsThatAreNotUnderstoodAreRefused(t *testing.T) {
	for _, pattern := range []string{"!keep", "a/**/b", "[a"} {
		file := filepath.Join(t.TempDir(), ".dockerignore")
		if err := os.WriteFile(file, []byte(pattern+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readIgnore(file); err == nil {
			t.Errorf("pattern %q was taken", pattern)
		}
	}
}

func inputsOf(t *testing.T, root string) string {
	t.Helper()
	digest, err := Options{Root: root}.inputs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

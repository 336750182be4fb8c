package examples_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/python"
)

// The writer for Python describes a pandas frame by the very bytes that leeway
// profile makes of the same rows as CSV.
func TestPythonWriter(t *testing.T) {
	env, err := python.Environment(t.Context(), "testdata/pandas.txt", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	source, err := filepath.Abs("../../examples/python")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := child.Command(t.Context(), filepath.Join(env, "bin", "python3"), "-B", "testdata/frame.py", dir)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+source)
	digest, err := child.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	cmd = child.Command(t.Context(), "go", "run", "./cmd/leeway", "profile", filepath.Join(dir, "frame.csv"),
		"--prediction", "score,class,rare", "--ignore", "id", "--output", filepath.Join(dir, "leeway.json"))
	cmd.Dir = "../.."
	if _, err := child.Run(cmd); err != nil {
		t.Fatal(err)
	}
	got, want := read(t, dir, "python.json"), read(t, dir, "leeway.json")
	if !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		t.Fatalf("the profiles differ at byte %d:\npython  %.200s\nleeway  %.200s", at, got[max(0, at-80):], want[max(0, at-80):])
	}
	t.Logf("%d bytes, %s", len(got), digest)
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

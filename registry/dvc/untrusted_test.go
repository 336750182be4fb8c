package dvc_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/dvc"
)

func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		p, n := string(rune('0'+i-1)), string(rune('0'+i))
		b.WriteString("a" + n + ": &a" + n + " [" + strings.Repeat("*a"+p+", ", 9) + "*a" + p + "]\n")
	}
	return b.String()
}

func TestRefused(t *testing.T) {
	tests := []struct {
		file, content string
		want          []string
	}{
		{"a.dvc", bomb(), []string{"a.dvc: ", "values"}},
		{"a.dvc", "outs: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), []string{"a.dvc: line 1: ", "deep"}},
		{"a.dvc", "outs:\n- md5: abc\n  path: x\n", []string{"a.dvc: line 2: outs[0].md5: ", "not an MD5"}},
		{"a.dvc", "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  path: ../x\n", []string{"a.dvc: line 3: outs[0].path: ", "outside"}},
		{"a.dvc", "outs:\n- size: -1\n  path: x\n", []string{"a.dvc: line 2: outs[0].size: "}},
		{"a.dvc", "outs: {a: 1}\n", []string{"a.dvc: line 1: outs: ", "list"}},
		{"a.dvc", "outs:\n- path: [x]\n", []string{"a.dvc: line 2: outs[0].path: "}},
		{"a.dvc", "outs: [\n", []string{"a.dvc: line 1: "}},
		{"a.dvc", "wdir: a\nwdir: b\n", []string{"a.dvc: line 2: ", "twice"}},
		{"dvc.lock", "schema: '3.0'\nstages: {}\n", []string{"dvc.lock: line 1: schema: "}},
		{"dvc.lock", "schema: '2.0'\nstages:\n  a:\n    cmd: x\n    outs:\n    - path: /../etc/passwd\n      md5: x\n", nil}, // not in the repository
		{"dvc.lock", "schema: '2.0'\nstages:\n  a:\n    params:\n      ../p.yaml: {a: 1}\n", []string{"dvc.lock: line 5: stages.a.params.../p.yaml: "}},
		{"dvc.lock", "schema: '2.0'\nstages:\n  a:\n    deps:\n    - path: x\n      md5: 1\n", []string{"dvc.lock: line 6: stages.a.deps[0].md5: "}},
		{"dvc.yaml", "stages:\n  a:\n    metrics: [../../m.json]\n", []string{"dvc.yaml: line 3: stages.a.metrics[0]: ", "outside"}},
		{"dvc.yaml", "stages:\n  a:\n    metrics: ['${x}']\n", []string{"dvc.yaml: line 3: ", "${x}"}},
		{"dvc.yaml", "stages:\n  a:\n    matrix: {a: [" + strings.Repeat("1,", 99) + "1], b: [" + strings.Repeat("1,", 99) + "1]}\n    cmd: x\n", []string{"stages.a.matrix: ", "stages"}},
		{"dvc.yaml", "vars: [../x.yaml]\n", []string{"dvc.yaml: line 1: vars[0]: "}},
		{".dvc/config", "[core\n", []string{".dvc/config: line 1: "}},
		{".dvc/config", strings.Repeat("x", 9<<20), []string{".dvc/config: ", "bytes"}},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		write(t, dir, map[string]string{".dvc/config": "", "dvc.yaml": "stages:\n  a: {cmd: x}\n"})
		write(t, dir, map[string]string{tt.file: tt.content})
		start := time.Now()
		r, err := dvc.Open(t.Context(), dir)
		if err == nil {
			r.Close()
		}
		if (err != nil) != (tt.want != nil) {
			t.Errorf("%s: %.80q: %v", tt.file, tt.content, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nlacks %q", tt.file, err, want)
			}
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: %.80q took %s", tt.file, tt.content, took)
		}
	}
}

// What lies outside of the repository is read by no way.
func TestLinksOut(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(outside, []byte(`{"password": "hunter2"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(dir, name string) {
		if err := os.Symlink(outside, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{".dvc/config": "", "dvc.yaml": "metrics: [m.json]\nparams: [p.json]\n"})
	link(dir, "m.json")
	link(dir, "p.json")
	link(dir, "data.csv")
	write(t, dir, map[string]string{"data.csv.dvc": "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  hash: md5\n  path: data.csv\n"})
	r := open(t, dir)
	if got, err := r.Metrics(t.Context()); err == nil {
		t.Errorf("metrics were read: %v", got)
	}
	if got, err := r.Params(); err == nil {
		t.Errorf("parameters were read: %v", got)
	}
	d, err := r.Choose("data.csv", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(t.Context(), d, nil); err == nil || errors.Is(err, dvc.ErrChanged) {
		t.Errorf("data was read: %v", err)
	}
}

// DVC may link its data into the cache, which may lie elsewhere.
func TestLinkIntoCache(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{
		".dvc/config":  "[cache]\n    dir = " + cache + "\n    type = symlink\n",
		"data.csv.dvc": "outs:\n- md5: 931d1cb0b9afc6471e7afceaeec34dc5\n  hash: md5\n  path: data.csv\n",
	})
	write(t, cache, map[string]string{"files/md5/93/1d1cb0b9afc6471e7afceaeec34dc5": readFile(t, "dvc/data/train.csv")})
	if err := os.Symlink(filepath.Join(cache, "files/md5/93/1d1cb0b9afc6471e7afceaeec34dc5"), filepath.Join(dir, "data.csv")); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	d, _ := r.Choose("data.csv", "")
	if _, err := r.Verify(t.Context(), d, nil); err != nil {
		t.Error(err)
	}
}

// Reading a named pipe would never end.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{".dvc/config": ""})
	if err := syscall.Mkfifo(filepath.Join(dir, "x.dvc"), 0o644); err != nil {
		t.Skip(err)
	}
	if r, err := dvc.Open(t.Context(), dir); err == nil {
		r.Close()
		t.Error("a named pipe was read")
	}
}

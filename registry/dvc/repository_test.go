package dvc_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leeway-dev/leeway/registry/dvc"
)

// write writes files below dir, by their paths.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// recordedRepository is the one that the files of testdata were recorded from,
// at its second commit.
func recordedRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	head, _, _ := strings.Cut(readFile(t, "dvc/data/train.csv"), "\n")
	write(t, dir, map[string]string{
		".dvc/config":        readFile(t, "dvc/dvc-config"),
		"dvc.yaml":           readFile(t, "dvc/dvc.yaml"),
		"dvc.lock":           readFile(t, "dvc/dvc.lock.v2"),
		"params.yaml":        readFile(t, "dvc/params.yaml"),
		"metrics.json":       readFile(t, "dvc/metrics.json"),
		"train.json":         readFile(t, "dvc/train.json"),
		"imgs.dvc":           readFile(t, "dvc/imgs.dvc"),
		"data/train.csv.dvc": readFile(t, "dvc/train.csv.dvc"),
		"data/train.csv":     readFile(t, "dvc/data/train.csv"),
		"data/crlf.csv.dvc":  readFile(t, "dvc/crlf.csv.dvc"),
		"data/crlf.csv":      readFile(t, "dvc/data/crlf.csv"),
		"prepared/train.csv": readFile(t, "dvc/data/train.csv"),
		"prepared/head.csv":  head + "\n",
		"model.bin":          "0.25",
	})
	if err := os.CopyFS(filepath.Join(dir, "imgs"), os.DirFS("testdata/dvc/imgs")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string) *dvc.Repository {
	t.Helper()
	r, err := dvc.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestRecorded(t *testing.T) {
	dir := recordedRepository(t)
	r := open(t, filepath.Join(dir, "data")) // from anywhere inside
	var got []string
	for _, d := range r.Tracked() {
		files, err := r.Verify(t.Context(), d, nil)
		if err != nil {
			t.Error(err)
		}
		got = append(got, fmt.Sprintf("%s %s %d %q %d", d.Path, d.MD5, d.Size, d.Stage, len(files)))
		if want := "file:///srv/example/dvcremote/files/md5/" + d.MD5[:2] + "/" + d.MD5[2:]; r.URI(d) != want {
			t.Errorf("%s: URI %s, want %s", d.Path, r.URI(d), want)
		}
	}
	want := []string{
		`data/crlf.csv 2d20a9953eea3245076588cc0bccc829 13 "" 1`,
		`data/train.csv 931d1cb0b9afc6471e7afceaeec34dc5 18 "" 1`,
		`imgs 78588778c1df60a7898d736856333ee0.dir 25 "" 5`,
		`model.bin 70da82175ec8a195a3d8b0fa8f69681d 4 "train" 1`,
		`prepared 18823678e8fcbdb8c3022aa64f24fb08.dir 24 "prepare" 2`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}

	_, newer := recorded(t)
	metrics, err := r.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(newer, dvc.Texts[string](metrics)); d != "" {
		t.Errorf("metrics: %s", d)
	}
	params, err := r.Params()
	if err != nil {
		t.Fatal(err)
	}
	now := dvc.Texts[string](params)
	before := map[string]string{}
	for k, v := range now {
		before[k] = v
	}
	before["params.yaml:train.lr"], before["params.yaml:train.season"] = "0.1", "winter"
	table := dvc.ParamsTable(dvc.Diff(before, now, false), dvc.TableOptions{Old: "v1", New: "v2"})
	if d := cmp.Diff(readFile(t, "dvc/params-diff-v1-v2.md"), table); d != "" {
		t.Errorf("params: %s", d)
	}
	if len(now) != 7 {
		t.Errorf("%d parameters: %v", len(now), now)
	}
}

func TestChanged(t *testing.T) {
	tests := []struct {
		name, file, content string
		data                string // to be verified; else the metrics and parameters
		want                []string
	}{
		{"file", "data/train.csv", "a,b\n1,3\n", "data/train.csv", []string{"data/train.csv: ", "data/train.csv.dvc, line 2", "931d1cb0b9afc6471e7afceaeec34dc5"}},
		{"of a directory", "imgs/1.txt", "other", "imgs", []string{"imgs: ", "78588778c1df60a7898d736856333ee0.dir"}},
		{"new in a directory", "imgs/3.txt", "", "imgs", []string{"imgs: "}},
		{"metrics", "metrics.json", `{"mae": 1}`, "", []string{"metrics.json: ", "dvc.lock, line 62"}},
		{"parameters", "params.yaml", strings.Replace(readFile(t, "dvc/params.yaml"), "0.25", "0.3", 1), "", []string{"params.yaml: train.lr: ", "0.3", "0.25", "dvc repro"}},
	}
	for _, tt := range tests {
		dir := recordedRepository(t)
		write(t, dir, map[string]string{tt.file: tt.content})
		r := open(t, dir)
		var err error
		if tt.data != "" {
			d, e := r.Choose(tt.data, "")
			if e != nil {
				t.Fatal(e)
			}
			_, err = r.Verify(t.Context(), d, nil)
		} else if _, err = r.Params(); err == nil {
			_, err = r.Metrics(t.Context())
		}
		if !errors.Is(err, dvc.ErrChanged) {
			t.Errorf("%s: %v, want it refused", tt.name, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nlacks %q", tt.name, err, want)
			}
		}
	}
}

// With the directory's object in the cache, the file that changed is named.
func TestChangedFileIsNamed(t *testing.T) {
	dir := recordedRepository(t)
	write(t, dir, map[string]string{
		".dvc/cache/files/md5/78/588778c1df60a7898d736856333ee0.dir": readFile(t, "dvc/object-78588778c1df60a7898d736856333ee0.dir"),
		"imgs/10.txt": "other",
	})
	r := open(t, dir)
	d, err := r.Choose("imgs", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(t.Context(), d, nil); !errors.Is(err, dvc.ErrChanged) || !strings.Contains(err.Error(), "imgs/10.txt: ") {
		t.Errorf("got %v, want imgs/10.txt named", err)
	}
	if err := os.Remove(filepath.Join(dir, "imgs", "10.txt")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(t.Context(), d, nil); !errors.Is(err, dvc.ErrChanged) {
		t.Errorf("a file is gone: %v", err)
	}
}

func TestIgnored(t *testing.T) {
	dir := recordedRepository(t)
	write(t, dir, map[string]string{".dvcignore": "# not data\n*.tmp\n/elsewhere\n", "imgs/x.tmp": "x", "elsewhere/a.dvc": "broken: ["})
	r := open(t, dir)
	d, _ := r.Choose("imgs", "")
	if _, err := r.Verify(t.Context(), d, nil); err != nil {
		t.Error(err)
	}
}

func TestChoose(t *testing.T) {
	dir := recordedRepository(t)
	r := open(t, dir)
	t.Chdir(dir)
	tests := []struct{ named, artifact, want string }{
		{"imgs/", "", "imgs"},
		{"data/train.csv", "", "data/train.csv"},
		{filepath.Join(dir, "prepared"), "", "prepared"},
		{"", filepath.Join(dir, "model.bin"), "prepared"}, // what the stage depends on
		{"", "", ""},
		{"", "/elsewhere/model.bin", ""},
		{"imgs/1.txt", "", ""},
		{"metrics.json", "", ""},
		{"../x", "", ""},
	}
	for _, tt := range tests {
		d, err := r.Choose(tt.named, tt.artifact)
		if d.Path != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q for %q: %q, %v, want %q", tt.named, tt.artifact, d.Path, err, tt.want)
		}
		if err != nil && !strings.Contains(err.Error(), "imgs (added, MD5 78588778c1df60a7898d736856333ee0.dir)") {
			t.Errorf("the choices are not listed: %v", err)
		}
	}
	if _, err := r.Choose("", ""); !errors.Is(err, dvc.ErrChoice) {
		t.Errorf("got %v, want ErrChoice", err)
	}
	if err := os.Remove(filepath.Join(dir, "imgs.dvc")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "data", "crlf.csv.dvc")); err != nil {
		t.Fatal(err)
	}
	if d, err := open(t, dir).Choose("", ""); err != nil || d.Path != "data/train.csv" {
		t.Errorf("the only one that was added: %q, %v", d.Path, err)
	}
}

func TestNoRepository(t *testing.T) {
	if _, err := dvc.Open(t.Context(), t.TempDir()); !errors.Is(err, dvc.ErrNotRepository) {
		t.Errorf("got %v", err)
	}
	if _, err := dvc.Open(t.Context(), "/nothere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// DVC 1 and 2: no schema, no hash kind, text hashed with line ends normalised.
func TestOldForms(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		".dvc/config":  "[core]\n\tremote = s\n['remote \"s\"']\n    url = s3://user:secret@bucket/dvc\n    secret_access_key = secret\n",
		"data.csv":     "a,b\r\n1,2\r\n",
		"data.csv.dvc": "md5: 0123456789abcdef0123456789abcdef\nouts:\n- md5: e5ebd4c02cefbe7955977c67ada242b7\n  path: data.csv\n  cache: true\n  metric: false\n",
		"dvc.yaml":     "stages:\n  train:\n    cmd: x\n    wdir: sub\n    deps: [../data.csv]\n    params: [lr]\n    metrics: [m.yaml]\n",
		"dvc.lock":     "train:\n  cmd: x\n  deps:\n  - path: ../data.csv\n    md5: e5ebd4c02cefbe7955977c67ada242b7\n  params:\n    params.yaml:\n      lr: 0.1\n  outs:\n  - path: m.yaml\n    md5: 1c2b6ee0e7a9e2a4cda4e58e1ef2bd2d\n",
		"sub/m.yaml":   "mae: 1\n",
	})
	write(t, dir, map[string]string{"sub/params.yaml": "lr: 0.1\nother: 2\n"})
	r := open(t, dir)
	d, err := r.Choose("", "")
	if err != nil || d.Path != "data.csv" || !d.Legacy {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, err := r.Verify(t.Context(), d, nil); err != nil {
		t.Error(err)
	}
	if got := r.URI(d); got != "s3://bucket/dvc/e5/ebd4c02cefbe7955977c67ada242b7" {
		t.Errorf("URI %s", got)
	}
	params, err := r.Params()
	if d := cmp.Diff(map[string]string{"sub/params.yaml:lr": "0.1"}, dvc.Texts[string](params)); d != "" || err != nil {
		t.Error(err, d)
	}
	if _, err := r.Metrics(t.Context()); !errors.Is(err, dvc.ErrChanged) {
		t.Errorf("metrics of another hash: %v", err)
	}
}

func TestTemplates(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		".dvc/config": "",
		"params.yaml": "name: one\nmodels: {a: {out: ma}, b: {out: mb}}\n",
		"more.yaml":   "dir: reports\nunused: 1\n",
		"dvc.yaml": `
vars: [more.yaml:dir, {suffix: json}]
metrics: ["${dir}/top.${suffix}"]
stages:
  each:
    foreach: ${models}
    do: {cmd: x, metrics: ["${dir}/${key}-${item.out}.json": {cache: false}]}
  listed:
    foreach: [x, y]
    do: {cmd: x, metrics: ["${item}.json"]}
  grid:
    matrix: {m: [p, q], n: [1, 2]}
    cmd: x
    metrics: ["${item.m}${item.n}.json"]
`,
		"reports/top.json": "1", "reports/a-ma.json": `{"k": 1}`, "reports/b-mb.json": `{"k": 2}`,
		"x.json": "2", "y.json": "3", "p1.json": `{"k": 3}`, "q2.json": `{"k": 4}`,
	})
	metrics, err := open(t, dir).Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"reports/top.json:": "1", "reports/a-ma.json:k": "1", "reports/b-mb.json:k": "2", "x.json:": "2", "y.json:": "3", "p1.json:k": "3", "q2.json:k": "4",
	}
	if d := cmp.Diff(want, dvc.Texts[string](metrics)); d != "" {
		t.Error(d)
	}
}

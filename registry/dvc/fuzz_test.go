package dvc_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/dvc"
)

// FuzzRepository reads whatever may lie in a repository. What is read must stay
// inside of it.
func FuzzRepository(f *testing.F) {
	f.Add(readFile(f, "dvc/dvc.lock.v2"), readFile(f, "dvc/dvc.yaml"), readFile(f, "dvc/imgs.dvc"), readFile(f, "dvc/dvc-config"))
	f.Add("a:\n  deps: [{path: x, md5: d41d8cd98f00b204e9800998ecf8427e}]\n  params: {p.yaml: {a: 1}}\n", "stages: {a: {foreach: {k: 1}, do: {metrics: ['${key}${item}']}}}", "deps: [{path: a}]\nouts: [{path: ../b}]", "[core]\nremote = 'x'\n")
	f.Add("schema: '2.0'\nstages: &a {b: *a}", "vars: [p.yaml:a, {x: [1]}]\nstages: {s: {matrix: {m: '${x}'}, cmd: x, wdir: '${x[0]}'}}", bomb(), "['remote \"a\"']\nurl=remote://a/x\n")
	f.Fuzz(func(t *testing.T, lock, pipeline, added, config string) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"dvc.lock": lock, "dvc.yaml": pipeline, "a.dvc": added, ".dvc/config": config, "params.yaml": "a: 1\n", "p.yaml": "a: {b: [1]}\n"})
		r, err := dvc.Open(t.Context(), dir)
		if err != nil {
			return
		}
		defer r.Close()
		for _, d := range r.Tracked() {
			if !filepath.IsLocal(filepath.FromSlash(d.Path)) {
				t.Fatalf("%q is outside", d.Path)
			}
			r.URI(d)
			files, err := r.Verify(t.Context(), d, nil)
			for _, name := range files {
				if rel, e := filepath.Rel(r.Dir(), name); err == nil && (e != nil || !filepath.IsLocal(rel)) {
					t.Fatalf("%q is outside", name)
				}
			}
		}
		_, _ = r.Metrics(t.Context())
		_, _ = r.Params()
	})
}

// FuzzValues reads files of parameters and metrics. What is kept must come back
// as it was.
func FuzzValues(f *testing.F) {
	for _, name := range []string{"dvc/params.yaml", "dvc/metrics.json", "ruamel.json", "python-values.json"} {
		f.Add(filepath.Ext(name), readFile(f, name))
	}
	f.Add(".toml", "a = 1\n[b.c]\nd = [1, 2.5, \"x\", {y = 1979-05-27}]\n")
	f.Add(".yaml", bomb())
	f.Add(".json", `{"a": [NaN, -Infinity, "NaN \" Infinity", 1e400]}`)
	f.Fuzz(func(t *testing.T, ext, content string) {
		flat, err := dvc.Flat("f"+strings.ReplaceAll(ext, ":", ""), []byte(content))
		if err != nil {
			return
		}
		for name, v := range flat {
			text := dvc.Text(v)
			if got := dvc.Text(dvc.Parse(text)); got != text {
				t.Errorf("%s: %q comes back as %q", name, text, got)
			}
		}
		kept := dvc.Texts[string](flat)
		changes := dvc.Diff(kept, kept, true)
		dvc.MetricsTable(changes, dvc.TableOptions{})
		dvc.ParamsTable(changes, dvc.TableOptions{})
	})
}

// FuzzObject reads directories' objects from the cache.
func FuzzObject(f *testing.F) {
	for _, name := range []string{"names.dir", "dvc/object-78588778c1df60a7898d736856333ee0.dir"} {
		f.Add(readFile(f, name))
	}
	f.Fuzz(func(t *testing.T, content string) {
		dir := t.TempDir()
		write(t, dir, map[string]string{
			".dvc/config": "", "imgs/1.txt": "x", "imgs.dvc": "outs:\n- md5: 78588778c1df60a7898d736856333ee0.dir\n  hash: md5\n  path: imgs\n",
			".dvc/cache/files/md5/78/588778c1df60a7898d736856333ee0.dir": content,
		})
		r, err := dvc.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		d, _ := r.Choose("imgs", "")
		if _, err := r.Verify(t.Context(), d, nil); err == nil {
			t.Error("a directory of another hash was taken")
		}
		if _, err := os.Stat(filepath.Join(dir, "imgs", "1.txt")); err != nil {
			t.Error(err)
		}
	})
}

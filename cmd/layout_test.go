// Package cmd_test holds the house rules that span packages: who may import
// whom, that every package says what it is for, and that generated files are
// those that their sources generate.
package cmd_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/leeway-dev/leeway/"

type pkg struct {
	ImportPath string
	Dir        string
	Standard   bool
	Imports    []string
	Deps       []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,Deps", "./...")
	cmd.Dir = ".."
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var packages []pkg
	for d := json.NewDecoder(out); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return packages
}

// inside tells whether a package is dir or below it.
func inside(path, dir string) bool {
	path = strings.TrimPrefix(path, module)
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// The directions of docs/architecture.md. A package may import its own folder,
// what is listed here, and what is not Leeway's.
var allowed = map[string][]string{
	"cmd":                {"agent", "registry", "rules", "sidecar", "dashboards"},
	"agent":              {"rules", "registry"},
	"sidecar":            {"registry/profile", "registry/receipt"},
	"registry":           {},
	"registry/profile":   {},
	"registry/receipt":   {},
	"registry/atlas":     {},
	"rules":              {},
	"rules/bench":        {"rules", "registry"},
	"dashboards":         {"rules"},
	"examples":           {"agent/v1alpha1", "registry/v1alpha1"},
	"agent/decide":       {},
	"registry/v1alpha1":  {},
	"agent/v1alpha1":     {},
	"examples/manifests": {},
}

func TestImportDirections(t *testing.T) {
	for _, p := range list(t) {
		rule := ""
		for dir := range allowed {
			if inside(p.ImportPath, dir) && len(dir) > len(rule) {
				rule = dir
			}
		}
		if rule == "" {
			t.Errorf("%s is in no folder of the design", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, module) || inside(imported, rule) {
				continue
			}
			if !slices.ContainsFunc(allowed[rule], func(dir string) bool { return inside(imported, dir) }) {
				t.Errorf("%s imports %s, but %s may import only %q", p.ImportPath, imported, rule, allowed[rule])
			}
		}
	}
}

// Small programs and pure packages stay so only if nobody pulls in a large one.
func TestForbiddenDependencies(t *testing.T) {
	small := []string{
		"k8s.io/", "sigs.k8s.io/", "github.com/prometheus/prometheus/", "google.golang.org/grpc", "golang.org/x/net/http2",
		"github.com/apache/arrow-go/",
	}
	forbidden := map[string][]string{
		"sidecar":                small,
		"cmd/leeway-sidecar":     small,
		"registry/profile":       {"k8s.io/", "sigs.k8s.io/", "github.com/prometheus/", "github.com/apache/arrow-go/"},
		"registry/receipt":       {"k8s.io/", "sigs.k8s.io/", "github.com/", "net"},
		"registry/atlas":         {"k8s.io/", "sigs.k8s.io/", "github.com/", "net"},
		"agent/decide":           {"k8s.io/", "sigs.k8s.io/", "net", "os/exec", "github.com/"},
		"rules":                  {"k8s.io/api", "sigs.k8s.io/controller-runtime"},
		"examples/flights/serve": {"k8s.io/", "github.com/prometheus/"},
	}
	for _, p := range list(t) {
		for dir, prefixes := range forbidden {
			if !inside(p.ImportPath, dir) {
				continue
			}
			for _, dep := range p.Deps {
				for _, prefix := range prefixes {
					if (dep == prefix || strings.HasSuffix(prefix, "/") && strings.HasPrefix(dep, prefix)) && !strings.HasPrefix(dep, module) {
						t.Errorf("%s depends on %s", p.ImportPath, dep)
					}
				}
			}
		}
	}
}

func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	documented := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != ".." || slices.Contains([]string{"bin", "build", "testdata"}, d.Name())) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || f.Doc.Text() != ""
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(documented) < 10 {
		t.Errorf("only %d packages found", len(documented))
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment: say what it is for, and why it is so", dir)
		}
	}
}

// The top level is fixed: a newcomer finds the flow in the folder tree.
func TestTopLevel(t *testing.T) {
	want := []string{"agent", "cmd", "dashboards", "docs", "e2e", "examples", "manifests", "registry", "rules", "sidecar",
		"CHANGELOG.md", "Dockerfile", "LICENSE", "Makefile", "README.md", "go.mod", "go.sum"}
	out, err := exec.Command("git", "-C", "..", "ls-tree", "--name-only", "HEAD").Output()
	if err != nil {
		t.Skip("not a git checkout:", err)
	}
	for _, name := range strings.Fields(string(out)) {
		if !strings.HasPrefix(name, ".") && !slices.Contains(want, name) {
			t.Errorf("%s does not belong to the top level", name)
		}
	}
}

func TestGeneratedFilesAreFresh(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("make", "-s", "-C", "..", "generate", "OUT="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make generate: %v\n%s", err, out)
	}
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if have, _ := os.ReadFile(filepath.Join("..", name)); string(have) != string(want) {
			t.Errorf("%s is stale: run make generate", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 5 {
		t.Errorf("make generate made only %d files", n)
	}
}

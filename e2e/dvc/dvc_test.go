package dvc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/e2e/child"
	"github.com/leeway-dev/leeway/e2e/python"
)

// pipeline has templates, parameters of several files, and metrics of two.
const pipeline = `vars: [{out: model.bin}]
stages:
  train:
    cmd: python train.py ${out}
    deps: [data/train.csv, train.py]
    params: [train, {conf/extra.json: [opt]}, {more.toml: }]
    outs: ["${out}"]
    metrics: [{train.json: {cache: false}}, eval.yaml]
  each:
    foreach: {a: {n: 1}, b: {n: 2}}
    do:
      cmd: echo '{"n":${item.n}}' > ${key}-${item.n}.json
      metrics: ["${key}-${item.n}.json"]
`

// repository is one that dvc and git have made, and Leeway's registry of it.
type repository struct {
	t           *testing.T
	dir, remote string
	leewayPath  string
	env         []string
}

// newRepository installs dvc, builds leeway, and makes a repository with data
// that was added, and tags v1 and v2 of two runs of a pipeline.
func newRepository(t *testing.T) *repository {
	t.Helper()
	venv := python.Need(t, "testdata/requirements/dvc.txt", "git")
	top := t.TempDir()
	build := child.Command(t.Context(), "go", "build", "-trimpath", "-o", top+"/", "./cmd/leeway")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if _, err := child.Run(build); err != nil {
		t.Fatal(err)
	}
	r := &repository{t: t, dir: filepath.Join(top, "repo"), remote: filepath.Join(top, "remote"), leewayPath: filepath.Join(top, "leeway")}
	r.env = append(os.Environ(), "PATH="+filepath.Join(venv, "bin")+":"+os.Getenv("PATH"), "HOME="+top, "DVC_NO_ANALYTICS=1", "DVC_TEST=1",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com", "LEEWAY_STORE=dir:"+filepath.Join(top, "registry"))
	r.fill()
	return r
}

func (r *repository) fill() {
	r.t.Helper()
	script, err := os.ReadFile("testdata/train.py")
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(map[string]string{
		"train.py": string(script), "dvc.yaml": pipeline, "data/train.csv": rows(400, 10), "parts/a.csv": rows(50, 10), "parts/é b/c.csv": rows(60, 20),
		"parts/x.tmp": "not data", ".dvcignore": "*.tmp\n", "crlf.csv": strings.ReplaceAll(rows(40, 5), "\n", "\r\n"),
		"params.yaml":     "prepare: {split: 0.2, seed: 42}\ntrain: {lr: 0.1, trees: 50, season: winter, on: yes, oct: 010, sci: 1e-5, list: [a, 1, 2.0, null], nested: {deep: {x: 1}}}\ntext: \"12\"\n",
		"conf/extra.json": `{"other": 1, "opt": {"beta": 0.9, "name": "adam"}}`,
		"more.toml":       "a = 1\nname = \"x\"\n[n]\nlist = [1, 2.0, \"c\"]\n",
	})
	for _, args := range [][]string{
		{"git", "init", "-q", "-b", "main"}, {"dvc", "init", "-q"}, {"dvc", "remote", "add", "-q", "-d", "store", "../remote"},
		{"dvc", "add", "-q", "data/train.csv", "parts", "crlf.csv"}, {"dvc", "repro", "-q"},
		{"git", "add", "-A"}, {"git", "commit", "-qm", "one"}, {"git", "tag", "v1"}, {"dvc", "push", "-q"},
	} {
		r.run(args...)
	}
}

// second changes parameters and runs the pipeline again.
func (r *repository) second() {
	r.t.Helper()
	r.edit("params.yaml", "lr: 0.1", "lr: 0.25", "winter", "summer", `"12"`, "12", "2.0", "2", "trees: 50", "trees: 50.0")
	r.edit("conf/extra.json", "0.9", "0.95", `"other": 1`, `"other": 2`)
	r.edit("more.toml", "2.0", "3.5")
	r.run("dvc", "repro", "-q")
	r.run("git", "add", "-A")
	r.run("git", "commit", "-qm", "two")
	r.run("git", "tag", "v2")
}

func (r *repository) write(files map[string]string) {
	r.t.Helper()
	for name, content := range files {
		name = filepath.Join(r.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// edit replaces texts, given in pairs.
func (r *repository) edit(name string, pairs ...string) {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(map[string]string{name: strings.NewReplacer(pairs...).Replace(string(b))})
}

func (r *repository) command(args ...string) *exec.Cmd {
	cmd := child.Command(r.t.Context(), args[0], args[1:]...)
	if args[0] == "leeway" {
		cmd = child.Command(r.t.Context(), r.leewayPath, args[1:]...)
	} else if args[0] == "dvc" { // which is found in the path of the environment
		cmd = child.Command(r.t.Context(), "/usr/bin/env", args...)
	}
	cmd.Dir, cmd.Env = r.dir, r.env
	return cmd
}

func (r *repository) run(args ...string) string {
	r.t.Helper()
	out, err := child.Run(r.command(args...))
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// refused runs a command that must fail, and say so.
func (r *repository) refused(says string, args ...string) {
	r.t.Helper()
	if _, err := child.Run(r.command(args...)); err == nil || !strings.Contains(err.Error(), says) {
		r.t.Errorf("%v: got %v\nwant it refused with %q", args, err, says)
	}
}

func (r *repository) register(args ...string) string {
	r.t.Helper()
	return strings.TrimSpace(r.run(append([]string{"leeway", "register", "--model", "churn", "--artifact", "model.bin", "--dvc", ".", "--label", "late"}, args...)...))
}

func rows(n int, mean float64) string {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	var b strings.Builder
	b.WriteString("temp,carrier,late\n")
	for range n {
		fmt.Fprintf(&b, "%.3f,%s,%d\n", mean+5*random.NormFloat64(), []string{"AA", "UA", "DL"}[random.IntN(3)], random.IntN(2))
	}
	return b.String()
}

func TestDVC(t *testing.T) {
	r := newRepository(t)
	t.Logf("dvc %s", strings.TrimSpace(r.run("dvc", "--version")))
	if got := r.register("--dvc-data", "data/train.csv"); got != "1" {
		t.Fatalf("registered as %s", got)
	}
	r.wantVersion("1", "data/train.csv")
	r.second()
	r.register("--dvc-data", "data/train.csv")
	r.wantVersion("2", "data/train.csv")
	t.Run("Tables", func(t *testing.T) { r.t = t; r.tables() })
	t.Run("Kinds", func(t *testing.T) { r.t = t; r.kinds() })
	t.Run("Git", func(t *testing.T) { r.t = t; r.git() })
	t.Run("Changed", func(t *testing.T) { r.t = t; r.changed() })
}

// wantVersion checks what is registered against the files that DVC has pushed.
func (r *repository) wantVersion(version, data string) {
	r.t.Helper()
	shown := map[string]string{}
	for _, line := range strings.Split(r.run("leeway", "show", "churn", version), "\n") {
		for _, field := range []string{"Dataset URI", "Dataset MD5", "Commit", "Dataset"} {
			if rest, ok := strings.CutPrefix(line, field+"  "); ok {
				shown[field] = strings.TrimSpace(rest)
			}
		}
	}
	if want := strings.TrimSpace(r.run("git", "rev-parse", "HEAD")); shown["Commit"] != want {
		r.t.Errorf("commit %q, git has %q", shown["Commit"], want)
	}
	if !strings.HasPrefix(shown["Dataset"], data+", ") {
		r.t.Errorf("dataset %q, want %s", shown["Dataset"], data)
	}
	u, err := url.Parse(shown["Dataset URI"])
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := os.ReadFile(u.Path)
	if err != nil {
		r.t.Fatalf("the data is not where it is said to be: %v", err)
	}
	if have, err := os.ReadFile(filepath.Join(r.dir, data)); err == nil && string(have) != string(b) {
		r.t.Errorf("%s is not the data", u.Path)
	}
	if md5 := strings.Fields(r.run("md5sum", u.Path))[0]; md5 != strings.TrimSuffix(shown["Dataset MD5"], ".dir") {
		r.t.Errorf("MD5 %s, the file's is %s", shown["Dataset MD5"], md5)
	}
}

// tables compares byte for byte. The order in which DVC prints files is that of
// a set of Python, which a seed decides: one gives ours.
func (r *repository) tables() {
	metricFiles := []string{"train.json", "eval.yaml", "a-1.json", "b-2.json"}
	paramFiles := []string{"params.yaml", "conf/extra.json", "more.toml"}
	for _, flags := range [][]string{nil, {"--all"}, {"--precision", "3"}} {
		ours := r.run(append([]string{"leeway", "diff", "churn", "v1", "v2", "--md"}, flags...)...)
		metrics := r.agreeing(ours, metricFiles, flags == nil, append([]string{"dvc", "metrics", "diff", "v1", "v2", "--md"}, flags...))
		if slices.Contains(flags, "--precision") {
			continue // which params diff does not have
		}
		rest := strings.TrimPrefix(ours, metrics)
		if params := r.agreeing(rest, paramFiles, flags == nil, append([]string{"dvc", "params", "diff", "v1", "v2", "--md"}, flags...)); params != rest {
			r.t.Errorf("more is printed than DVC prints:\n%s", strings.TrimPrefix(rest, params))
		}
	}
	same := r.run("dvc", "metrics", "diff", "v2", "v2", "--md") + r.run("dvc", "params", "diff", "v2", "v2", "--md")
	if ours := r.run("leeway", "diff", "churn", "v2", "v2", "--md"); ours != same {
		r.t.Errorf("of a version and itself:\n%s\nDVC:\n%s", ours, same)
	}
}

// agreeing runs DVC, with seeds that order a set of the files by name, until the
// text begins with what it prints: at most three times, for the set of DVC's own
// may be filled in another order. Unless it has to be exact, the rows of DVC may
// be put in the order of files.
func (r *repository) agreeing(text string, files []string, exact bool, args []string) string {
	r.t.Helper()
	theirs, tried := "", 0
	for seed := 0; seed < 1000 && tried < 3; seed++ {
		env := append(slices.Clone(r.env), fmt.Sprintf("PYTHONHASHSEED=%d", seed))
		order := r.command(append([]string{"/usr/bin/python3", "-S", "-c", "import sys; print(*set(sys.argv[1:]), sep='\\n')"}, files...)...)
		order.Env = env
		listed, err := child.Run(order)
		if err != nil {
			r.t.Fatal(err)
		}
		if !slices.IsSorted(strings.Fields(listed)) {
			continue
		}
		tried++
		cmd := r.command(args...)
		cmd.Env = env
		if theirs, err = child.Run(cmd); err != nil {
			r.t.Fatal(err)
		}
		if !exact {
			theirs = ordered(theirs)
		}
		if theirs != "" && strings.HasPrefix(text, theirs) {
			return theirs
		}
	}
	r.t.Fatalf("%v\nprints\n%s\nLeeway\n%s", args, theirs, text)
	return ""
}

// ordered is a table with its rows in the order of their first cells.
func ordered(table string) string {
	lines := strings.SplitAfter(table, "\n")
	slices.SortStableFunc(lines[2:len(lines)-2], func(a, b string) int { return strings.Compare(strings.Fields(a)[1], strings.Fields(b)[1]) })
	return strings.Join(lines, "")
}

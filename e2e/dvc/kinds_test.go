package dvc_test

import (
	"os"
	"path/filepath"
	"strings"
)

// kinds of data: a directory, text with the old hash, links into the cache.
func (r *repository) kinds() {
	r.wantVersion(r.register("--dvc-data", "parts"), "parts")

	// The old hash, of text with normalised line ends, is DVC's when the kind of
	// hash is not said. DVC itself has to agree.
	text, err := os.ReadFile(filepath.Join(r.dir, "crlf.csv"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(map[string]string{"old.csv": string(text), "unix.csv": strings.ReplaceAll(string(text), "\r\n", "\n")})
	md5 := strings.Fields(r.run("md5sum", "unix.csv"))[0]
	r.write(map[string]string{"old.csv.dvc": "outs:\n- md5: " + md5 + "\n  path: old.csv\n"})
	if out := r.run("dvc", "status", "old.csv.dvc"); strings.Contains(out, "modified") {
		r.t.Fatalf("dvc status: %s", out)
	}
	r.register("--dvc-data", "old.csv")
	r.refused("old.csv: not what DVC has locked", "sh", "-c", `echo '1,AA,0' >> old.csv && exec "$0" register --model churn --artifact model.bin --dvc . --dvc-data old.csv --label late`, r.leewayPath)
	for _, name := range []string{"old.csv", "old.csv.dvc", "unix.csv"} {
		if err := os.Remove(filepath.Join(r.dir, name)); err != nil {
			r.t.Fatal(err)
		}
	}

	r.run("dvc", "config", "--local", "cache.type", "symlink")
	r.run("dvc", "checkout", "-q", "--relink")
	if info, err := os.Lstat(filepath.Join(r.dir, "data/train.csv")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		r.t.Fatalf("no symbolic link was made: %v", err)
	}
	r.register("--dvc-data", "data/train.csv")
	r.register("--dvc-data", "parts")
	r.run("dvc", "config", "--local", "cache.type", "copy")
	r.run("dvc", "checkout", "-q", "--relink")
}

// git keeps HEAD in several ways.
func (r *repository) git() {
	r.run("git", "gc", "-q")
	r.run("git", "pack-refs", "--all")
	r.wantVersion(r.register("--dvc-data", "data/train.csv"), "data/train.csv")

	tree := r.dir + "-worktree"
	r.run("git", "worktree", "add", "-q", tree, "v1")
	other := *r
	other.dir = tree
	other.run("dvc", "pull", "-q")
	version := other.register("--dvc-data", "data/train.csv")
	other.wantVersion(version, "data/train.csv")
	// Nothing but the metric that is no number differs, as it does for DVC.
	if got := other.run("leeway", "diff", "churn", "1", version, "--md"); strings.Count(got, "\n") != 7 || !strings.Contains(got, "nan") {
		r.t.Errorf("the same commit differs:\n%s", got)
	}

	r.edit("dvc.yaml", "vars:", "# a comment\nvars:")
	version = r.register("--dvc-data", "data/train.csv")
	want := strings.TrimSpace(r.run("git", "rev-parse", "HEAD")) + "-dirty"
	if shown := r.run("leeway", "show", "churn", version); !strings.Contains(shown, want) {
		r.t.Errorf("%s is not said:\n%s", want, shown)
	}
	r.run("git", "checkout", "-q", "dvc.yaml")
}

// changed is whatever is not as DVC has locked it; dvc status has to agree.
func (r *repository) changed() {
	before := r.run("leeway", "versions", "churn")
	register := func(data string) []string {
		return []string{"leeway", "register", "--model", "churn", "--artifact", "model.bin", "--dvc", ".", "--dvc-data", data, "--label", "late"}
	}
	tests := []struct{ says, file, old, new, data string }{
		{"data/train.csv: not what DVC has locked", "data/train.csv", ",AA,", ",ZZ,", "data/train.csv"},
		{"parts/é b/c.csv: not what DVC has locked", "parts/é b/c.csv", ",AA,", ",ZZ,", "parts"},
		{"params.yaml: train.lr: not what DVC has locked", "params.yaml", "0.25", "0.3", "data/train.csv"},
		{"train.json: not what DVC has locked", "train.json", "mae", "rmse", "data/train.csv"},
	}
	for _, tt := range tests {
		if err := os.Chmod(filepath.Join(r.dir, tt.file), 0o644); err != nil { // DVC writes some read-only
			r.t.Fatal(err)
		}
		saved, err := os.ReadFile(filepath.Join(r.dir, tt.file))
		if err != nil {
			r.t.Fatal(err)
		}
		r.edit(tt.file, tt.old, tt.new)
		if out := r.run("dvc", "status"); !strings.Contains(out, "modified") {
			r.t.Errorf("%s: dvc sees no change: %s", tt.file, out)
		}
		r.refused(tt.says, register(tt.data)...)
		r.write(map[string]string{tt.file: string(saved)})
	}
	if err := os.Remove(filepath.Join(r.dir, "crlf.csv")); err != nil {
		r.t.Fatal(err)
	}
	r.refused(`"dvc pull" fetches what DVC has`, register("crlf.csv")...)
	r.refused("which data is the training data?", "leeway", "register", "--model", "churn", "--artifact", "dvc.yaml", "--dvc", ".")
	if after := r.run("leeway", "versions", "churn"); after != before {
		r.t.Errorf("something was registered:\n%s", after)
	}
}

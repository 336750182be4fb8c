package dvc_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
)

func TestCommit(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "models", "churn") // below the top of the git repository
	write(t, dir, map[string]string{".dvc/config": "", "dvc.yaml": "metrics: [m.json]\n", "m.json": `{"a": 1}`, "params.yaml": "lr: 1\n", "other.txt": "x"})
	if hash, changed, err := open(t, dir).Commit(); hash != "" || changed != "" || err != nil {
		t.Errorf("without git: %q, %q, %v", hash, changed, err)
	}
	repo, err := git.PlainInit(top, false)
	if err != nil {
		t.Fatal(err)
	}
	if hash, _, err := open(t, dir).Commit(); hash != "" || err != nil {
		t.Errorf("before the first commit: %q, %v", hash, err)
	}
	work, err := repo.Worktree()
	if err != nil {
		t.Fatal(err)
	}
	if err := work.AddGlob("."); err != nil {
		t.Fatal(err)
	}
	want, err := work.Commit("one", &git.CommitOptions{Author: &object.Signature{Name: "a", Email: "a@example.com", When: time.Unix(0, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when, wantChanged string) {
		t.Helper()
		hash, changed, err := open(t, dir).Commit()
		if hash != want.String() || changed != wantChanged || err != nil {
			t.Errorf("%s: %q, %q, %v, want %s, %q", when, hash, changed, err, want, wantChanged)
		}
	}
	check("committed", "")
	write(t, dir, map[string]string{"other.txt": "y"}) // which Leeway has not read
	check("another file", "")
	write(t, dir, map[string]string{"params.yaml": "lr: 2\n"})
	check("parameters", "params.yaml")
	write(t, dir, map[string]string{"params.yaml": "lr: 1\n", "new.dvc": "outs: []\n"})
	check("a new file", "new.dvc")
	if err := os.Remove(filepath.Join(dir, "new.dvc")); err != nil {
		t.Fatal(err)
	}

	// As git packs it.
	head, err := repo.Head()
	if err != nil {
		t.Fatal(err)
	}
	write(t, top, map[string]string{".git/packed-refs": "# pack-refs with: peeled fully-peeled sorted \n" + want.String() + " " + head.Name().String() + "\n"})
	if err := os.Remove(filepath.Join(top, ".git", filepath.FromSlash(head.Name().String()))); err != nil {
		t.Fatal(err)
	}
	check("packed refs", "")
	write(t, top, map[string]string{".git/HEAD": want.String() + "\n"})
	check("detached", "")
	write(t, top, map[string]string{".git/HEAD": "ref: refs/heads/../../../../etc/passwd\n"})
	if hash, _, _ := open(t, dir).Commit(); hash != "" {
		t.Errorf("HEAD outside of refs: %q", hash)
	}
}

package dvc

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Commit is the hash of the git commit that is checked out, "" without git or
// before the first commit. If the DVC files or the parameters are not those of
// the commit, which then says nothing of the data, changed names one of them.
func (r *Repository) Commit() (hash, changed string, err error) {
	repo, err := git.PlainOpenWithOptions(r.dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if errors.Is(err, git.ErrRepositoryNotExists) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("git repository of %s: %w", r.dir, err)
	}
	head, err := repo.Head()
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("git repository of %s: HEAD: %w", r.dir, err)
	}
	changed, err = r.uncommitted(repo, head.Hash())
	if err != nil {
		return "", "", fmt.Errorf("git repository of %s: commit %s: %w", r.dir, head.Hash(), err)
	}
	return head.Hash().String(), changed, nil
}

// uncommitted is the first of the files that Leeway has read and that differs
// from the commit's.
func (r *Repository) uncommitted(repo *git.Repository, hash plumbing.Hash) (string, error) {
	commit, err := repo.CommitObject(hash)
	if err != nil {
		return "", err
	}
	tree, err := commit.Tree()
	if err != nil {
		return "", err
	}
	prefix := "."
	if work, err := repo.Worktree(); err == nil {
		top, err := filepath.EvalSymlinks(work.Filesystem.Root())
		if err != nil {
			return "", err
		}
		if prefix, err = filepath.Rel(top, r.dir); err != nil {
			return "", err
		}
	}
	for _, name := range r.committed() {
		entry, err := tree.FindEntry(path.Join(filepath.ToSlash(prefix), name.path))
		if errors.Is(err, object.ErrEntryNotFound) || errors.Is(err, object.ErrDirectoryNotFound) {
			if name.optional {
				continue
			}
			return name.path, nil
		}
		if err != nil {
			return "", err
		}
		same, err := r.isBlob(name.path, entry.Hash)
		if err != nil {
			return "", err
		}
		if !same {
			return name.path, nil
		}
	}
	return "", nil
}

type committedFile struct {
	path string
	// optional files need not be in git: those of metrics may be in DVC.
	optional bool
}

func (r *Repository) committed() []committedFile {
	var all []committedFile
	for _, name := range r.sources {
		all = append(all, committedFile{name, false})
	}
	for _, p := range r.projects {
		for _, s := range p.stages {
			for _, t := range s.params {
				all = append(all, committedFile{t.file, true})
			}
		}
		for _, name := range p.params {
			all = append(all, committedFile{name, true})
		}
	}
	all = append(all, committedFile{defaultParams, true})
	metrics, _ := r.metricFiles()
	for _, name := range metrics {
		all = append(all, committedFile{name, true})
	}
	return all
}

// isBlob compares a file with git's hash of it.
func (r *Repository) isBlob(name string, hash plumbing.Hash) (bool, error) {
	f, err := r.open(name, "")
	if err != nil {
		return false, nil // it was there when it was committed
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00", info.Size())
	if _, err := io.Copy(sum, io.LimitReader(f, info.Size())); err != nil {
		return false, err
	}
	return hex.EncodeToString(sum.Sum(nil)) == hash.String(), nil
}

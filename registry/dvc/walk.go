package dvc

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// walker looks for DVC's files. It goes as DVC does: not into what DVC tracks,
// what .dvcignore names, and other repositories.
type walker struct {
	r       *Repository
	ctx     context.Context
	entries int
	files   int
}

func (w *walker) folder(dir string, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if depth > maxDepth {
		return &Error{File: dir, Err: fmt.Errorf("%w: folders nested more than %d deep", ErrFormat, maxDepth)}
	}
	f, err := w.r.root.Open(filepath.FromSlash(dir))
	if err != nil {
		return &Error{File: dir, Err: err}
	}
	list, err := f.ReadDir(maxEntries + 1)
	f.Close()
	if err != nil && err != io.EOF {
		return &Error{File: dir, Err: err}
	}
	if w.entries += len(list); w.entries > maxEntries {
		return &Error{File: dir, Err: fmt.Errorf("%w: more than %d files and folders; name what DVC need not look at in .dvcignore", ErrFormat, maxEntries)}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	names := map[string]bool{}
	for _, e := range list {
		names[e.Name()] = true
	}
	if dir != "." && names[".dvc"] { // a repository of its own
		return nil
	}
	if names[".dvcignore"] {
		if err := w.r.ignored.read(w.r, path.Join(dir, ".dvcignore")); err != nil {
			return err
		}
	}
	if err := w.here(dir, names, list); err != nil {
		return err
	}
	for _, e := range list {
		name := path.Join(dir, e.Name())
		if !e.IsDir() || e.Name() == ".git" || e.Name() == ".dvc" || e.Name() == ".hg" || w.r.folders[name] || w.r.ignored.matches(name, true) {
			continue
		}
		if err := w.folder(name, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// here reads the DVC files of one folder.
func (w *walker) here(dir string, names map[string]bool, list []fs.DirEntry) error {
	if names["dvc.yaml"] && !w.r.ignored.matches(path.Join(dir, "dvc.yaml"), false) {
		if err := w.pipeline(dir, names["dvc.lock"]); err != nil {
			return err
		}
	}
	for _, e := range list {
		name := path.Join(dir, e.Name())
		if e.IsDir() || !(strings.HasSuffix(e.Name(), ".dvc") && e.Name() != ".dvc" || e.Name() == "Dvcfile") || w.r.ignored.matches(name, false) {
			continue
		}
		b, err := w.source(name)
		if err != nil {
			return err
		}
		l, err := parseAdded(name, b)
		if err != nil {
			return err
		}
		w.r.add(l)
	}
	return nil
}

func (w *walker) pipeline(dir string, isLocked bool) error {
	name := path.Join(dir, "dvc.yaml")
	b, err := w.source(name)
	if err != nil {
		return err
	}
	p, err := parseProject(name, b, func(file string) (*Map, error) {
		v, err := w.r.parsed(file, "")
		m, _ := v.(*Map)
		return m, err
	})
	if err != nil {
		return err
	}
	w.r.projects = append(w.r.projects, p)
	if !isLocked {
		return nil
	}
	if b, err = w.source(path.Join(dir, "dvc.lock")); err != nil {
		return err
	}
	stages, err := parseLock(path.Join(dir, "dvc.lock"), b, func(stage string) string { return p.stages[stage].wdir })
	if err != nil {
		return err
	}
	for _, l := range stages {
		s, ok := p.stages[l.name]
		if !ok { // left over from a stage that is no more
			continue
		}
		for i := range l.outs {
			l.outs[i].metric = slices.Contains(s.metrics, l.outs[i].Path)
			l.outs[i].plot = slices.Contains(s.plots, l.outs[i].Path)
		}
		w.r.add(l)
	}
	return nil
}

func (w *walker) source(name string) ([]byte, error) {
	if w.files++; w.files > maxFiles {
		return nil, &Error{File: name, Err: fmt.Errorf("%w: more than %d DVC files", ErrFormat, maxFiles)}
	}
	w.r.sources = append(w.r.sources, name)
	return w.r.read(name)
}

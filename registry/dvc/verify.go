package dvc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ErrChanged: the data is not what DVC has locked.
var ErrChanged = errors.New("not what DVC has locked")

// Verify reads data whole and says whether it has the hash that DVC has locked;
// if not, the error wraps ErrChanged, and names the file where it can. progress,
// if not nil, is told of the bytes read. It returns the absolute paths of the
// files: the one, or those of a directory, by name.
func (r *Repository) Verify(ctx context.Context, d Data, progress func(int)) (files []string, err error) {
	if !d.IsDir() {
		got, err := r.sums(ctx, d.Path, d.MD5, d.Legacy, progress)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(got, d.MD5) {
			return nil, changed(d, d.Path, got[0])
		}
		return []string{filepath.Join(r.dir, filepath.FromSlash(d.Path))}, nil
	}
	names, err := r.members(ctx, d.Path)
	if err != nil {
		return nil, err
	}
	known := r.object(d) // of the cache, where it is; else nil
	members := make([]member, len(names))
	for i, name := range names {
		got, err := r.sums(ctx, path.Join(d.Path, name), known[name], d.Legacy, progress)
		if err != nil {
			return nil, err
		}
		members[i] = member{name, got[0]}
		if slices.Contains(got, known[name]) {
			members[i].md5 = known[name]
		} else if known != nil {
			return nil, changed(d, path.Join(d.Path, name), got[0])
		}
		files = append(files, filepath.Join(r.dir, filepath.FromSlash(d.Path), filepath.FromSlash(name)))
	}
	got, err := objectSum(members)
	if err != nil {
		return nil, &Error{File: d.Path, Err: err}
	}
	if got != d.MD5 {
		return nil, changed(d, d.Path, got)
	}
	return files, nil
}

func changed(d Data, file, got string) error {
	return &Error{File: file, Err: fmt.Errorf("%w: its MD5 is %s, %s, line %d has %s for %s; \"dvc checkout\" brings that back, \"dvc add\", \"dvc commit\" or \"dvc repro\" lock what is there",
		ErrChanged, got, d.place.file, d.place.line, d.MD5, d.Path)}
}

func (r *Repository) sums(ctx context.Context, name, md5 string, legacy bool, progress func(int)) ([]string, error) {
	f, err := r.open(name, md5)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	got, err := sums(ctx, f, legacy, progress)
	if err != nil {
		return nil, &Error{File: name, Err: err}
	}
	return got, nil
}

// members are the files of a directory as DVC sees them: below it, without what
// .dvcignore names; symbolic links to folders don't count.
func (r *Repository) members(ctx context.Context, dir string) ([]string, error) {
	g := ignored{patterns: slices.Clone(r.ignored.patterns)}
	var names []string
	var folder func(name string, depth int) error
	folder = func(name string, depth int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if depth > maxDepth {
			return &Error{File: name, Err: fmt.Errorf("folders nested more than %d deep", maxDepth)}
		}
		list, err := fs.ReadDir(r.root.FS(), name)
		if err != nil {
			return explain(name, err)
		}
		if slices.ContainsFunc(list, func(e fs.DirEntry) bool { return e.Name() == ".dvcignore" }) {
			if err := g.read(r, path.Join(name, ".dvcignore")); err != nil {
				return err
			}
		}
		for _, e := range list {
			child := path.Join(name, e.Name())
			switch {
			case g.matches(child, e.IsDir()):
			case e.IsDir():
				if err := folder(child, depth+1); err != nil {
					return err
				}
			case e.Type()&fs.ModeSymlink != 0 && r.isFolder(child):
			case len(names) == maxMembers:
				return &Error{File: dir, Err: fmt.Errorf("more than %d files", maxMembers)}
			default:
				names = append(names, strings.TrimPrefix(child, dir+"/"))
			}
		}
		return nil
	}
	if err := folder(dir, 0); err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

func (r *Repository) isFolder(name string) bool {
	info, err := r.root.Stat(filepath.FromSlash(name))
	return err == nil && info.IsDir()
}

// object is a directory's object in the cache, which tells which file has
// changed. It is of use only; what it says is proven by the hash.
func (r *Repository) object(d Data) map[string]string {
	for _, layout := range []string{"files/md5", ""} {
		f, err := openRegular(filepath.Join(r.cacheDir(), filepath.FromSlash(layout), d.MD5[:2], d.MD5[2:]))
		if err != nil {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(f, maxObjectBytes+1))
		f.Close()
		if err != nil {
			continue
		}
		members, err := parseObject(d.MD5, b)
		if err != nil {
			continue
		}
		if sum, err := objectSum(members); err != nil || sum != d.MD5 {
			continue
		}
		known := make(map[string]string, len(members))
		for _, m := range members {
			known[m.name] = m.md5
		}
		return known
	}
	return nil
}

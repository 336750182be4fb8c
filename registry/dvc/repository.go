package dvc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// The bounds of a repository.
const (
	maxEntries = 1_000_000 // files and folders looked at
	maxFiles   = 10_000    // .dvc, dvc.yaml and dvc.lock files
	maxDepth   = 64        // of folders
)

// ErrNotRepository: the folder is in no DVC repository.
var ErrNotRepository = errors.New("no DVC repository")

// Repository is what DVC says of a repository at one moment. Its files are not
// watched.
type Repository struct {
	dir    string // absolute
	root   *os.Root
	config config
	// stages and added data, in the order of their files' paths.
	locked   []locked
	projects []project
	ignored  ignored
	folders  map[string]bool // that DVC has as a whole
	sources  []string        // files read that git should have
	files    map[string]Value
}

// Open reads the DVC files of the repository that dir is in. Close it after use.
func Open(ctx context.Context, dir string) (*Repository, error) {
	top, err := rootOf(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, fmt.Errorf("dvc: %w", err)
	}
	r := &Repository{dir: top, root: root, folders: map[string]bool{}, files: map[string]Value{}}
	if err := r.load(ctx); err != nil {
		root.Close()
		return nil, fmt.Errorf("dvc repository %s: %w", top, err)
	}
	return r, nil
}

// Close closes the repository's folder.
func (r *Repository) Close() error { return r.root.Close() }

// Dir is the absolute path of the root.
func (r *Repository) Dir() string { return r.dir }

func rootOf(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("dvc: %w", err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", fmt.Errorf("dvc: %w", err)
	}
	for top := abs; ; top = filepath.Dir(top) {
		if info, err := os.Stat(filepath.Join(top, ".dvc")); err == nil && info.IsDir() {
			return top, nil
		}
		if top == filepath.Dir(top) {
			return "", fmt.Errorf("%w: neither %s nor a folder above it has a .dvc; \"dvc init\" makes one", ErrNotRepository, abs)
		}
	}
}

func (r *Repository) load(ctx context.Context) error {
	for _, name := range []string{".dvc/config", ".dvc/config.local"} {
		b, err := r.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = r.config.parse(name, b)
		}
		if err != nil {
			return err
		}
	}
	w := walker{r: r, ctx: ctx}
	return w.folder(".", 0)
}

// read reads a file of the repository, whole. The error wraps fs.ErrNotExist
// where there is none.
func (r *Repository) read(name string) ([]byte, error) {
	f, err := r.open(name, "")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limits.bytes)+1))
	if err != nil {
		return nil, &Error{File: name, Err: err}
	}
	if len(b) > limits.bytes {
		return nil, &Error{File: name, Err: fmt.Errorf("%w: more than %d bytes", ErrFormat, limits.bytes)}
	}
	return b, nil
}

// open opens a file below the root. A symbolic link may leave the root only
// into DVC's cache, where DVC's own links go, for the content that has the
// locked hash.
func (r *Repository) open(name, md5 string) (*os.File, error) {
	info, err := r.root.Stat(filepath.FromSlash(name)) // before opening: that would wait at a named pipe
	switch target, ok := r.cached(name, md5); {
	case err != nil && ok:
		return openRegular(target)
	case err != nil:
		return nil, explain(name, err)
	case !info.Mode().IsRegular():
		return nil, &Error{File: name, Err: errNotRegular}
	}
	f, err := r.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, explain(name, err)
	}
	return f, nil
}

var errNotRegular = errors.New("it is no regular file")

// openRegular opens a file of DVC's cache, which may lie anywhere.
func openRegular(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", name, errNotRegular)
	}
	return os.Open(name)
}

func explain(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{File: name, Err: fmt.Errorf("it is not there: %w; \"dvc pull\" fetches what DVC has", fs.ErrNotExist)}
	}
	return &Error{File: name, Err: err}
}

func (r *Repository) cached(name, md5 string) (target string, ok bool) {
	if len(md5) < 32 {
		return "", false
	}
	target, err := os.Readlink(filepath.Join(r.dir, filepath.FromSlash(name)))
	if err != nil {
		return "", false
	}
	for _, layout := range []string{"files/md5", ""} {
		if target == filepath.Join(r.cacheDir(), filepath.FromSlash(layout), md5[:2], md5[2:]) {
			return target, true
		}
	}
	return "", false
}

func (r *Repository) cacheDir() string {
	switch dir := r.config.cache; {
	case dir == "":
		return filepath.Join(r.dir, ".dvc", "cache")
	case filepath.IsAbs(dir):
		return dir
	default:
		return filepath.Join(r.dir, ".dvc", dir)
	}
}

// parsed is the content of a file of parameters or metrics, nil where there is
// none. DVC goes by the extension, and takes what it doesn't know for YAML.
func (r *Repository) parsed(name, md5 string) (Value, error) {
	if v, ok := r.files[name]; ok {
		return v, nil
	}
	f, err := r.open(name, md5)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limits.bytes)+1))
	if err != nil {
		return nil, &Error{File: name, Err: err}
	}
	v, err := parseFile(name, b)
	if err == nil {
		r.files[name] = v
	}
	return v, err
}

func parseFile(name string, b []byte) (v Value, err error) {
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".json":
		v, err = parseJSON(name, b, limits)
	case ".toml":
		v, err = parseTOML(name, b, limits)
	case ".py":
		return nil, &Error{File: name, Err: errors.New("parameters in Python can't be read: write them as YAML, JSON or TOML")}
	default:
		v, err = parseYAML(name, b, limits)
	}
	if err == nil && v == nil {
		v = newMap()
	}
	return v, err
}

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

// add keeps what a DVC file says.
func (r *Repository) add(l locked) {
	r.locked = append(r.locked, l)
	for _, d := range l.outs {
		if d.IsDir() {
			r.folders[d.Path] = true
		}
	}
}

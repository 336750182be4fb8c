package dvc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
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

// add keeps what a DVC file says.
func (r *Repository) add(l locked) {
	r.locked = append(r.locked, l)
	for _, d := range l.outs {
		if d.IsDir() {
			r.folders[d.Path] = true
		}
	}
}

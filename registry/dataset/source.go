package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Source is an input that can be read more than once.
type Source struct {
	Name   string // for errors
	Size   int64
	Format Format // "" to be found from name and content
	Open   func() (File, error)
}

// File is an input that is being read.
type File interface {
	io.Reader
	io.ReaderAt
	io.Seeker
	io.Closer
}

// Files are the sources of paths. Those of a folder are all files below it whose
// names say a known format, sorted; names that begin with "." or "_" are left
// out, as the tools that write such folders do.
func Files(paths ...string) ([]Source, error) {
	var list []Source
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			list = append(list, fileSource(path, info.Size()))
			continue
		}
		below, err := folder(path)
		if err != nil {
			return nil, err
		}
		if len(below) == 0 {
			return nil, fmt.Errorf("%s: no files of a known format; there are %s", path, strings.Join(extensions(), ", "))
		}
		list = append(list, below...)
	}
	return list, nil
}

func folder(dir string) ([]Source, error) {
	var list []Source
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := path != dir && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_"))
		switch {
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden, d.IsDir(), formatOf(path) == "":
			return nil
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() {
			list = append(list, fileSource(path, info.Size()))
		}
		return err
	})
	slices.SortFunc(list, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

func fileSource(path string, size int64) Source {
	return Source{Name: path, Size: size, Open: func() (File, error) { return os.Open(path) }}
}

// Memory is a source of bytes.
func Memory(name string, b []byte) Source {
	return Source{Name: name, Size: int64(len(b)), Open: func() (File, error) {
		return unclosed{bytes.NewReader(b)}, nil
	}}
}

// Spool copies a stream to a temporary file, for it can be read once only. The
// file has no name any more when Spool returns, so that nothing is left of it
// however the program ends. close frees it.
func Spool(name string, r io.Reader, dir string) (s Source, close func() error, err error) {
	f, err := temporary(dir)
	if err != nil {
		return Source{}, nil, err
	}
	size, err := io.Copy(f, r)
	if err != nil {
		return Source{}, nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	s = Source{Name: name, Size: size, Open: func() (File, error) {
		return unclosed{io.NewSectionReader(f, 0, size)}, nil
	}}
	return s, f.Close, nil
}

// temporary makes a file without a name: nothing is left of it when the program
// ends, however it does. Where a file that is open can't be removed, it is left
// to be cleaned up.
func temporary(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "leeway-*")
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w: set TMPDIR to a folder with room", err)
	}
	_ = os.Remove(f.Name())
	return f, nil
}

type seekerAt interface {
	io.Reader
	io.ReaderAt
	io.Seeker
}

type unclosed struct{ seekerAt }

// Close implements io.Closer.
func (unclosed) Close() error { return nil }

package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Absolute returns the URI to register for what a person typed: a path becomes
// file:///…, for others who have another working directory.
func Absolute(uri string) (string, error) {
	if strings.Contains(uri, "://") || pinned.MatchString(uri) {
		return uri, nil
	}
	path, err := filepath.Abs(uri)
	if err != nil {
		return "", fmt.Errorf("artifact %s: %w", uri, err)
	}
	if strings.HasSuffix(uri, "/") {
		path += "/"
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String(), nil
}

func (c *Checker) digestPath(ctx context.Context, uri, path string) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w: there is no such file (an image must be pinned by @sha256:…)", show(uri), ErrMissing)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %w", show(uri), ErrUnreachable, err)
	}
	k := c.content(ctx)
	if !info.IsDir() {
		return k.digestFile(path)
	}
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", name)
		}
		relative, err := filepath.Rel(path, name)
		if err != nil {
			return err
		}
		digest, err := k.digestFile(name)
		if err != nil {
			return err
		}
		return k.add(filepath.ToSlash(relative), digest)
	})
	if err != nil {
		return "", fmt.Errorf("artifact %s: %w", show(uri), err)
	}
	if len(k.lines) == 0 {
		return "", fmt.Errorf("%s: %w: the folder is empty", show(uri), ErrMissing)
	}
	return k.digest(), nil
}

// digestFile reads regular files only: a named pipe would be waited for.
func (k *content) digestFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("artifact: %w: %w", ErrUnreachable, err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("artifact: %s is neither a file nor a folder", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("artifact: %w: %w", ErrUnreachable, err)
	}
	defer f.Close()
	digest, err := k.sum(f)
	if err != nil {
		return "", fmt.Errorf("artifact %s: %w", path, err)
	}
	return digest, nil
}

// Path is the path of an artifact that is a file: URI of this machine.
func Path(uri string) (path string, ok bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" {
		return "", false
	}
	return filepath.FromSlash(u.Path), true
}

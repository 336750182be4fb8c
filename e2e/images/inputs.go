package images

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/leeway-dev/leeway/e2e/child"
)

// inputs is a digest of all that an image of this checkout can depend on: the
// files that .dockerignore lets through, and Go.
func (o Options) inputs(ctx context.Context) (string, error) {
	goVersion, err := child.Run(child.Command(ctx, "go", "env", "GOVERSION", "GOARCH"))
	if err != nil {
		return "", err
	}
	ignore, err := readIgnore(filepath.Join(o.Root, ".dockerignore"))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	io.WriteString(sum, goVersion)
	err = filepath.WalkDir(o.Root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == o.Root {
			return err
		}
		rel, err := filepath.Rel(o.Root, file)
		if err != nil {
			return err
		}
		if ignore.covers(filepath.ToSlash(rel)) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		fmt.Fprintf(sum, "\x00%s\x00", rel)
		_, err = io.Copy(sum, f)
		return err
	})
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}

// ignoreFile is the patterns of a .dockerignore. Of its language only what the
// project uses is understood: a path, and **/ before the name of a file.
type ignoreFile []string

func readIgnore(file string) (ignoreFile, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var patterns ignoreFile
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name := strings.TrimPrefix(line, "**/")
		if _, err := path.Match(name, ""); err != nil || line[0] == '!' || strings.Contains(name, "**") {
			return nil, fmt.Errorf("%s: cannot follow the pattern %q", file, line)
		}
		patterns = append(patterns, line)
	}
	return patterns, nil
}

// covers says whether a path is ignored. Its parents are known not to be.
func (f ignoreFile) covers(rel string) bool {
	for _, pattern := range f {
		subject := rel
		if name, anywhere := strings.CutPrefix(pattern, "**/"); anywhere {
			pattern, subject = name, path.Base(rel)
		}
		if ok, _ := path.Match(pattern, subject); ok { // the pattern was tried when it was read
			return true
		}
	}
	return false
}

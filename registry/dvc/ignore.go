package dvc

import (
	"fmt"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
)

// maxPatterns of all .dvcignore files.
const maxPatterns = 10_000

// ignored is what .dvcignore files name; they are written as .gitignore is.
type ignored struct {
	patterns []gitignore.Pattern
}

func (g *ignored) read(r *Repository, name string) error {
	b, err := r.read(name)
	if err != nil {
		return err
	}
	var domain []string
	if dir := path.Dir(name); dir != "." {
		domain = strings.Split(dir, "/")
	}
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimRight(line, "\r")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(g.patterns) == maxPatterns {
			return &Error{File: name, Line: i + 1, Err: fmt.Errorf("%w: more than %d patterns", ErrFormat, maxPatterns)}
		}
		g.patterns = append(g.patterns, gitignore.ParsePattern(line, domain))
	}
	return nil
}

func (g *ignored) matches(name string, isDir bool) bool {
	if len(g.patterns) == 0 {
		return false
	}
	return gitignore.NewMatcher(g.patterns).Match(strings.Split(name, "/"), isDir)
}

package dvc

import (
	"errors"
	"fmt"
	"strings"
)

// ErrFormat: a file is not what DVC writes, or beyond the bounds.
var ErrFormat = errors.New("not a valid DVC file")

// Error says where in a repository something is wrong.
type Error struct {
	File  string // relative to the root
	Line  int    // from 1; 0 when it is not known
	Field string // such as stages.train.outs[0].md5; "" for the file
	Err   error
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File + ": ")
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	return b.String() + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// bounds of one file.
type bounds struct {
	bytes int
	nodes int // values, those of aliases counted each time
	depth int
}

// limits of every YAML, JSON and TOML file but directory objects.
var limits = bounds{bytes: 8 << 20, nodes: 200_000, depth: 64}

// budget is what is left of them.
type budget struct {
	bounds
	spent int
}

func (b *budget) spend(depth int) error {
	if depth > b.depth {
		return fmt.Errorf("%w: nested more than %d deep", ErrFormat, b.depth)
	}
	if b.spent++; b.spent > b.nodes {
		return fmt.Errorf("%w: more than %d values, those of aliases counted each time", ErrFormat, b.nodes)
	}
	return nil
}

package dvc

import (
	"fmt"
	"math/big"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// field is a value of a file with its place, for errors.
type field struct {
	file, path string
	line       int
	v          Value
}

func (f field) fail(format string, a ...any) error {
	return &Error{File: f.file, Line: f.line, Field: f.path, Err: fmt.Errorf("%w: "+format, append([]any{ErrFormat}, a...)...)}
}

// at is the field of a map, with a nil value where there is none.
func (f field) at(key string) field {
	child := field{file: f.file, path: strings.TrimPrefix(f.path+"."+key, "."), line: f.line}
	if m, ok := f.v.(*Map); ok {
		child.v = m.Values[key]
		if line := m.lines[key]; line > 0 {
			child.line = line
		}
	}
	return child
}

// fields are those of a map; nil has none.
func (f field) fields() ([]field, []string, error) {
	switch m := f.v.(type) {
	case nil:
		return nil, nil, nil
	case *Map:
		list := make([]field, len(m.Keys))
		for i, k := range m.Keys {
			list[i] = f.at(k)
		}
		return list, m.Keys, nil
	}
	return nil, nil, f.fail("want a map")
}

// items are those of a list; nil has none.
func (f field) items() ([]field, error) {
	switch list := f.v.(type) {
	case nil:
		return nil, nil
	case []Value:
		items := make([]field, len(list))
		for i, v := range list {
			items[i] = field{file: f.file, path: f.path + "[" + strconv.Itoa(i) + "]", line: f.line, v: v}
			if m, ok := v.(*Map); ok && len(m.Keys) > 0 && m.lines[m.Keys[0]] > 0 {
				items[i].line = m.lines[m.Keys[0]]
			}
		}
		return items, nil
	}
	return nil, f.fail("want a list")
}

// text is a string; "" where there is none.
func (f field) text() (string, error) {
	switch v := f.v.(type) {
	case nil:
		return "", nil
	case string:
		if len(v) > maxPath || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", f.fail("a text of %d bytes, or with control characters", len(v))
		}
		return v, nil
	}
	return "", f.fail("want a text, not %.40q", Str(f.v))
}

// maxPath bounds paths, hashes and names, in bytes.
const maxPath = 4096

func (f field) count() (int64, error) {
	switch v := f.v.(type) {
	case nil:
		return 0, nil
	case *big.Int:
		if v.IsInt64() && v.Sign() >= 0 {
			return v.Int64(), nil
		}
	}
	return 0, f.fail("want a number from 0, not %.40q", Str(f.v))
}

// local is a path below the root: a text that a file in dir has relative to
// wdir. ok is false for a URL or an absolute path: that is not in the
// repository, and none of Leeway's business.
func (f field) local(dir, wdir string) (clean string, ok bool, err error) {
	text, err := f.text()
	if err != nil {
		return "", false, err
	}
	if text == "" {
		return "", false, f.fail("the path is missing")
	}
	if strings.Contains(text, "://") || path.IsAbs(text) || filepath.IsAbs(text) {
		return "", false, nil
	}
	clean = path.Join(dir, wdir, filepath.ToSlash(text))
	if !filepath.IsLocal(filepath.FromSlash(clean)) {
		return "", false, f.fail("%s lies outside of the repository", text)
	}
	return clean, true, nil
}

var md5Form = regexp.MustCompile(`^[0-9a-f]{32}(\.dir)?$`)

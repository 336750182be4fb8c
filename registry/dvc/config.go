package dvc

import (
	"bufio"
	"bytes"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// config is what is needed of .dvc/config and .dvc/config.local.
type config struct {
	remote  string                       // the default one
	cache   string                       // folder of the cache, as written
	remotes map[string]map[string]string // options by name
}

// secrets of a remote are not even kept: only these options are.
var wanted = map[string]bool{"url": true, "version_aware": true, "worktree": true}

// parse adds what a file of ConfigObj's kind says.
func (c *config) parse(file string, b []byte) error {
	if len(b) > limits.bytes {
		return &Error{File: file, Err: fmt.Errorf("%w: more than %d bytes", ErrFormat, limits.bytes)}
	}
	section := ""
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#':
			continue
		case line[0] == '[':
			end := strings.LastIndexByte(line, ']')
			if end < 0 {
				return &Error{File: file, Line: n, Err: fmt.Errorf("%w: a section without ]", ErrFormat)}
			}
			section = unquote(strings.TrimSpace(line[1:end]))
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return &Error{File: file, Line: n, Err: fmt.Errorf("%w: neither a section nor an option", ErrFormat)}
		}
		c.option(section, strings.TrimSpace(key), unquote(strings.TrimSpace(value)))
	}
	if err := lines.Err(); err != nil {
		return &Error{File: file, Err: fmt.Errorf("%w: %w", ErrFormat, err)}
	}
	return nil
}

func (c *config) option(section, key, value string) {
	kind, name, _ := strings.Cut(section, " ")
	switch {
	case section == "core" && key == "remote":
		c.remote = value
	case section == "cache" && key == "dir":
		c.cache = value
	case kind == "remote" && wanted[key]:
		name = unquote(strings.TrimSpace(name))
		if c.remotes == nil {
			c.remotes = map[string]map[string]string{}
		}
		if c.remotes[name] == nil {
			c.remotes[name] = map[string]string{}
		}
		c.remotes[name][key] = value
	}
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// URI is where a remote has data, "" when there is no remote. A user's name or
// password in its URL is left out. dir is the root's absolute path, which paths
// of a remote are relative to the .dvc of.
func (c *config) uri(d Data, dir string) string {
	name := d.Remote
	if name == "" {
		name = c.remote
	}
	remote, ok := c.remotes[name]
	if !ok || remote["url"] == "" {
		return ""
	}
	base := remote["url"]
	if nested, ok := strings.CutPrefix(base, "remote://"); ok { // another remote's URL and a path
		other, rest, _ := strings.Cut(nested, "/")
		base = strings.TrimSuffix(c.remotes[other]["url"], "/") + "/" + rest
	}
	object := path.Join("files", "md5", d.MD5[:2], d.MD5[2:])
	switch {
	case strings.EqualFold(remote["version_aware"], "true") || strings.EqualFold(remote["worktree"], "true"):
		object = d.Path
	case d.Legacy:
		object = path.Join(d.MD5[:2], d.MD5[2:])
	}
	if !strings.Contains(base, "://") {
		if !filepath.IsAbs(base) {
			base = filepath.Join(dir, ".dvc", base)
		}
		return (&url.URL{Scheme: "file", Path: path.Join(filepath.ToSlash(base), object)}).String()
	}
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return strings.TrimSuffix(u.String(), "/") + "/" + (&url.URL{Path: object}).EscapedPath()
}

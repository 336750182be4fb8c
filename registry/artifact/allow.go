package artifact

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/leeway-dev/leeway/registry/artifact/glob"
)

// ErrForbidden: no pattern allows it. It wraps ErrScheme.
var ErrForbidden = fmt.Errorf("%w: it is not among the artifacts that may be read here", ErrScheme)

// Allow says which artifacts may be read, and which hosts asked. The zero value
// allows everything, for a person's own command line; a process that checks
// other people's URIs names what it may.
type Allow struct {
	patterns []pattern
}

// pattern is one of Allow's. glob is what follows the scheme, where * stands for
// any run of characters.
type pattern struct {
	scheme, glob string
}

// ParseAllow reads patterns:
//
//	s3://BUCKET/PREFIX*       objects; s3://* are those of all buckets
//	file:///PATH/*            files of this machine
//	image:HOST/REPOSITORY*    images, looked for in the registry at HOST
//	image:*                   images of any registry, taken by their pin: none is asked
//	*                         everything
//
// A bucket or a host is named in full or is "*": a part of one would allow
// others with the same beginning.
func ParseAllow(patterns []string) (Allow, error) {
	a := Allow{patterns: []pattern{}}
	for _, text := range patterns {
		p, err := parsePattern(strings.TrimSpace(text))
		if err != nil {
			return Allow{}, fmt.Errorf("pattern of artifacts %q: %w", text, err)
		}
		a.patterns = append(a.patterns, p)
	}
	return a, nil
}

var errPattern = errors.New("write s3://BUCKET/PREFIX*, file:///PATH/*, image:HOST/REPOSITORY*, image:* or *")

func parsePattern(text string) (pattern, error) {
	if text == "*" {
		return pattern{scheme: "*"}, nil
	}
	p := pattern{}
	for prefix, scheme := range map[string]string{"s3://": "s3", "file://": "file", "image:": "image"} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			p = pattern{scheme, rest}
		}
	}
	if p.scheme == "file" {
		if !strings.HasPrefix(p.glob, "/") || p.glob != "/*" && path.Clean(p.glob) != strings.TrimSuffix(p.glob, "/") {
			return p, errPattern
		}
		return p, nil
	}
	if p.scheme == "" || p.glob == "" {
		return p, errPattern
	}
	place, _, more := strings.Cut(p.glob, "/")
	if strings.Contains(place, "*") && p.glob != "*" {
		return p, fmt.Errorf("%s: name the bucket or host in full", place)
	}
	if !more && p.glob != "*" {
		return p, fmt.Errorf("%s: add /*", place)
	}
	if p.scheme == "image" {
		p.glob = hub(p.glob)
	}
	return p, nil
}

// hub is an image's name with the host that Docker Hub has.
func hub(image string) string {
	if rest, ok := strings.CutPrefix(image, "docker.io/"); ok {
		return name.DefaultRegistry + "/" + rest
	}
	return image
}

// object says whether an S3 object or folder may be read.
func (a Allow) object(rest string) bool { return a.any("s3", rest) }

// file says whether a path may be read: it as it is written, and as it is with
// all symbolic links followed.
func (a Allow) file(p string) bool {
	if a.patterns == nil {
		return true
	}
	abs, err := filepath.Abs(p)
	if err != nil {
		return false
	}
	real := abs
	if r, err := filepath.EvalSymlinks(abs); err == nil {
		real = r
	}
	return a.any("file", filepath.ToSlash(abs)) && a.any("file", filepath.ToSlash(real))
}

// image says whether an image may be deployed by its pin, and whether its
// registry may be asked.
func (a Allow) image(repository string) (allowed, ask bool) {
	if a.patterns == nil {
		return true, true
	}
	for _, p := range a.patterns {
		switch {
		case p.scheme == "*":
			return true, true
		case p.scheme == "image" && p.glob == "*":
			allowed = true
		case p.scheme == "image" && glob.Match(p.glob, repository):
			return true, true
		}
	}
	return allowed, false
}

func (a Allow) any(scheme, rest string) bool {
	if a.patterns == nil {
		return true
	}
	for _, p := range a.patterns {
		if p.scheme == "*" || p.scheme == scheme && glob.Match(p.glob, rest) {
			return true
		}
	}
	return false
}

// String lists the patterns.
func (a Allow) String() string {
	if a.patterns == nil {
		return "*"
	}
	var list []string
	for _, p := range a.patterns {
		switch p.scheme {
		case "*":
			list = append(list, "*")
		case "image":
			list = append(list, "image:"+p.glob)
		default:
			list = append(list, p.scheme+"://"+p.glob)
		}
	}
	return strings.Join(list, ",")
}

func (a Allow) forbid(uri string) error {
	if s := a.String(); s != "" {
		return fmt.Errorf("%s: %w (%s)", show(uri), ErrForbidden, s)
	}
	return fmt.Errorf("%s: %w (none may)", show(uri), ErrForbidden)
}

// filePath is the path of a file: URI or a plain path.
func filePath(uri string) (string, error) {
	if !strings.Contains(uri, "://") {
		return uri, nil
	}
	u, err := url.Parse(uri)
	if err != nil || u.Host != "" && u.Host != "localhost" {
		return "", fmt.Errorf("%s: %w: write file:///path", show(uri), ErrScheme)
	}
	return filepath.FromSlash(u.Path), nil
}

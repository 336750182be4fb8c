package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/leeway-dev/leeway/registry/bucket"
)

// maxFiles bounds a folder.
const maxFiles = 10_000

// What the errors of Check and Digest wrap.
var (
	// ErrMissing: the artifact is not there.
	ErrMissing = errors.New("artifact is missing")
	// ErrDigest: the artifact is not what was registered.
	ErrDigest = errors.New("artifact has another digest")
	// ErrScheme: artifacts of this kind can't be read, or may not be.
	ErrScheme = errors.New("artifact can't be checked")
)

// Options say how artifacts are reached. The zero value reads all kinds, with
// what the AWS SDK finds in its environment.
type Options struct {
	// Endpoint of an S3-compatible server; "" leaves it to the SDK, which reads
	// AWS_ENDPOINT_URL. With any endpoint of one's own, buckets are addressed
	// by path.
	Endpoint string
	// Region; "" leaves it to the SDK, and is us-east-1 where that has none.
	Region string
	// Schemes that may be read: "s3", "file" and "image"; none means all. A
	// process that checks other people's URIs leaves "file" out: its own files
	// are not theirs to ask about.
	Schemes []string
}

// Checker reads artifacts. It is safe for use by many goroutines.
type Checker struct {
	options Options
	// client is made when the first S3 object is asked for: who has none needs
	// no configuration.
	client func(context.Context) (*s3.Client, error)
}

// New returns a checker. It reaches nothing yet.
func New(o Options) *Checker {
	c := &Checker{options: o}
	var mu sync.Mutex
	var made *s3.Client
	c.client = func(ctx context.Context) (*s3.Client, error) {
		mu.Lock()
		defer mu.Unlock()
		if made != nil {
			return made, nil
		}
		var err error
		made, err = bucket.NewClient(ctx, bucket.Options{Endpoint: o.Endpoint, Region: o.Region})
		return made, err
	}
	return c
}

// Check says whether the artifact is there and has this SHA-256, 64 hexadecimal
// digits. The error wraps ErrMissing or ErrDigest where it is one of these; any
// other means that nothing is known. An empty sha256 is refused: what has no
// registered digest can't be proven.
func (c *Checker) Check(ctx context.Context, uri, sha256 string) error {
	if sha256 == "" {
		return fmt.Errorf("%s: %w: no digest was registered", show(uri), ErrDigest)
	}
	got, err := c.Digest(ctx, uri)
	if err != nil {
		return err
	}
	if got != sha256 {
		return fmt.Errorf("%s: %w: it is %s, registered was %s", show(uri), ErrDigest, got, sha256)
	}
	return nil
}

var pinned = regexp.MustCompile(`^[^\s]+@sha256:([0-9a-f]{64})$`)

// Digest returns the SHA-256 of an artifact as 64 hexadecimal digits: of an S3
// object, a file, a folder, or an image by its pin.
func (c *Checker) Digest(ctx context.Context, uri string) (string, error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if m := pinned.FindStringSubmatch(uri); m != nil && (!ok || scheme == "docker" || scheme == "oci") {
		return m[1], c.allowed("image", uri)
	}
	switch {
	case !ok:
		if err := c.allowed("file", uri); err != nil {
			return "", err
		}
		return digestPath(ctx, uri, uri)
	case scheme == "s3":
		if err := c.allowed("s3", uri); err != nil {
			return "", err
		}
		return c.digestS3(ctx, uri, rest)
	case scheme == "file":
		if err := c.allowed("file", uri); err != nil {
			return "", err
		}
		u, err := url.Parse(uri)
		if err != nil || u.Host != "" && u.Host != "localhost" {
			return "", fmt.Errorf("%s: %w: write file:///path", show(uri), ErrScheme)
		}
		return digestPath(ctx, uri, u.Path)
	}
	return "", fmt.Errorf("%s: %w: %q is not one of s3, file, or an image with @sha256:…", show(uri), ErrScheme, scheme)
}

func (c *Checker) allowed(scheme, uri string) error {
	if len(c.options.Schemes) == 0 || slices.Contains(c.options.Schemes, scheme) {
		return nil
	}
	return fmt.Errorf("%s: %w: only %s may be read here", show(uri), ErrScheme, strings.Join(c.options.Schemes, ", "))
}

// show is a URI without a password that somebody may have put into it.
func show(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.User == nil && u.RawQuery == "" {
		return uri
	}
	u.RawQuery = "" // of signed URLs
	return u.Redacted()
}

// folder adds up the files of a folder.
type folder struct {
	lines []string
}

func (f *folder) add(name, digest string) error {
	if len(f.lines) == maxFiles {
		return fmt.Errorf("it has more than %d files", maxFiles)
	}
	f.lines = append(f.lines, digest+"  "+name+"\n")
	return nil
}

func (f *folder) digest() string {
	slices.SortFunc(f.lines, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	sum := sha256.Sum256([]byte(strings.Join(f.lines, "")))
	return hex.EncodeToString(sum[:])
}

// sum reads to the end, or until the context is done.
func sum(ctx context.Context, r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, reader{ctx, r}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

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

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/leeway-dev/leeway/registry/bucket"
)

// The bounds of an artifact.
const (
	maxFiles = 10_000
	maxBytes = 1 << 40
)

// What the errors of Check and Digest wrap.
var (
	// ErrMissing: the artifact is not there.
	ErrMissing = errors.New("artifact is missing")
	// ErrDigest: the artifact is not what was registered.
	ErrDigest = errors.New("artifact has another digest")
	// ErrUnreachable: nothing is known, for nobody has answered, or not to the
	// question.
	ErrUnreachable = errors.New("artifact can't be reached")
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
	// Allow says what may be read. A process that checks other people's URIs
	// leaves files out: its own are not theirs to ask about.
	Allow Allow
	// Keychain has the credentials for registries of images. Nil: none, they are
	// asked as anybody.
	Keychain authn.Keychain
	// MaxBytes of an artifact; 0 is 1 TiB.
	MaxBytes int64
	// Progress is told of the bytes read. Nil: nobody is.
	Progress func(int)
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
		made, err = bucket.NewClient(ctx, bucket.Options{Endpoint: o.Endpoint, Region: o.Region, Wrap: guarded})
		return made, err
	}
	return c
}

// Check says whether the artifact is there and has this SHA-256, 64 hexadecimal
// digits. The error wraps ErrMissing, ErrDigest or ErrScheme where it is one of
// these; any other means that nothing is known. An empty sha256 is refused, but
// for an image, which its pin proves. Reason has a word for each.
func (c *Checker) Check(ctx context.Context, uri, sha256 string) error {
	if pin, ok := Pin(uri); ok && sha256 == "" {
		sha256 = pin
	}
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
	if pin, ok := Pin(uri); ok {
		return c.digestImage(ctx, uri, pin)
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	switch {
	case ok && scheme == "s3":
		if !c.options.Allow.object(rest) {
			return "", c.options.Allow.forbid(uri)
		}
		return c.digestS3(ctx, uri, rest)
	case !ok || scheme == "file":
		path, err := filePath(uri)
		if err != nil {
			return "", err
		}
		if !c.options.Allow.file(path) {
			return "", c.options.Allow.forbid(uri)
		}
		return c.digestPath(ctx, uri, path)
	}
	return "", fmt.Errorf("%s: %w: %q is not one of s3, file, or an image with @sha256:…", show(uri), ErrScheme, scheme)
}

// Pin is the digest in an image's URI, which says what is deployed, whether or
// not its registry can be asked. ok is false for what is no pinned image.
func Pin(uri string) (digest string, ok bool) {
	m := pinned.FindStringSubmatch(uri)
	scheme, _, hasScheme := strings.Cut(uri, "://")
	if m == nil || hasScheme && scheme != "docker" && scheme != "oci" {
		return "", false
	}
	return m[1], true
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

// content is what is read of one artifact, within the bounds.
type content struct {
	ctx      context.Context
	left     int64
	progress func(int)
	lines    []string // of the files of a folder
}

func (c *Checker) content(ctx context.Context) *content {
	k := &content{ctx: ctx, left: c.options.MaxBytes, progress: c.options.Progress}
	if k.left == 0 {
		k.left = maxBytes
	}
	return k
}

// sum reads to the end, or until the context is done.
func (k *content) sum(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, reader{k, r}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// add counts a file of a folder.
func (k *content) add(name, digest string) error {
	if len(k.lines) == maxFiles {
		return fmt.Errorf("it has more than %d files", maxFiles)
	}
	k.lines = append(k.lines, digest+"  "+name+"\n")
	return nil
}

// digest is that of the folder.
func (k *content) digest() string {
	slices.SortFunc(k.lines, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	sum := sha256.Sum256([]byte(strings.Join(k.lines, "")))
	return hex.EncodeToString(sum[:])
}

type reader struct {
	k *content
	io.Reader
}

// Read implements io.Reader.
func (r reader) Read(p []byte) (int, error) {
	if err := r.k.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	if r.k.left -= int64(n); r.k.left < 0 {
		return 0, errTooLarge
	}
	if r.k.progress != nil && n > 0 {
		r.k.progress(n)
	}
	return n, err
}

var errTooLarge = errors.New("it is larger than an artifact may be")

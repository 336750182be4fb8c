package github

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// DefaultURL is where GitHub itself is. A GitHub Enterprise Server is at
// https://HOST/api/v3.
const DefaultURL = "https://api.github.com"

const (
	// requestTimeout bounds one request, sendWithin how long after its line in the
	// journal a dispatch may be under way.
	requestTimeout = 10 * time.Second
	sendWithin     = 15 * time.Second
	// settle is how long a run may take to show up after its dispatch.
	settle = 2 * time.Minute
	// maxNotes is how many dispatches there may be of which nothing is known.
	maxNotes = 3
	// skew is by how much GitHub's clock may be behind.
	skew = 5 * time.Minute
)

// Config is what Workflows needs. All must be set but Transport and Now.
type Config struct {
	// URL of the REST API.
	URL string
	// Live reads Secrets, past the cache.
	Live client.Reader
	// Transport. Nil: a clone of http.DefaultTransport.
	Transport http.RoundTripper
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Workflows trains by workflows of GitHub Actions.
type Workflows struct {
	Config
	base   *url.URL
	client *http.Client
	memory *memory
}

// New makes one.
func New(c Config) (*Workflows, error) {
	base, err := ParseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if c.Live == nil {
		return nil, errors.New("github: Live must be set")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		t, ok := http.DefaultTransport.(*http.Transport)
		if !ok {
			return nil, errors.New("github: http.DefaultTransport was replaced; set Transport")
		}
		t = t.Clone()
		t.ResponseHeaderTimeout = requestTimeout
		t.MaxResponseHeaderBytes = 64 << 10
		c.Transport = t
	}
	return &Workflows{Config: c, base: base, memory: newMemory(), client: &http.Client{
		Transport: c.Transport, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// ParseURL checks the address of a server. A token goes there: by TLS, unless it
// is this machine.
func ParseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("GitHub's address %q is not a URL", s)
	case u.User != nil:
		return nil, errors.New("GitHub's address must have no password in it: the token is read from a Secret")
	case u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("GitHub's address %q: want %s, or https://HOST/api/v3", s, DefaultURL)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return nil, fmt.Errorf("GitHub's address %q must begin with https://: the token would be sent in the clear", s)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Package promapi asks a Prometheus-compatible server (Prometheus, Thanos,
// Mimir, VictoriaMetrics with vmalert) for numbers and rules.
//
// It is strict where other clients are lenient, because what it reads is acted
// upon: an answer that is partial, that is too long, or that is not what was
// asked for is an error. Its requests hold no more than what every such server
// understands. Credentials are read from their files again as they change.
package promapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/model/labels"
)

// ErrPartial is what an answer is that the server itself calls incomplete.
var ErrPartial = errors.New("the answer is partial")

// Config of a Client. Only URL must be set.
type Config struct {
	// URL of the server, with the prefix of its API where it has one: that of
	// Mimir ends in /prometheus.
	URL string
	// Matchers are added to every selector of every query.
	Matchers []*labels.Matcher
	// Username and PasswordFile are for basic auth, TokenFile holds a bearer
	// token. The files are read again for each request.
	Username, PasswordFile, TokenFile string
	// CAFile, CertFile and KeyFile are for TLS; without CAFile the system's
	// authorities count. They are read again when they change.
	CAFile, CertFile, KeyFile string
	// Headers go with each request, such as X-Scope-OrgID.
	Headers map[string]string
	// Timeout of one request; 0 is 10 s.
	Timeout time.Duration
	// MaxBytes bounds one answer; 0 is 32 MiB.
	MaxBytes int64
}

// Client asks one server.
type Client struct {
	base     *url.URL
	http     *http.Client
	headers  map[string]string
	matchers []*labels.Matcher
	timeout  time.Duration
	maxBytes int64
}

// New checks the configuration; it does not connect.
func New(c Config) (*Client, error) {
	base, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("prometheus: %w", err)
	case base.Host == "" || (base.Scheme != "http" && base.Scheme != "https"):
		return nil, fmt.Errorf("prometheus: %q is not a URL such as https://prometheus.monitoring.svc:9090", c.URL)
	case base.User != nil:
		return nil, errors.New("prometheus: the URL holds a password: name a user, and the file of the password")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("prometheus: %q goes on behind the path: leave that out", c.URL)
	}
	auth := promconfig.HTTPClientConfig{TLSConfig: promconfig.TLSConfig{CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile}}
	switch {
	case c.TokenFile != "" && c.Username != "":
		return nil, errors.New("prometheus: a token and a user name: only one of them can be sent")
	case c.PasswordFile != "" && c.Username == "":
		return nil, errors.New("prometheus: a password without a user name")
	case c.TokenFile != "":
		auth.Authorization = &promconfig.Authorization{Type: "Bearer", CredentialsFile: c.TokenFile}
	case c.Username != "":
		auth.BasicAuth = &promconfig.BasicAuth{Username: c.Username, PasswordFile: c.PasswordFile}
	}
	if err := auth.Validate(); err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	client, err := promconfig.NewClientFromConfig(auth, "leeway")
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	return &Client{
		base: base, http: client, headers: c.Headers, matchers: c.Matchers,
		timeout: cmp.Or(c.Timeout, 10*time.Second), maxBytes: cmp.Or(c.MaxBytes, 32<<20),
	}, nil
}

// String is the URL of the server.
func (c *Client) String() string { return c.base.String() }

// answer is the envelope of every endpoint.
type answer struct {
	Status    string          `json:"status"`
	Data      json.RawMessage `json:"data"`
	ErrorType string          `json:"errorType"`
	Error     string          `json:"error"`
	Warnings  []string        `json:"warnings"`
	IsPartial bool            `json:"isPartial"` // VictoriaMetrics
}

// call asks one endpoint and reads the data of its answer into v.
func (c *Client) call(ctx context.Context, method, endpoint string, form url.Values, v any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	u := c.base.JoinPath("api/v1", endpoint)
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	} else {
		u.RawQuery = form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range c.headers {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, c.maxBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("prometheus: %s: %w", u.Path, err)
	case int64(len(raw)) > c.maxBytes:
		return fmt.Errorf("prometheus: %s: the answer is longer than %d bytes", u.Path, c.maxBytes)
	}
	if err := c.read(resp, raw, v); err != nil {
		return fmt.Errorf("prometheus: %s: %w", u.Path, err)
	}
	return nil
}

func (c *Client) read(resp *http.Response, raw []byte, v any) error {
	var a answer
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err := json.Unmarshal(raw, &a); err != nil || a.Status == "" {
		return fmt.Errorf("status %d, and no answer of a Prometheus (%s): %.200q", resp.StatusCode, cmp.Or(kind, "no content type"), raw)
	}
	if a.Status != "success" || resp.StatusCode/100 != 2 {
		return fmt.Errorf("status %d, %s: %.500s", resp.StatusCode, a.ErrorType, a.Error)
	}
	if a.IsPartial {
		return ErrPartial
	}
	for _, w := range a.Warnings {
		// Before 3.0 Prometheus has its remarks on the query among the warnings.
		if !strings.HasPrefix(w, "PromQL info:") {
			return fmt.Errorf("%w: %.500s", ErrPartial, w)
		}
	}
	if err := json.Unmarshal(a.Data, v); err != nil {
		return fmt.Errorf("data that can't be read: %w", err)
	}
	return nil
}

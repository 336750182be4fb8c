package mlflow

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/registry"
)

// What a call may take.
const (
	timeout       = time.Minute
	attempts      = 5
	firstPause    = 100 * time.Millisecond
	maxPause      = 30 * time.Second
	maxAnswer     = 64 << 20 // of a list, or of a run with its data sets
	maxShort      = 4 << 20  // of one object without data sets
	maxComplaint  = 64 << 10 // of an error
	api           = "/api/2.0/mlflow/"
	schemePrefix  = "mlflow+"
	hostHelp      = "start the server with --allowed-hosts or MLFLOW_SERVER_ALLOWED_HOSTS naming this host and its port"
	signInHelp    = "give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
	invalidHost   = "Invalid Host header"
	authorization = "Authorization"
)

// Credentials are what a server may ask for. They are in no error.
type Credentials struct {
	// Username and Password are for Basic authentication. Those in the URI go
	// before them.
	Username, Password string
	// Token is for Bearer authentication, and counts where there is no name.
	Token string
	// CertFile holds certificates, as PEM, that are trusted besides the
	// system's; it may be empty.
	CertFile string
}

// FromEnvironment takes the credentials from the variables that MLflow's own
// clients use, as env gives them: MLFLOW_TRACKING_USERNAME and
// MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_TOKEN, and
// MLFLOW_TRACKING_SERVER_CERT_PATH.
func FromEnvironment(env func(string) string) Credentials {
	return Credentials{
		Username: env("MLFLOW_TRACKING_USERNAME"),
		Password: env("MLFLOW_TRACKING_PASSWORD"),
		Token:    env("MLFLOW_TRACKING_TOKEN"),
		CertFile: env("MLFLOW_TRACKING_SERVER_CERT_PATH"),
	}
}

// client calls a tracking server. It follows no redirects: credentials are for
// the host that was named.
type client struct {
	base   string // http://host:port/prefix, without credentials
	header string // of Authorization; may be empty
	http   *http.Client
	pause  time.Duration // before the first retry
}

// Redact returns a registry's URI without the password that it may hold.
func Redact(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.User == nil {
		if before, after, ok := strings.Cut(uri, "@"); ok && strings.HasPrefix(uri, schemePrefix) {
			scheme, _, _ := strings.Cut(before, "://")
			return scheme + "://xxxxx@" + after
		}
		return uri
	}
	return u.Redacted()
}

func newClient(uri string, c Credentials) (*client, error) {
	invalid := func(what string) error {
		return fmt.Errorf("%w: registry %s: %s; want mlflow+http://host:port or mlflow+https://host", registry.ErrInvalid, Redact(uri), what)
	}
	u, err := url.Parse(strings.TrimPrefix(uri, schemePrefix))
	switch {
	case err != nil:
		return nil, invalid("not a URI")
	case u.Scheme != "http" && u.Scheme != "https" || !strings.HasPrefix(uri, schemePrefix):
		return nil, invalid("another scheme")
	case u.Hostname() == "":
		return nil, invalid("no host")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, invalid("a query or fragment")
	}
	client := &client{pause: firstPause}
	if u.User != nil {
		c.Username = u.User.Username()
		c.Password, _ = u.User.Password()
		u.User = nil
	}
	client.base = strings.TrimSuffix(u.String(), "/")
	request := &http.Request{Header: http.Header{}}
	switch {
	case c.Username != "" || c.Password != "":
		request.SetBasicAuth(c.Username, c.Password)
	case c.Token != "":
		request.Header.Set(authorization, "Bearer "+c.Token)
	}
	client.header = request.Header.Get(authorization)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	if c.CertFile != "" {
		if transport.TLSClientConfig, err = trusting(c.CertFile); err != nil {
			return nil, err
		}
	}
	client.http = &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return client, nil
}

// trusting is the system's trust and that in a file.
func trusting(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: certificates: %w", registry.ErrInvalid, err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: %s holds no certificate in PEM form", registry.ErrInvalid, file)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// request is one call of the REST API.
type request struct {
	method, path string
	query        url.Values
	body         any   // nil for none
	limit        int64 // bytes of the answer
	// once: made twice it does something else, so it is not tried again unless
	// the server can't have done it.
	once bool
}

// call makes a request and decodes the answer, trying again where that may help
// and can do no harm.
func (c *client) call(ctx context.Context, r request, into any) error {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return fmt.Errorf("mlflow: %s: %w", r.path, err)
		}
	}
	pause := c.pause
	for attempt := 1; ; attempt++ {
		err := c.try(ctx, r, body, into)
		var f *failure
		if err == nil || !errors.As(err, &f) || attempt == attempts || !f.mayRetry(r.once) {
			return err
		}
		if stop := wait(ctx, min(max(f.after, pause/2+rand.N(pause)), maxPause)); stop != nil {
			return fmt.Errorf("%w (%w)", err, stop)
		}
		pause *= 2
	}
}

func (c *client) try(ctx context.Context, r request, body []byte, into any) error {
	target := c.base + api + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var reader io.Reader
	if r.body != nil {
		reader = bytes.NewReader(body)
	}
	q, err := http.NewRequestWithContext(ctx, r.method, target, reader)
	if err != nil {
		return fmt.Errorf("mlflow: %s: %w", r.path, err)
	}
	q.Header.Set("Accept", "application/json")
	q.Header.Set("User-Agent", "leeway")
	if reader != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if c.header != "" {
		q.Header.Set(authorization, c.header)
	}
	answer, err := c.http.Do(q)
	if err != nil {
		return c.lost(ctx, r, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return c.refused(r, answer)
	}
	limit := r.limit
	if limit == 0 {
		limit = maxShort
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if err != nil {
		return c.lost(ctx, r, err)
	}
	if int64(len(b)) > limit {
		return c.fail(r, answer.StatusCode, "", registry.ErrTooLarge, fmt.Sprintf("the answer has more than %d bytes", limit))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return c.fail(r, answer.StatusCode, "", registry.ErrInvalid, "the answer can't be read: "+clean(err.Error()))
	}
	return nil
}

// lost explains that no whole answer came.
func (c *client) lost(ctx context.Context, r request, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, which may be long
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	f := c.fail(r, 0, "", registry.ErrUnreachable, err.Error())
	f.cause = err
	var dial *net.OpError
	f.unsent = errors.As(err, &dial) && dial.Op == "dial"
	if errors.As(err, new(*tls.CertificateVerificationError)) {
		f.final = true
		f.text += "; MLFLOW_TRACKING_SERVER_CERT_PATH names a file of certificates to trust"
	}
	return f
}

// refused explains an answer that is not 200.
func (c *client) refused(r request, answer *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(answer.Body, maxComplaint)) // as much as came
	var said struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	text := string(b)
	if json.Unmarshal(b, &said) == nil && said.Message != "" {
		text = said.Message
	} else if strings.HasPrefix(strings.TrimSpace(text), "<") {
		text = "a web page" // of a proxy, or of an unknown path
	}
	kind, help := explain(answer, said.Code, text)
	if help != "" {
		text += "; " + help
	}
	f := c.fail(r, answer.StatusCode, said.Code, kind, text)
	if s, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && s > 0 {
		f.after = time.Duration(min(s, 3600)) * time.Second
	} else if at, err := http.ParseTime(answer.Header.Get("Retry-After")); err == nil {
		f.after = time.Until(at)
	}
	return f
}

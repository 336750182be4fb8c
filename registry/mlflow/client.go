package mlflow

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
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

// client calls a tracking server. It follows no redirects: credentials are for
// the host that was named.
type client struct {
	base   string // http://host:port/prefix, without credentials
	header string // of Authorization; may be empty
	http   *http.Client
	pause  time.Duration // before the first retry
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
	help, kind := explain(answer, said.Code, text)
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

package client

import (
	"bytes"
	"compress/gzip"
	"context"
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
	"github.com/leeway-dev/leeway/registry/api"
)

const (
	// maxAnswer bounds what is read of one answer, after decompression. A page
	// of versions is smaller, and so is a profile.
	maxAnswer  = 64 << 20
	maxProblem = 64 << 10
	firstWait  = 100 * time.Millisecond
	maxWait    = 10 * time.Second
)

// answer is what a server said, with the tag to ask again by.
type answer struct {
	tag  string
	body []byte
}

// overhead of what is kept beside its bytes, roughly.
const overhead = 256

// rawJSON is JSON already.
type rawJSON []byte

// MarshalJSON implements json.Marshaler.
func (b rawJSON) MarshalJSON() ([]byte, error) { return b, nil }

func (c *Client) key(path string, query map[string]string) string {
	q := url.Values{}
	for name, value := range query {
		if value != "" {
			q.Set(name, value)
		}
	}
	return c.url(path, q)
}

func (c *Client) url(path string, q url.Values) string {
	if c.namespace != "" {
		q.Set("namespace", c.namespace)
	}
	u := c.base + api.Prefix + path
	if len(q) > 0 {
		u += "?" + q.Encode()
	}
	return u
}

// get reads a JSON document.
func (c *Client) get(ctx context.Context, path string, query map[string]string, into any) error {
	a, err := c.fetch(ctx, path, query, true)
	if err != nil {
		return err
	}
	return c.decode(a.body, into)
}

func (c *Client) decode(b []byte, into any) error {
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w: the answer can't be read; is it Leeway's registry? %w", c.where(), registry.ErrInvalid, err)
	}
	return nil
}

// fetch reads what is at a path, from memory where the server says that it is
// still the same; keep says whether to remember it.
func (c *Client) fetch(ctx context.Context, path string, query map[string]string, keep bool) (answer, error) {
	u := c.key(path, query)
	known, ok := c.answers.Get(u, "")
	a, err := c.try(ctx, true, func() (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
		if err == nil && ok {
			r.Header.Set("If-None-Match", `W/"`+known.tag+`"`)
		}
		return r, err
	})
	switch {
	case errors.Is(err, errNotModified):
		return known, nil
	case err != nil:
		return answer{}, err
	case keep && a.tag != "":
		c.answers.Put(u, "", a, int64(len(u)+len(a.body)+overhead))
	}
	return a, nil
}

// post sends a JSON document, compressed, and reads the answer.
func (c *Client) post(ctx context.Context, path string, q url.Values, document any, again bool, into any) error {
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	if err := json.NewEncoder(z).Encode(document); err != nil {
		return fmt.Errorf("%w: %w", registry.ErrInvalid, err)
	}
	if err := z.Close(); err != nil {
		return err
	}
	if q == nil {
		q = url.Values{}
	}
	u := c.url(path, q)
	a, err := c.try(ctx, again, func() (*http.Request, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, u, bytes.NewReader(body.Bytes()))
		if err == nil {
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Content-Encoding", "gzip")
		}
		return r, err
	})
	if err != nil {
		return err
	}
	return c.decode(a.body, into)
}

// errNotModified: what is remembered is still so.
var errNotModified = errors.New("not modified")

// try sends a request until there is an answer that counts. What may have
// reached the server is sent again only where again says that this does no harm.
func (c *Client) try(ctx context.Context, again bool, request func() (*http.Request, error)) (answer, error) {
	for n, wait := 1, firstWait; ; n, wait = n+1, min(2*wait, maxWait) {
		r, err := request()
		if err != nil {
			return answer{}, fmt.Errorf("%s: %w", c.where(), err)
		}
		a, after, err := c.send(r)
		passing := new(passing)
		if err == nil || n >= c.tries || ctx.Err() != nil || !errors.As(err, &passing) || passing.reached && !again {
			return a, err
		}
		select {
		case <-ctx.Done():
			return answer{}, err
		case <-time.After(max(wait/2+rand.N(wait), after)): // those who failed together should not come back together
		}
	}
}

// passing is an error that may be over at the next try. reached says that the
// server may have done what was asked for.
type passing struct {
	error
	reached bool
}

func (e *passing) Unwrap() error { return e.error }

// send sends a request once. after is how long the server wants to be left
// alone.
func (c *Client) send(r *http.Request) (a answer, after time.Duration, err error) {
	if c.token != nil {
		token, err := c.token(r.Context())
		if err != nil {
			return a, 0, fmt.Errorf("registry %s: the token: %w", c.where(), err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}
	w, err := c.http.Do(r)
	if err != nil {
		// The URL is said already, and ctx's own error is what a caller asks for.
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err
		}
		dial := new(net.OpError)
		reached := !errors.As(err, &dial) || dial.Op != "dial"
		return a, 0, &passing{fmt.Errorf("registry %s: %w: %w", c.where(), registry.ErrUnreachable, err), reached}
	}
	defer w.Body.Close()
	switch {
	case w.StatusCode == http.StatusNotModified && r.Header.Get("If-None-Match") != "":
		return a, 0, errNotModified
	case w.StatusCode/100 != 2:
		return a, retryAfter(w), c.problem(w)
	}
	if a.body, err = io.ReadAll(io.LimitReader(w.Body, maxAnswer+1)); err != nil {
		return a, 0, &passing{fmt.Errorf("registry %s: %w: the answer broke off: %w", c.where(), registry.ErrUnreachable, err), true}
	}
	if len(a.body) > maxAnswer {
		return a, 0, fmt.Errorf("registry %s: %w: the answer has more than %d bytes", c.where(), registry.ErrTooLarge, maxAnswer)
	}
	a.tag = strings.Trim(strings.TrimPrefix(w.Header.Get("ETag"), "W/"), `"`)
	return a, 0, nil
}

// retryAfter is bounded: a server can't make a client wait for ever.
func retryAfter(w *http.Response) time.Duration {
	seconds, err := strconv.Atoi(w.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxWait)
}

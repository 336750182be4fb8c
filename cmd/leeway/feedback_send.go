package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/leeway-dev/leeway/agent/feedback"
)

const (
	// batchTimeout is of one try; a controller reads for a minute at most.
	batchTimeout = 90 * time.Second
	// lastWords is how long an interrupted command waits for the answer to what it
	// sent: without it, the batch would be sent again and could count twice.
	lastWords = patience * 3 / 4
	firstWait = 250 * time.Millisecond
	maxWait   = 15 * time.Second
	maxAnswer = 4 << 20
)

// labelClient sends batches to one address.
type labelClient struct {
	url      string
	options  labelOptions
	retryFor time.Duration
	note     func(format string, args ...any)
}

func newLabelClient(o labelOptions, note func(string, ...any)) *labelClient {
	u := strings.TrimSuffix(o.url, "/") + "/leeway/v1/feedback"
	if o.outcomes != "auto" {
		u += "?outcomes=" + o.outcomes
	}
	return &labelClient{url: u, options: o, retryFor: o.retryFor, note: note}
}

// passing is an error that may be over at the next try.
type passing struct{ error }

func (e passing) Unwrap() error { return e.error }

// send sends one batch of rows, until there is an answer or no hope.
func (c *labelClient) send(ctx context.Context, rows []byte, n int) (feedback.Answer, error) {
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	if _, err := z.Write(rows); err != nil {
		return feedback.Answer{}, err
	}
	if err := z.Close(); err != nil {
		return feedback.Answer{}, err
	}
	end := time.Now().Add(c.retryFor)
	for try, wait := 1, firstWait; ; try, wait = try+1, min(2*wait, maxWait) {
		answer, err := c.try(ctx, body.Bytes())
		if err == nil && answer.Accepted+answer.Duplicate+answer.Rejected != n {
			err = fmt.Errorf("%s answered for %d rows, and %d were sent: is it Leeway?",
				c.url, answer.Accepted+answer.Duplicate+answer.Rejected, n)
		}
		if err == nil || !errors.As(err, new(passing)) || ctx.Err() != nil || time.Now().Add(wait).After(end) {
			return answer, err
		}
		if try == 1 {
			c.note("%v; it is tried again for %s", err, c.retryFor)
		}
		select {
		case <-ctx.Done():
			return answer, ctx.Err()
		case <-time.After(wait/2 + rand.N(wait)): // senders that failed together should not come back together
		}
	}
}

// try sends it once.
func (c *labelClient) try(ctx context.Context, body []byte) (feedback.Answer, error) {
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, cancel) })
	defer stop()
	r, err := http.NewRequestWithContext(sending, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return feedback.Answer{}, err
	}
	r.Header.Set("Content-Type", "text/csv")
	r.Header.Set("Content-Encoding", "gzip")
	token, err := c.token()
	if err != nil {
		return feedback.Answer{}, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return feedback.Answer{}, passing{err}
	}
	defer w.Body.Close()
	text, err := io.ReadAll(io.LimitReader(w.Body, maxAnswer))
	if err != nil {
		return feedback.Answer{}, passing{fmt.Errorf("%s: the answer broke off: %w", c.url, err)}
	}
	return c.read(w, text)
}

// read makes sense of an answer.
func (c *labelClient) read(w *http.Response, text []byte) (feedback.Answer, error) {
	var answer feedback.Answer
	isAnswer := json.Unmarshal(text, &answer) == nil
	said := fmt.Errorf("%s: %s: %s", c.url, w.Status, clipped(text))
	switch code := w.StatusCode; {
	case isAnswer && (code == http.StatusOK || code == http.StatusUnprocessableEntity):
		return answer, nil
	case isAnswer && code == http.StatusForbidden && len(answer.Errors) > 0:
		// One namespace for all: the other rows would fare no better.
		return feedback.Answer{}, fmt.Errorf("%s: %s: %s", c.url, w.Status, answer.Errors[0].Error)
	case code >= 500 || code == http.StatusTooManyRequests:
		return feedback.Answer{}, passing{said}
	case code == http.StatusRequestEntityTooLarge:
		return feedback.Answer{}, fmt.Errorf("%w; send fewer rows at once, with --batch", said)
	}
	return feedback.Answer{}, said
}

func clipped(text []byte) string {
	return strings.TrimSpace(string(text[:min(len(text), 500)]))
}

// token is read anew each time: one that is mounted is renewed while rows are
// sent.
func (c *labelClient) token() (string, error) {
	if c.options.tokenFile == "" {
		return c.options.token, nil
	}
	b, err := os.ReadFile(c.options.tokenFile)
	return strings.TrimSpace(string(b)), err
}

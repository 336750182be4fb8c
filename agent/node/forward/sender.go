package forward

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/agent/node/buffer"
)

const (
	minPause = 200 * time.Millisecond
	maxPause = 10 * time.Second
	// saveEvery bounds what is sent twice after a crash.
	saveEvery = time.Second
)

// sender brings the buffer to one replica, one request at a time and in order.
type sender struct {
	replica Replica
	reader  *buffer.Reader
	cfg     *Config
	metrics *metrics
	log     *zap.Logger

	pause    time.Duration // before the next attempt; 0 when the last was well
	saved    time.Time
	expired  int64 // of reader.Dropped, already counted
	failures int   // in a row, so that the log says it once
}

// run sends until ctx ends, and then for at most the grace what is left.
func (s *sender) run(ctx context.Context) {
	defer func() {
		if err := s.reader.Close(); err != nil {
			s.log.Warn("position not saved; some samples will be sent twice", zap.Error(err))
		}
	}()
	send, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(s.cfg.Grace, cancel)
		context.AfterFunc(send, func() { timer.Stop() })
	})()
	for send.Err() == nil {
		next := ctx
		if ctx.Err() != nil {
			if behind, _ := s.reader.Behind(); behind == 0 {
				return
			}
			next = send
		}
		rec, err := s.reader.Next(next)
		if err == buffer.ErrClosed {
			return
		}
		if err == nil {
			s.attempt(send, rec)
		}
	}
}

// attempt sends one record once and moves on, or waits to try again.
func (s *sender) attempt(ctx context.Context, rec buffer.Record) {
	res := s.post(ctx, rec)
	s.countExpired()
	if !res.final {
		s.wait(ctx, res)
		return
	}
	if s.failures > 0 {
		s.log.Info("replica takes samples again", zap.Int("attempts", s.failures))
	}
	s.failures, s.pause = 0, 0
	s.metrics.sent.WithLabelValues(s.replica.Name).Add(float64(res.written))
	if lost := rec.Samples - res.written; lost > 0 {
		s.metrics.dropped.WithLabelValues(s.replica.Name, ReasonRefused).Add(float64(lost))
		s.log.Warn("replica refused samples", zap.Int("samples", lost), zap.String("answer", res.answer), zap.Error(res.err))
	}
	s.reader.Ack()
	if now := s.cfg.Now(); now.Sub(s.saved) >= saveEvery {
		s.saved = now
		if err := s.reader.Save(); err != nil {
			s.log.Warn("position not saved", zap.Error(err))
		}
	}
}

func (s *sender) wait(ctx context.Context, res result) {
	s.metrics.retries.WithLabelValues(s.replica.Name, res.answer).Inc()
	if s.failures++; s.failures == 1 {
		s.log.Warn("replica does not take samples; they are kept and sent again", zap.String("answer", res.answer), zap.Error(res.err))
	}
	s.pause = min(max(2*s.pause, minPause), maxPause)
	// Jitter: the senders of all nodes see a replica go at the same moment.
	pause := time.Duration((0.5 + rand.Float64()/2) * float64(s.pause))
	timer := time.NewTimer(max(pause, res.after))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *sender) countExpired() {
	if n := s.reader.Dropped(); n > s.expired {
		s.metrics.dropped.WithLabelValues(s.replica.Name, ReasonExpired).Add(float64(n - s.expired))
		s.log.Warn("samples are lost to this replica: it was away for longer than the buffer holds", zap.Int64("samples", n-s.expired))
		s.expired = n
	}
}

// result is what came of one attempt.
type result struct {
	final   bool // taken, or refused for good
	written int  // samples taken
	answer  string
	after   time.Duration // the replica asks for this pause
	err     error
}

func (s *sender) post(ctx context.Context, rec buffer.Record) result {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.replica.URL, bytes.NewReader(rec.Body))
	if err != nil {
		return result{answer: "error", err: err}
	}
	req.Header.Set("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "2.0.0")
	req.Header.Set("User-Agent", "leeway-agent")
	if err := Authorize(req, s.cfg.TokenFile); err != nil {
		return result{answer: "error", err: err}
	}
	resp, err := s.cfg.Client.Do(req)
	if err != nil {
		// The replica may have come back under another address.
		s.cfg.Client.CloseIdleConnections()
		return result{answer: "error", err: err}
	}
	defer resp.Body.Close()
	message, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return judge(resp, rec.Samples, strings.TrimSpace(string(message)))
}

// judge reads an answer. 401 and 403 are tried again: a token, a role or the API
// server may be late, and dropping hours of samples for it would be silence.
func judge(resp *http.Response, samples int, message string) result {
	res := result{answer: strconv.Itoa(resp.StatusCode)}
	switch code := resp.StatusCode; {
	case code/100 == 2:
		res.final, res.written = true, samples
		return res
	case code/100 == 5, code == http.StatusTooManyRequests, code == http.StatusUnauthorized,
		code == http.StatusForbidden, code == http.StatusRequestTimeout, code/100 == 3, code == http.StatusNotFound:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		res.after = min(time.Duration(max(seconds, 0))*time.Second, maxPause)
	default:
		res.final = true
		res.written = min(headerCount(resp, "Samples")+headerCount(resp, "Histograms"), samples)
	}
	res.err = fmt.Errorf("%s: %s", resp.Status, message)
	return res
}

func headerCount(resp *http.Response, what string) int {
	n, _ := strconv.Atoi(resp.Header.Get("X-Prometheus-Remote-Write-" + what + "-Written"))
	return max(n, 0)
}

// Authorize puts the token of the file into the request. An empty name is no
// token.
func Authorize(req *http.Request, tokenFile string) error {
	token, err := FileToken(tokenFile)(req.Context())
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// FileToken reads the token of a file each time that it is asked for, because
// the kubelet replaces a projected one. An empty name gives no token.
func FileToken(name string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		if name == "" {
			return "", nil
		}
		b, err := os.ReadFile(name)
		return strings.TrimSpace(string(b)), err
	}
}

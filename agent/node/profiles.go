package node

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/agent/node/forward"
)

// pushResult says what came of bringing a sidecar its reference.
type pushResult string

const (
	fetched         pushResult = "" // the profile is here, the push is still to do
	pushed          pushResult = "pushed"
	pushConflict    pushResult = "conflict"
	noProfile       pushResult = "no_profile"
	wrongDigest     pushResult = "wrong_digest"
	controllerError pushResult = "controller_error"
	sidecarError    pushResult = "sidecar_error"
)

func pushResults() []pushResult {
	return []pushResult{pushed, pushConflict, noProfile, wrongDigest, controllerError, sidecarError}
}

const (
	maxProfile     = 16 << 20
	requestTimeout = 5 * time.Second
	// cacheFor is how long a profile is reused: the pods of one rollout come
	// within minutes of each other. What is not stamped with a digest could be
	// registered anew, so it is kept for a rollout only as well.
	cacheFor  = 2 * time.Minute
	cacheSize = 4
)

type profileKey struct{ namespace, model, version, digest string }

// profileSource gets profiles from whichever controller answers.
type profileSource struct {
	controllers []Controller
	tokenFile   string
	client      *http.Client
	now         func() time.Time

	mu    sync.Mutex
	first int // index of the controller that answered last
	cache []cachedProfile
}

type cachedProfile struct {
	key  profileKey
	body []byte
	at   time.Time
}

func newProfileSource(cfg Config) *profileSource {
	return &profileSource{controllers: cfg.Controllers, tokenFile: cfg.TokenFile, client: cfg.Client, now: time.Now}
}

// get fetches one at a time, so that the pods of a rollout cost one request.
func (s *profileSource) get(ctx context.Context, key profileKey) ([]byte, pushResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.cache {
		if c.key == key && s.now().Sub(c.at) < cacheFor {
			return c.body, fetched, nil
		}
	}
	var lastErr error
	for i := range s.controllers {
		n := (s.first + i) % len(s.controllers)
		body, status, err := s.fetch(ctx, s.controllers[n], key)
		switch {
		case err != nil:
			lastErr = err
			continue
		case status == http.StatusNotFound:
			return nil, noProfile, fmt.Errorf("%s has no profile of %s/%s version %s", s.controllers[n].Name, key.namespace, key.model, key.version)
		}
		s.first = n
		if err := checkDigest(key, body); err != nil {
			return nil, wrongDigest, err
		}
		s.keep(key, body)
		return body, fetched, nil
	}
	return nil, controllerError, lastErr
}

func checkDigest(key profileKey, body []byte) error {
	got := fmt.Sprintf("sha256:%x", sha256.Sum256(body))
	if key.digest != "" && key.digest != got {
		return fmt.Errorf("the registered profile is %s, the pod is stamped with %s", got, key.digest)
	}
	return nil
}

func (s *profileSource) keep(key profileKey, body []byte) {
	if len(s.cache) == cacheSize {
		s.cache = append(s.cache[:0:0], s.cache[1:]...)
	}
	s.cache = append(s.cache, cachedProfile{key: key, body: body, at: s.now()})
}

func (s *profileSource) fetch(ctx context.Context, c Controller, key profileKey) ([]byte, int, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	u := fmt.Sprintf("%s/leeway/v1/models/%s/versions/%s/profile?namespace=%s",
		c.URL, url.PathEscape(key.model), url.PathEscape(key.version), url.QueryEscape(key.namespace))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, 0, err
	}
	if err := forward.Authorize(req, s.tokenFile); err != nil {
		return nil, 0, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProfile+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("profile from %s: %w", c.Name, err)
	case resp.StatusCode == http.StatusNotFound:
		return nil, resp.StatusCode, nil
	case resp.StatusCode != http.StatusOK:
		return nil, 0, fmt.Errorf("profile from %s: %s: %s", c.Name, resp.Status, excerpt(body))
	case len(body) > maxProfile:
		return nil, 0, fmt.Errorf("profile from %s: more than %d bytes", c.Name, maxProfile)
	}
	return body, resp.StatusCode, nil
}

// pusher speaks to sidecars.
type pusher struct{ client *http.Client }

func (p pusher) put(ctx context.Context, address string, body []byte) (pushResult, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+address+"/reference", bytes.NewReader(body))
	if err != nil {
		return sidecarError, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return sidecarError, err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	switch {
	case resp.StatusCode/100 == 2:
		return pushed, nil
	case resp.StatusCode == http.StatusConflict:
		return pushConflict, fmt.Errorf("%s: %s", resp.Status, excerpt(answer))
	default:
		return sidecarError, fmt.Errorf("PUT /reference: %s: %s", resp.Status, excerpt(answer))
	}
}

func excerpt(body []byte) string {
	s := strings.TrimSpace(string(body[:min(len(body), 200)]))
	return cmp.Or(s, "no message")
}

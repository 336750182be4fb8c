package node

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/agent/node/forward"
	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/client"
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
	controllers []registryOf
	now         func() time.Time

	mu    sync.Mutex
	first int // index of the controller that answered last
	cache []cachedProfile
}

// registryOf is the registry as one controller serves it.
type registryOf struct {
	name string
	*client.Client
}

type cachedProfile struct {
	key  profileKey
	body []byte
	at   time.Time
}

func newProfileSource(cfg Config) (*profileSource, error) {
	s := &profileSource{now: time.Now}
	for _, c := range cfg.Controllers {
		registry, err := client.New(client.Config{
			URL: c.URL, Token: forward.FileToken(cfg.TokenFile), HTTP: cfg.Client,
			Tries:    1,       // the other controller is the second try
			MaxCache: 4 << 20, // for what is asked for again after cacheFor
		})
		if err != nil {
			return nil, fmt.Errorf("controller %s: %w", c.Name, err)
		}
		s.controllers = append(s.controllers, registryOf{c.Name, registry})
	}
	return s, nil
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
	number, err := registry.ParseNumber(key.version)
	if err != nil {
		return nil, noProfile, err
	}
	for i := range s.controllers {
		n := (s.first + i) % len(s.controllers)
		body, missing := s.fetch(ctx, s.controllers[n], key, number)
		switch {
		case errors.Is(missing, registry.ErrNotFound), errors.Is(missing, registry.ErrNoProfile):
			return nil, noProfile, missing
		case missing != nil:
			err = missing
			continue
		}
		s.first = n
		if err := checkDigest(key, body); err != nil {
			return nil, wrongDigest, err
		}
		s.keep(key, body)
		return body, fetched, nil
	}
	return nil, controllerError, err
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

func (s *profileSource) fetch(ctx context.Context, c registryOf, key profileKey, number int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, err := c.In(key.namespace).Profile(ctx, key.model, number)
	if err != nil {
		return nil, fmt.Errorf("profile from %s: %w", c.name, err)
	}
	return body, nil
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

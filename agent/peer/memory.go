package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/agent/auth"
)

const (
	// askAgain is when the others are asked again about pods, once they could not be;
	// backAfter is when one that is away is not waited for any more.
	askAgain  = 3 * time.Second
	backAfter = 15 * time.Second
	// maxAnswer bounds what a peer says of a pod.
	maxAnswer = 1 << 20
)

// Memory is what the others know of pods that this replica has not heard of.
type Memory struct {
	peers Peers
	now   func() time.Time

	mu     sync.Mutex
	failed time.Time // since when they can't be asked; zero: they can
	tried  time.Time
}

// NewMemory asks these. now may be nil: time.Now.
func NewMemory(p Peers, now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{peers: p, now: now}
}

// Seen are the pods of a name that the others have taken samples of since a time:
// they knew them when they were there. For as long as a replica takes to come back,
// not to be able to ask is an error; after that nobody remembers.
func (m *Memory) Seen(ctx context.Context, namespace, name string, since time.Time) ([]auth.Seen, error) {
	m.mu.Lock() // one question after the other: they come in a row
	defer m.mu.Unlock()
	now := m.now()
	if m.failed.IsZero() || now.Sub(m.tried) >= askAgain {
		pods, err := m.ask(ctx, namespace, name, since)
		if err == nil {
			m.failed = time.Time{}
			return pods, nil
		}
		if m.tried = now; m.failed.IsZero() {
			m.failed = now
		}
	}
	if now.Sub(m.failed) < backAfter {
		return nil, errors.New("another controller, which may remember the pod, can't be asked")
	}
	return nil, nil
}

func (m *Memory) ask(ctx context.Context, namespace, name string, since time.Time) (pods []auth.Seen, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	query := url.Values{
		"match[]": {fmt.Sprintf("leeway_model_info{job=\"leeway-sidecar\",namespace=%q,pod=%q}", namespace, name)},
		"start":   {strconv.FormatInt(since.Unix(), 10)},
	}
	for _, peer := range m.peers.All {
		body, failed := m.peers.get(ctx, peer, "/api/v1/series", query)
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		var answer struct {
			Data []struct {
				Node    string
				Model   string `json:"model_name"`
				Version string `json:"model_version"`
			}
		}
		failed = json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&answer)
		err = errors.Join(err, failed, body.Close())
		for _, s := range answer.Data {
			pods = append(pods, auth.Seen{Node: s.Node, Model: s.Model, Version: s.Version})
		}
	}
	if len(pods) > 0 {
		return pods, nil
	}
	return nil, err
}

package guard

import (
	"context"
	"sync"
	"time"

	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

const (
	// checkTimeout bounds the check of one artifact: some have tens of gigabytes,
	// and every byte is read.
	checkTimeout = 30 * time.Minute
	// A check that took longer than slowCheck holds good for checkFor. Others
	// are made again each time.
	slowCheck = 5 * time.Second
	checkFor  = 10 * time.Minute
)

// checks remembers artifacts that were found as registered, where finding it out
// takes longer than a visit.
type checks struct {
	mu   sync.Mutex
	good map[registryv1.Artifact]time.Time
}

func newChecks() *checks { return &checks{good: map[registryv1.Artifact]time.Time{}} }

func (c *checks) do(ctx context.Context, now func() time.Time, a registryv1.Artifact, check func(ctx context.Context, uri, sha256 string) error) error {
	began := now()
	c.mu.Lock()
	for known, at := range c.good {
		if began.Sub(at) >= checkFor {
			delete(c.good, known)
		}
	}
	_, good := c.good[a]
	c.mu.Unlock()
	if good {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := check(ctx, a.URI, a.SHA256); err != nil {
		return err
	}
	if t := now(); t.Sub(began) > slowCheck {
		c.hold(t, a)
	}
	return nil
}

// hold has an artifact hold good for checkFor.
func (c *checks) hold(t time.Time, a registryv1.Artifact) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.good[a] = t
}

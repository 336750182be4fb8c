package guard

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/artifact"
	registryv1 "github.com/leeway-dev/leeway/registry/v1alpha1"
)

const (
	// checkTimeout bounds the check of one artifact: some have tens of gigabytes,
	// and every byte is read.
	checkTimeout = 30 * time.Minute
	// What a check that took longer than slowCheck found holds for checkFor.
	// Others are made again each time when they were good, and after recheckAfter
	// when not: what was put back is seen soon.
	slowCheck    = 5 * time.Second
	checkFor     = 10 * time.Minute
	recheckAfter = time.Minute
)

// checks remembers what was found of artifacts: that they are as registered,
// where finding it out takes longer than a visit, and that they are not, so that
// the next match leaves them out. Of an artifact that can't be reached nothing
// was found, and it is asked for again. A version that was put right by another
// digest or address is another artifact.
type checks struct {
	mu    sync.Mutex
	found map[registryv1.Artifact]finding
}

// finding is what a check said, nil for good, and until when that holds.
type finding struct {
	err   error
	until time.Time
}

func newChecks() *checks { return &checks{found: map[registryv1.Artifact]finding{}} }

func (c *checks) do(ctx context.Context, now func() time.Time, a registryv1.Artifact, check func(ctx context.Context, uri, sha256 string) error) error {
	began := now()
	c.mu.Lock()
	maps.DeleteFunc(c.found, func(_ registryv1.Artifact, f finding) bool { return !began.Before(f.until) })
	f, known := c.found[a]
	c.mu.Unlock()
	if known {
		return f.err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := check(ctx, a.URI, a.SHA256)
	t := now()
	switch slow := t.Sub(began) > slowCheck; {
	case err != nil && !isVerdict(err):
	case slow:
		c.remember(a, finding{err, t.Add(checkFor)})
	case err != nil:
		c.remember(a, finding{err, t.Add(recheckAfter)})
	}
	return err
}

func isVerdict(err error) bool {
	return errors.Is(err, artifact.ErrMissing) || errors.Is(err, artifact.ErrDigest) || errors.Is(err, artifact.ErrScheme)
}

// lost is what is known to be wrong with an artifact, or nil.
func (c *checks) lost(now time.Time, a registryv1.Artifact) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, known := c.found[a]; known && now.Before(f.until) {
		return f.err
	}
	return nil
}

// hold has an artifact hold good for checkFor.
func (c *checks) hold(t time.Time, a registryv1.Artifact) {
	c.remember(a, finding{nil, t.Add(checkFor)})
}

func (c *checks) remember(a registryv1.Artifact, f finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found[a] = f
}

// findings are the versions whose artifact is known to be unusable.
func (c *checks) findings(now time.Time, versions []registry.Version) map[int64]registry.Finding {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[int64]registry.Finding{}
	for _, v := range versions {
		if f, known := c.found[v.Spec.Artifact]; known && f.err != nil && now.Before(f.until) {
			found[v.Number] = registry.Finding{Reason: registry.Exclusion(artifact.Reason(f.err)), Detail: f.err.Error()}
		}
	}
	return found
}

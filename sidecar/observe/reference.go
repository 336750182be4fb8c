package observe

import (
	"fmt"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// reference is a version's profile and what has been counted in its bins. It is set once: counts of two references never mix.
type reference struct {
	digest   string
	profile  *profile.Profile
	recorder *profile.Recorder

	mu                sync.Mutex // guards the counts; taken before the recorder's lock
	features, outputs *columns
	unknown           uint64
	parser            protocol.Parser
}

func newReference(p *profile.Profile, digest string) (*reference, error) {
	for _, list := range [][]profile.Column{p.Features, p.Predictions} {
		for _, c := range list {
			if len(c.Bins) == 0 || len(c.Sketch) > 0 {
				return nil, fmt.Errorf("column %q is not of training data: a live profile is no reference", c.Name)
			}
		}
	}
	rec, err := profile.NewRecorder(p.Features, p.Predictions)
	if err != nil {
		return nil, err
	}
	r := &reference{digest: digest, profile: p, recorder: rec}
	r.features = newColumns(p.Features, rec.Feature, &r.unknown, rec.AddRows)
	r.outputs = newColumns(p.Predictions, rec.Output, &r.unknown, nil)
	return r, nil
}

// lock lets the caller count what was seen at a time.
func (r *reference) lock(at time.Time) {
	r.mu.Lock()
	r.recorder.Lock(at)
}

// tryLock is lock for who may not wait; false: others have the lock. untidy: the recorder is to be tidied.
func (r *reference) tryLock(at time.Time) (ok, untidy bool) {
	if !r.mu.TryLock() {
		return false, false
	}
	if ok, untidy = r.recorder.TryLock(at); !ok {
		r.mu.Unlock()
	}
	return ok, untidy
}

// pausing has f called every few microseconds while something is counted.
func (r *reference) pausing(f func()) {
	r.parser.Pause, r.features.pause, r.outputs.pause = f, f, f
}

func (r *reference) unlock() {
	r.recorder.Unlock()
	r.mu.Unlock()
}

// count reads one half of an exchange into its columns, under the lock.
func (r *reference) count(m protocol.Message, response bool) error {
	switch {
	case !response && r.features.Width() > 0:
		return r.parser.Features(m, r.features)
	case response && r.outputs.Width() > 0:
		return r.parser.Predictions(m, r.outputs)
	}
	return nil
}

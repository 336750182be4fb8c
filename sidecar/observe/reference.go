package observe

import (
	"fmt"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// reference is a version's profile and what has been counted in its bins. It is set once: counts of two references never mix.
type reference struct {
	digest   string
	profile  *profile.Profile
	recorder *profile.Recorder
	learner  *learner // instead of all else, where there is no profile yet

	mu                sync.Mutex // guards the counts; taken before the recorder's lock
	features, outputs *columns
	unknown           uint64
	folds             folds
	parser            protocol.Parser
}

func newReference(p *profile.Profile, digest string, maxFeatures int) (*reference, error) {
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
	r := &reference{digest: digest, profile: p, recorder: rec, parser: protocol.Parser{MaxFeatures: maxFeatures}}
	r.features = newColumns(p.Features, rec.Feature, r, rec.AddRows)
	r.outputs = newColumns(p.Predictions, rec.Output, r, nil)
	r.outputs.derived.Classes = classColumns(p.Predictions)
	rec.BeforeEnd(r.settle)
	return r, nil
}

// predicts reports whether answers are of interest.
func (r *reference) predicts() bool { return r.learner != nil || r.outputs.Width() > 0 }

// lock lets the caller count what was seen at a time.
func (r *reference) lock(at time.Time) {
	if r.learner != nil {
		r.learner.lock(at)
		return
	}
	r.mu.Lock()
	r.recorder.Lock(at)
}

// tryLock is lock for who may not wait; false: others have the lock. untidy: the recorder is to be tidied.
func (r *reference) tryLock(at time.Time) (ok, untidy bool) {
	if r.learner != nil {
		return r.learner.tryLock(at)
	}
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
	if r.learner != nil {
		r.learner.parser.Pause = f
		return
	}
	r.parser.Pause, r.features.pause, r.outputs.pause = f, f, f
}

func (r *reference) unlock() {
	if r.learner != nil {
		r.learner.unlock()
		return
	}
	r.pausing(nil)
	r.recorder.Unlock()
	r.mu.Unlock()
}

// settle counts the rows that were gathered, under the lock. Features come first: a profile has no fewer rows than a
// prediction.
func (r *reference) settle() {
	r.features.settle()
	r.outputs.settle()
}

// settled locks what has been counted, with nothing left to count.
func (r *reference) settled() {
	r.recorder.Tidy()   // which takes time, before the lock is held
	r.lock(time.Time{}) // counts as the time of the last row
	r.settle()
}

// count reads one half of an exchange into its columns, under the lock.
func (r *reference) count(m protocol.Message, response bool) error {
	switch {
	case r.learner != nil:
		return r.learner.count(m, response)
	case !response && r.features.Width() > 0:
		return r.parser.Features(m, r.features)
	case response && r.outputs.Width() > 0:
		return r.parser.Predictions(m, r.outputs)
	}
	return nil
}

// takeFolded tells what was folded since it was last asked, under the lock.
func (r *reference) takeFolded(tell func(metrics.Fold, int64)) {
	if l := r.learner; l != nil {
		l.folds.take(l.features.recorder.Folded()+l.outputs.recorder.Folded(), tell)
		return
	}
	r.folds.take(r.recorder.Folded(), tell)
}

// tidy packs what has ended of the live profile.
func (r *reference) tidy() {
	if r.learner != nil {
		r.learner.features.recorder.Tidy()
		r.learner.outputs.recorder.Tidy()
		return
	}
	r.recorder.Tidy()
}

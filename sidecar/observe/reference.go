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
	learner  *learner // instead of all else, where there is no profile yet

	mu                sync.Mutex // guards the counts; taken before the recorder's lock
	features, outputs *columns
	unknown           uint64
	parser            protocol.Parser
}

func newReference(p *profile.Profile, digest string, pause func()) (*reference, error) {
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
	r := &reference{digest: digest, profile: p, recorder: rec, parser: protocol.Parser{Pause: pause}}
	r.features = newColumns(p.Features, rec.Feature, &r.unknown, rec.AddRows)
	r.outputs = newColumns(p.Predictions, rec.Output, &r.unknown, nil)
	return r, nil
}

// predicts reports whether answers are of interest.
func (r *reference) predicts() bool { return r.learner != nil || r.outputs.Width() > 0 }

// count reads one half of an exchange into its columns.
func (r *reference) count(m protocol.Message, response bool, at time.Time) error {
	if r.learner != nil {
		return r.learner.count(m, response, at)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recorder.Lock(at)
	defer r.recorder.Unlock()
	switch {
	case !response && r.features.Width() > 0:
		return r.parser.Features(m, r.features)
	case response && r.outputs.Width() > 0:
		return r.parser.Predictions(m, r.outputs)
	}
	return nil
}

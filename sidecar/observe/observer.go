package observe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/protocol"
	"github.com/leeway-dev/leeway/sidecar/unpack"
)

// Config of an Observer. Fields are needed unless they say what 0 means.
type Config struct {
	Protocol    protocol.Kind // protocol.Auto: by path
	SampleRatio float64       // share of inference requests that are captured, 0 to 1
	Budget      int64         // bytes of captured bodies and partial heads, over all connections
	MaxBody     int           // bytes of one body, packed or not
	MaxFeatures int           // values of a row without names; more are a vector. 0: protocol.DefaultMaxFeatures
	Redact      []string      // columns whose categories are learned as hashes; nil: none
	LearnBudget int64         // bytes for columns learned without a reference, for one to be made of; 0: none are
	Metrics     *metrics.Metrics
	Log         *zap.Logger
}

// queueLength bounds the exchanges that wait for the parser beside the bytes that they hold.
const queueLength = 1024

// Observer is the follow.Sink of all connections.
type Observer struct {
	cfg       Config
	budget    budget
	reference atomic.Pointer[reference]
	learning  atomic.Pointer[reference] // what is observed until then; nil: nothing
	queue     chan *record
	unpacker  unpack.Unpacker // the parser's
	next      *record         // taken out of the queue by a Step that could not parse it yet
	untidy    chan *reference // for Tend
	records   sync.Pool
}

// New returns an observer without a reference: latency and errors only.
func New(cfg Config) *Observer {
	o := &Observer{
		cfg: cfg, budget: budget{limit: cfg.Budget}, queue: make(chan *record, queueLength), untidy: make(chan *reference, 1),
		records: sync.Pool{New: func() any { return new(record) }},
	}
	if cfg.LearnBudget > 0 {
		o.learning.Store(&reference{learner: newLearner(cfg)})
	}
	return o
}

// ErrOther: a reference is there already, and it is another one.
var ErrOther = errors.New("another reference is set")

// SetReference sets the profile to compare with, once. The same digest again changes nothing and returns false.
func (o *Observer) SetReference(p *profile.Profile, digest string) (bool, error) {
	r, err := newReference(p, digest, o.cfg.MaxFeatures)
	if err != nil {
		return false, err
	}
	if o.reference.CompareAndSwap(nil, r) {
		o.learning.Store(nil)
		return true, nil
	}
	if have := o.reference.Load().digest; have != digest {
		return false, fmt.Errorf("%w: %s", ErrOther, have)
	}
	return false, nil
}

// Reference is the digest of the profile that is compared with, and the profile; empty and nil without.
func (o *Observer) Reference() (string, *profile.Profile) {
	if r := o.reference.Load(); r != nil {
		return r.digest, r.profile
	}
	return "", nil
}

// target is what an exchange that begins now is observed for: the reference, else what is learned; nil for nothing.
func (o *Observer) target() *reference {
	if r := o.reference.Load(); r != nil {
		return r
	}
	return o.learning.Load()
}

// Learned is the profile of what was learned in about a time, to the day (UTC); nil with a reference, or of nothing.
// Rare categories are hashes.
func (o *Observer) Learned(from, to time.Time) *profile.Profile {
	r := o.learning.Load()
	if r == nil {
		return nil
	}
	p := r.learner.profile(from, to)
	if p != nil {
		p.HideRare(nil)
	}
	return p
}

// Live is the profile of what was observed in a time; nil without a reference. Rare categories that the reference does
// not name are hashes.
func (o *Observer) Live(from, to time.Time) *profile.Profile {
	r := o.reference.Load()
	if r == nil {
		return nil
	}
	r.settled()
	r.unlock()
	p := r.recorder.Profile(from, to)
	p.HideRare(r.profile)
	return p
}

// Run parses until ctx ends and the queue is empty. It and Step are not for use at the same time.
func (o *Observer) Run(ctx context.Context) {
	if o.next != nil {
		o.parse(o.next, nil, false)
		o.next = nil
	}
	for {
		select {
		case r := <-o.queue:
			o.parse(r, nil, false)
		case <-ctx.Done():
			for {
				select {
				case r := <-o.queue:
					o.parse(r, nil, false)
				default:
					return
				}
			}
		}
	}
}

// Queued is how many exchanges wait for Step.
func (o *Observer) Queued() int {
	if o.next != nil {
		return len(o.queue) + 1
	}
	return len(o.queue)
}

// Tend does until ctx ends what takes too long for Step: to pack slices of the live profile that have ended.
func (o *Observer) Tend(ctx context.Context) {
	for {
		select {
		case r := <-o.untidy:
			r.tidy()
		case <-ctx.Done():
			return
		}
	}
}

// Step parses one exchange and says whether it did: there may be none, or somebody may be reading the counts. It calls
// pause every few microseconds; the follow.Sink may be used there.
func (o *Observer) Step(pause func()) bool {
	if o.next == nil {
		select {
		case o.next = <-o.queue:
		default:
			return false
		}
	}
	if !o.parse(o.next, pause, true) {
		return false
	}
	o.next = nil
	return true
}

// parse counts both halves of an exchange and gives its buffers back. try: it may not wait for who reads the counts, and
// returns false then.
func (o *Observer) parse(r *record, pause func(), try bool) bool {
	result, second := r.request.result, r.response.result
	if result == "" || r.predicted && second == "" {
		if !o.lock(r, try) {
			return false
		}
		defer r.reference.unlock()
		r.reference.pausing(pause)
		o.unpacker.Pause = pause
	}
	if result == "" {
		result = o.half(r, &r.request, false)
	}
	if r.predicted && second == "" {
		second = o.half(r, &r.response, true)
	}
	if r.predicted && result == metrics.Observed {
		result = second
	}
	if result == metrics.Observed && r.reference.learner != nil {
		result = metrics.Learned
	}
	o.cfg.Metrics.Captured(result)
	o.forget(r)
	return true
}

func (o *Observer) lock(r *record, try bool) bool {
	if !try {
		r.reference.lock(r.at)
		return true
	}
	ok, untidy := r.reference.tryLock(r.at)
	if untidy {
		select {
		case o.untidy <- r.reference:
		default: // Tend knows
		}
	}
	return ok
}

// half counts one body. A panic costs that body only.
func (o *Observer) half(r *record, c *capture, response bool) (result metrics.Result) {
	defer func() {
		if p := recover(); p != nil {
			o.cfg.Log.Error("panic while parsing; the request was not affected", zap.Any("panic", p), zap.String("protocol", string(r.kind)), zap.Bool("response", response), zap.ByteString("stack", debug.Stack()))
			result = metrics.Panicked
		}
	}()
	if result := o.unpack(c); result != "" {
		return result
	}
	m := protocol.Message{Kind: r.kind, Form: c.form, HeaderLength: c.header, Body: c.buf}
	err := r.reference.count(m, response)
	r.reference.takeFolded(o.cfg.Metrics.Folded)
	switch {
	case err == nil:
		return metrics.Observed
	case errors.Is(err, protocol.ErrUnnamed):
		return metrics.NoReference
	case errors.Is(err, protocol.ErrUnsupported):
		return metrics.Unsupported
	default:
		o.cfg.Log.Debug("a body was not readable", zap.String("protocol", string(r.kind)), zap.Bool("response", response), zap.Error(err))
		return metrics.Unparsable
	}
}

// unpack undoes the encoding of a body, if it has one.
func (o *Observer) unpack(c *capture) metrics.Result {
	if c.coding == unpack.Identity {
		return ""
	}
	plain, err := o.unpacker.Unpack(c.coding, c.buf, o.cfg.MaxBody, &o.budget)
	switch {
	case errors.Is(err, unpack.ErrTooLarge):
		return metrics.TooLarge
	case errors.Is(err, unpack.ErrNoRoom):
		return metrics.Budget
	case err != nil:
		o.cfg.Log.Debug("a body could not be unpacked", zap.Error(err))
		return metrics.Unparsable
	}
	o.budget.release(c.buf)
	c.buf, c.coding = plain, unpack.Identity
	return ""
}

func (o *Observer) forget(r *record) {
	o.budget.release(r.request.buf)
	o.budget.release(r.response.buf)
	spare := r.spare
	if r.call != nil && r.call.stream == nil {
		spare = r.call
	}
	*r = record{spare: spare}
	o.records.Put(r)
}

func (o *Observer) sampled() bool {
	return o.cfg.SampleRatio >= 1 || rand.Float64() < o.cfg.SampleRatio
}

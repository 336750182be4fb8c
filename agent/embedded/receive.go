package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// refusal is why a sample is not taken.
type refusal string

const (
	refusedTooOld    refusal = "too_old"
	refusedDuplicate refusal = "duplicate" // another value for the same time
	refusedFuture    refusal = "future"
	refusedInvalid   refusal = "invalid"
	refusedForbidden refusal = "forbidden" // the whole request
	refusedForeign   refusal = "foreign"   // its sender does not speak for that series
)

func refusals() []refusal {
	return []refusal{refusedTooOld, refusedDuplicate, refusedFuture, refusedInvalid, refusedForbidden, refusedForeign}
}

// maxAhead is how far in the future a sample may be. One from next year would
// make everything else too old.
const maxAhead = 10 * time.Minute

// maxSources bounds what is remembered about senders.
const maxSources = 10_000

// receiver is the remote-write 2.0 endpoint. It differs from Prometheus' own in
// three things: a series is admitted before anything is written, what is late or
// sent twice is counted rather than logged sample by sample, and it remembers
// who sent last when.
type receiver struct {
	engine   *Engine
	metadata *metadataCache

	mu      sync.Mutex
	sources map[string]Source
}

// Source is one node agent, by the label node of its series.
type Source struct {
	Node     string
	Received time.Time // when it last wrote
	Newest   time.Time // of its samples
}

func newReceiver(e *Engine) *receiver {
	return &receiver{engine: e, metadata: newMetadataCache(), sources: map[string]Source{}}
}

func (r *receiver) handler() http.Handler {
	return remoteapi.NewWriteHandler(r, remoteapi.MessageTypes{remoteapi.WriteV2MessageType})
}

// Sources are all node agents that have ever sent to this run of the controller, by
// name. A source that is silent for longer than its scrape interval is blind.
func (e *Engine) Sources() []Source {
	r := e.receiver
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Source, 0, len(r.sources))
	for _, s := range r.sources {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Source) int { return cmp.Compare(a.Node, b.Node) })
	return all
}

// Store takes one request, whole or not at all but for samples that can never be
// stored: those are refused with 400 and the rest is kept, as the protocol says.
func (r *receiver) Store(req *http.Request, _ remoteapi.WriteMessageType) (*remoteapi.WriteResponse, error) {
	res := remoteapi.NewWriteResponse()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		res.SetStatusCode(http.StatusBadRequest)
		return res, fmt.Errorf("read body: %w", err)
	}
	var write writev2.Request
	if err := write.Unmarshal(body); err != nil {
		res.SetStatusCode(http.StatusBadRequest)
		return res, fmt.Errorf("decode body: %w", err)
	}
	b := batch{receiver: r, request: &write, now: r.engine.cfg.Now()}
	if err := b.admit(req.Context()); err != nil {
		if errors.Is(err, ErrLater) {
			res.SetStatusCode(http.StatusServiceUnavailable)
			return res, err
		}
		res.SetStatusCode(http.StatusForbidden)
		r.count(refusedForbidden, len(write.Timeseries))
		return res, err
	}
	if err := b.append(req.Context()); err != nil {
		res.SetStatusCode(http.StatusInternalServerError)
		return res, err
	}
	res.Add(b.written)
	r.engine.metrics.received.Add(float64(b.written.AllSamples()))
	r.note(b.node, b.now, b.newest)
	if b.refused > 0 {
		res.SetStatusCode(http.StatusBadRequest)
		return res, fmt.Errorf("%d of %d samples refused, the others are stored; first: %w", b.refused, b.refused+b.written.AllSamples(), b.first)
	}
	return res, nil
}

func (r *receiver) count(why refusal, n int) {
	r.engine.metrics.refused.WithLabelValues(string(why)).Add(float64(n))
}

func (r *receiver) note(node string, now time.Time, newest int64) {
	if node == "" || newest == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s, known := r.sources[node]
	if !known && len(r.sources) >= maxSources {
		return
	}
	s.Node, s.Received = node, now
	if at := time.UnixMilli(newest); at.After(s.Newest) {
		s.Newest = at
	}
	r.sources[node] = s
}

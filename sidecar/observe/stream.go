package observe

import (
	"slices"
	"time"

	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// maxUnanswered bounds the requests of a stream whose time is taken at once; of more, some are not timed.
const maxUnanswered = 256

// streamError is how a ModelStreamInferResponse begins that tells of an error: its field 1, which is text.
const streamError = 1<<3 | 2

// stream is a call that may last for as long as its client does, so its own duration says nothing. Each of its
// messages is an observation: features of a request, predictions of a response. What counts as the latency of a
// request is the time to the next response; which one answers it is known to nobody but the two ends, and most models
// answer in order.
type stream struct {
	unanswered []time.Time // when requests had come that no response has followed, oldest first
	last       time.Time   // when the last message had passed; the call's start before
	halves     [2]*record  // what is being captured: a request, and a response
}

func side(response bool) int {
	if response {
		return 1
	}
	return 0
}

// beginHalf decides whether a message of a stream is observed. The reference may have come, and chance may decide
// otherwise, since the last one.
func (o *Observer) beginHalf(r *record, response bool) *capture {
	ref := o.target()
	switch {
	case ref == nil:
		o.cfg.Metrics.Captured(metrics.NoReference)
		return nil
	case response && !ref.predicts():
		return nil
	case !o.sampled():
		o.cfg.Metrics.Captured(metrics.Sampled)
		return nil
	}
	half := o.records.Get().(*record)
	half.kind, half.reference, half.call, half.predicted = r.kind, ref, r.call, response
	half.request.form, half.response.form = protocol.FormGRPCStream, protocol.FormGRPCStream
	r.call.stream.halves[side(response)] = half
	if response {
		half.request.result = metrics.Observed // elsewhere
		return &half.response
	}
	return &half.request
}

// endMessage: a message of a stream is whole.
func (o *Observer) endMessage(r *record, m *messages, response bool) {
	s, now := r.call.stream, time.Now()
	half := s.halves[side(response)]
	s.halves[side(response)], s.last = nil, now
	failed := response && m.size > 0 && m.first == streamError && m.prefix[0] == 0
	switch {
	case !response && len(s.unanswered) < maxUnanswered:
		s.unanswered = append(s.unanswered, now)
	case response && len(s.unanswered) > 0:
		status := 200
		if failed {
			status = 500
		}
		o.cfg.Metrics.Answered(r.kind, status, now.Sub(s.unanswered[0]))
		s.unanswered = slices.Delete(s.unanswered, 0, 1)
	}
	switch {
	case half == nil:
	case failed:
		o.forget(half)
	default:
		half.at = now
		o.enqueue(half)
	}
}

// endStream: a stream is done. Requests that it leaves unanswered count with its status; where there are none, a
// failure counts once.
func (o *Observer) endStream(e *follow.Exchange, r *record) {
	s := r.call.stream
	for _, half := range s.halves {
		if half != nil {
			o.cfg.Metrics.Captured(metrics.Incomplete)
			o.forget(half)
		}
	}
	status := o.outcome(e)
	if status == 0 {
		return
	}
	for _, came := range s.unanswered {
		o.cfg.Metrics.Answered(r.kind, status, e.End.Sub(came))
	}
	if len(s.unanswered) == 0 && status/100 != 2 {
		o.cfg.Metrics.Answered(r.kind, status, e.End.Sub(s.last))
	}
}

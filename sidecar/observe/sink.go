package observe

import (
	"time"

	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/protocol"
)

// record is what is kept of an exchange while it passes (follow.Exchange.Value), and then until it is parsed.
type record struct {
	kind              protocol.Kind
	reference         *reference // nil: not to be observed
	at                time.Time
	predicted         bool // answered with success, by a model whose profile has predictions: they count
	request, response capture
}

// capture is the copy of one body. An empty result means that all is well so far.
type capture struct {
	buf    []byte
	result metrics.Result
}

// Request is part of follow.Sink: it decides, before anything is copied, whether to observe.
func (o *Observer) Request(e *follow.Exchange, h follow.Head) {
	o.cfg.Metrics.Began()
	r := o.records.Get().(*record)
	r.kind = protocol.Recognise(h.Method, h.Target, o.cfg.Protocol)
	e.Value = r
	if r.kind == protocol.Other {
		return
	}
	ref := o.reference.Load()
	switch {
	case ref == nil:
		o.cfg.Metrics.Captured(metrics.NoReference)
	case !o.sampled():
		o.cfg.Metrics.Captured(metrics.Sampled)
	default:
		r.reference = ref
		r.request.result = o.refusal(h)
	}
}

// refusal says by its head why a body is not captured.
func (o *Observer) refusal(h follow.Head) metrics.Result {
	switch {
	case h.Encoded:
		return metrics.Encoded
	case h.Binary:
		return metrics.Unsupported
	case h.Length > int64(o.cfg.MaxBody):
		return metrics.TooLarge
	}
	return ""
}

// RequestBody is part of follow.Sink.
func (o *Observer) RequestBody(e *follow.Exchange, b []byte) {
	if r := e.Value.(*record); r.reference != nil {
		o.add(&r.request, b)
	}
}

// Response is part of follow.Sink.
func (o *Observer) Response(e *follow.Exchange, h follow.Head) {
	r := e.Value.(*record)
	r.predicted = r.reference != nil && r.reference.outputs.Width() > 0 && e.Status/100 == 2
	if r.predicted {
		r.response.result = o.refusal(h)
	}
}

// ResponseBody is part of follow.Sink.
func (o *Observer) ResponseBody(e *follow.Exchange, b []byte) {
	if r := e.Value.(*record); r.predicted {
		o.add(&r.response, b)
	}
}

// add copies b, if there is room.
func (o *Observer) add(c *capture, b []byte) {
	if c.result != "" {
		return
	}
	n := len(c.buf) + len(b)
	if n > o.cfg.MaxBody {
		c.drop(o, metrics.TooLarge)
		return
	}
	if n > cap(c.buf) {
		larger, ok := o.budget.grow(c.buf, n)
		if !ok {
			c.drop(o, metrics.Budget)
			return
		}
		c.buf = larger
	}
	c.buf = append(c.buf, b...)
}

func (c *capture) drop(o *Observer, why metrics.Result) {
	o.budget.release(c.buf)
	c.buf, c.result = nil, why
}

// Done is part of follow.Sink: it counts the exchange and hands its bodies to the parser.
func (o *Observer) Done(e *follow.Exchange) {
	m, r := o.cfg.Metrics, e.Value.(*record)
	m.Ended()
	switch e.Outcome {
	case follow.Answered:
		m.Answered(r.kind, e.Status, e.End.Sub(e.Start))
	case follow.ServerClosed:
		m.UpstreamError(metrics.ServerClosed)
		m.Answered(r.kind, 502, e.End.Sub(e.Start))
	case follow.ServerReset:
		m.UpstreamError(metrics.ServerReset)
		m.Answered(r.kind, 502, e.End.Sub(e.Start))
	}
	if r.reference == nil {
		o.forget(r)
		return
	}
	r.at = e.End
	if !e.Complete && r.request.result == "" {
		r.request.drop(o, metrics.Incomplete)
	}
	if e.Outcome != follow.Answered && r.response.result == "" {
		r.response.drop(o, metrics.Incomplete)
	}
	select {
	case o.queue <- r:
	default:
		m.Captured(metrics.Budget)
		o.forget(r)
	}
}

// Opaque is part of follow.Sink.
func (o *Observer) Opaque(r follow.Reason) { o.cfg.Metrics.Opaque(r) }

// Reserve is part of follow.Sink: partial heads come out of the same budget.
func (o *Observer) Reserve(n int) bool { return o.budget.reserve(n) }

package observe

import (
	"time"

	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/protocol"
	"github.com/leeway-dev/leeway/sidecar/unpack"
)

// record is what is kept of an exchange while it passes (follow.Exchange.Value), and then until it is parsed.
type record struct {
	kind              protocol.Kind
	reference         *reference // nil: not to be observed
	at                time.Time
	predicted         bool // answered with success, by a model whose profile has predictions: they count
	request, response capture
	call              *call // of gRPC; nil otherwise
	spare             *call // of an earlier exchange, for the next; a stream's is not, its halves have it too
}

// capture is the copy of one body. An empty result means that all is well so far.
type capture struct {
	buf    []byte
	result metrics.Result
	coding unpack.Coding
	form   protocol.Form
	header int64 // Inference-Header-Content-Length
}

// Request is part of follow.Sink: it decides, before anything is copied, whether to observe.
func (o *Observer) Request(e *follow.Exchange, h follow.Head) {
	o.cfg.Metrics.Began()
	r := o.records.Get().(*record)
	r.kind = protocol.Recognise(h.Method, h.Target, h.ContentType, o.cfg.Protocol)
	r.call = r.newCall(e, h, r.kind)
	e.Value = r
	if r.kind == protocol.Other || r.call != nil && r.call.stream != nil {
		return
	}
	ref := o.target()
	switch {
	case ref == nil:
		o.cfg.Metrics.Captured(metrics.NoReference)
	case !o.sampled():
		o.cfg.Metrics.Captured(metrics.Sampled)
	default:
		r.reference = ref
		r.request = o.capture(h, protocol.RequestForm(r.kind, h.Target, h.ContentType, h.HeaderLength))
	}
}

// capture begins one, with what its head says.
func (o *Observer) capture(h follow.Head, f protocol.Form) capture {
	c := capture{coding: unpack.Of(h.Encoding), form: f, header: h.HeaderLength}
	c.result = o.refusal(h, c)
	return c
}

// refusal says by its head why a body is not captured.
func (o *Observer) refusal(h follow.Head, c capture) metrics.Result {
	switch {
	case c.coding == unpack.Unknown:
		return metrics.Encoded
	case c.form == protocol.FormUnread:
		return metrics.Unsupported
	case h.Length > int64(o.cfg.MaxBody):
		return metrics.TooLarge
	}
	return ""
}

// RequestBody is part of follow.Sink.
func (o *Observer) RequestBody(e *follow.Exchange, b []byte) {
	r := e.Value.(*record)
	switch {
	case r.call != nil:
		o.messages(r, b, false)
	case r.reference != nil:
		o.add(&r.request, b)
	}
}

// Response is part of follow.Sink.
func (o *Observer) Response(e *follow.Exchange, h follow.Head) {
	r := e.Value.(*record)
	if r.call != nil {
		r.call.response.coding = unpack.Of(h.GRPCEncoding)
	}
	r.predicted = r.reference != nil && r.reference.predicts() && e.Status/100 == 2
	if r.predicted {
		r.response = o.capture(h, protocol.AnswerForm(r.kind, r.request.form, h.ContentType, h.HeaderLength))
	}
}

// ResponseBody is part of follow.Sink.
func (o *Observer) ResponseBody(e *follow.Exchange, b []byte) {
	r := e.Value.(*record)
	switch {
	case r.call != nil && e.Status/100 == 2: // an error page is no message
		o.messages(r, b, true)
	case r.predicted:
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
	r := e.Value.(*record)
	o.cfg.Metrics.Ended()
	if r.call != nil && r.call.stream != nil {
		o.endStream(e, r)
		o.forget(r)
		return
	}
	if status := o.outcome(e); status != 0 {
		o.cfg.Metrics.Answered(r.kind, status, e.End.Sub(e.Start))
	}
	if r.reference == nil {
		o.forget(r)
		return
	}
	r.at = e.End
	if r.call != nil {
		o.endCall(e, r)
	}
	if !e.Complete && r.request.result == "" {
		r.request.drop(o, metrics.Incomplete)
	}
	if e.Outcome != follow.Answered && r.response.result == "" {
		r.response.drop(o, metrics.Incomplete)
	}
	o.enqueue(r)
}

// outcome is the status that an exchange counts with, 0 when it does not, and counts a failure of the server.
func (o *Observer) outcome(e *follow.Exchange) int {
	switch e.Outcome {
	case follow.Answered:
		return e.Status
	case follow.ServerClosed:
		o.cfg.Metrics.UpstreamError(metrics.ServerClosed)
		return 502
	case follow.ServerReset:
		o.cfg.Metrics.UpstreamError(metrics.ServerReset)
		return 502
	}
	return 0
}

// enqueue hands a record to the parser, if it has room.
func (o *Observer) enqueue(r *record) {
	select {
	case o.queue <- r:
	default:
		o.cfg.Metrics.Captured(metrics.Budget)
		o.forget(r)
	}
}

// Opaque is part of follow.Sink.
func (o *Observer) Opaque(r follow.Reason) { o.cfg.Metrics.Opaque(r) }

// Reserve is part of follow.Sink: partial heads come out of the same budget.
func (o *Observer) Reserve(n int) bool { return o.budget.reserve(n) }

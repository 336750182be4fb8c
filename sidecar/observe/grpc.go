package observe

import (
	"encoding/binary"

	"github.com/leeway-dev/leeway/sidecar/follow"
	"github.com/leeway-dev/leeway/sidecar/metrics"
	"github.com/leeway-dev/leeway/sidecar/protocol"
	"github.com/leeway-dev/leeway/sidecar/unpack"
)

// call is what a record of gRPC has beside: where its messages begin and end. A unary call is an exchange like any
// other, whose bodies are one message each.
type call struct {
	request, response messages
	stream            *stream // nil: unary
}

// messages are one direction of a call: each has a prefix of one byte, 1 when it is compressed, and four with its
// length.
type messages struct {
	prefix     [5]byte
	have       int           // bytes of the prefix
	size, left int64         // bytes of the message, and of them those that are to come
	count      int           // messages that have begun
	first      byte          // of the message
	coding     unpack.Coding // of those that are compressed
	capture    *capture
}

// newCall is for a record's request of gRPC; nil if its messages are not to be looked at.
func (r *record) newCall(e *follow.Exchange, h follow.Head, k protocol.Kind) *call {
	if !e.GRPC || k != protocol.V2 {
		return nil
	}
	c := r.spare
	if r.spare = nil; c == nil {
		c = new(call)
	}
	*c = call{request: messages{coding: unpack.Of(h.GRPCEncoding)}}
	if protocol.RequestForm(k, h.Target, h.ContentType, h.HeaderLength) == protocol.FormGRPCStream {
		c.stream = &stream{last: e.Start}
	}
	return c
}

// messages takes a piece of a body: the prefixes are taken off, the rest is captured.
func (o *Observer) messages(r *record, b []byte, response bool) {
	m := &r.call.request
	if response {
		m = &r.call.response
	}
	for {
		if m.have < len(m.prefix) {
			n := copy(m.prefix[m.have:], b)
			m.have, b = m.have+n, b[n:]
			if m.have < len(m.prefix) {
				return
			}
			o.beginMessage(r, m, response)
		}
		n := int(min(int64(len(b)), m.left))
		if n > 0 && m.left == m.size {
			m.first = b[0]
		}
		if m.capture != nil {
			o.add(m.capture, b[:n])
		}
		m.left, b = m.left-int64(n), b[n:]
		if m.left > 0 {
			return
		}
		m.have = 0
		if r.call.stream != nil {
			o.endMessage(r, m, response)
		}
	}
}

// beginMessage says by its prefix whether a message is captured.
func (o *Observer) beginMessage(r *record, m *messages, response bool) {
	m.size = int64(binary.BigEndian.Uint32(m.prefix[1:]))
	m.left, m.first, m.count = m.size, 0, m.count+1
	switch {
	case r.call.stream != nil:
		m.capture = o.beginHalf(r, response)
	case r.reference == nil || response && !r.predicted:
		m.capture = nil
	case response:
		m.capture = &r.response
	default:
		m.capture = &r.request
	}
	c := m.capture
	switch {
	case c == nil || c.result != "":
	case m.count > 1 && r.call.stream == nil:
		c.drop(o, metrics.Unparsable)
	case m.prefix[0] != 0 && (m.coding == unpack.Identity || m.coding == unpack.Unknown):
		c.drop(o, metrics.Encoded)
	case m.size > int64(o.cfg.MaxBody):
		c.drop(o, metrics.TooLarge)
	case m.prefix[0] != 0:
		c.coding = m.coding
	}
}

// endCall: a unary call is done. Only now it is known whether it succeeded, and whether each body was a message.
func (o *Observer) endCall(e *follow.Exchange, r *record) {
	r.predicted = r.predicted && e.Status/100 == 2
	if e.Complete && r.request.result == "" && !r.call.request.whole() {
		r.request.drop(o, metrics.Unparsable)
	}
	if e.Outcome == follow.Answered && r.predicted && r.response.result == "" && !r.call.response.whole() {
		r.response.drop(o, metrics.Unparsable)
	}
}

// whole reports whether nothing but whole messages has passed.
func (m *messages) whole() bool { return m.have == 0 && m.count > 0 }

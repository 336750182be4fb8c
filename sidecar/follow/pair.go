package follow

import (
	"bytes"
	"time"
)

// Pair follows both directions of one connection. Not safe for concurrent use.
type Pair struct {
	sink              Sink
	request, response side
	oldest, tail      *Exchange // requests whose response has not ended, oldest first
	waiting           int
	opaque            bool
	clientFIN         bool
	begun             bool      // a request has come
	h2                *h2       // from the preface of HTTP/2 on
	spare             *Exchange // the last that ended, for the next
	marks             *marks    // nil: nobody adds header lines
}

// New returns a follower that tells sink.
func New(sink Sink) *Pair { return &Pair{sink: sink} }

// Request shows bytes that the client sent, read at t.
func (p *Pair) Request(b []byte, t time.Time) {
	defer p.guard(t)
	p.feed(&p.request, b, t)
}

// Response shows bytes that the server sent, read at t.
func (p *Pair) Response(b []byte, t time.Time) {
	defer p.guard(t)
	p.feed(&p.response, b, t)
}

// guard turns a panic, here or in the sink, into an opaque connection: following must never end a connection, let alone the process.
func (p *Pair) guard(t time.Time) {
	if recover() == nil {
		return
	}
	p.opaque = true
	defer func() { _ = recover() }() // the sink may not be in order either
	p.sink.Opaque(ReasonPanic)
	p.giveUp(Lost, t)
}

// Waiting is the number of requests whose response has not ended.
func (p *Pair) Waiting() int { return p.waiting }

// Opaque reports whether the connection is no longer followed.
func (p *Pair) Opaque() bool { return p.opaque }

// ServerEnd: the server's direction ended, properly (FIN) or by a reset.
func (p *Pair) ServerEnd(t time.Time, reset bool) {
	defer p.guard(t)
	if !p.opaque && !reset && p.response.state == inRest {
		p.finish(Answered, t)
	}
	if p.clientFIN {
		// A client that left and one that only ended its requests look alike; a server that then goes without an answer is not to blame.
		p.giveUp(ClientGone, t)
		return
	}
	if reset {
		p.giveUp(ServerReset, t)
		return
	}
	p.giveUp(ServerClosed, t)
}

// ClientFIN: the client's direction ended. Its answers may still be under way.
func (p *Pair) ClientFIN() { p.clientFIN = true }

// ClientEnd: the whole connection ended from the client's side.
func (p *Pair) ClientEnd(t time.Time) {
	defer p.guard(t)
	p.giveUp(ClientGone, t)
}

func (p *Pair) giveUp(o Outcome, t time.Time) {
	for p.oldest != nil {
		p.finish(o, t)
	}
	if p.h2 != nil {
		p.h2.giveUp(o, t)
	}
	p.drop(&p.request)
	p.drop(&p.response)
	p.request.ex = nil
}

// stop makes the connection opaque.
func (p *Pair) stop(r Reason, t time.Time) {
	if p.opaque {
		return
	}
	p.giveUp(Lost, t)
	p.opaque, p.h2 = true, nil
	p.sink.Opaque(r)
}

func (p *Pair) head(s *side, h []byte, t time.Time) {
	line, rest, _ := bytes.Cut(h, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if s == &p.request {
		p.requestHead(line, rest, t)
	} else {
		p.responseHead(line, rest, t)
	}
}

func (p *Pair) requestHead(line, rest []byte, t time.Time) {
	if string(line) == "PRI * HTTP/2.0" && len(rest) == 0 && !p.begun {
		p.startHTTP2(t)
		return
	}
	p.begun = true
	method, target, minor, ok := requestLine(line)
	f := readHeaders(rest)
	switch {
	case !ok:
		p.stop(ReasonNotHTTP, t)
		return
	case f.bad || minor == '0' && f.chunked:
		p.stop(ReasonFraming, t)
		return
	case string(method) == "CONNECT":
		p.stop(ReasonConnect, t)
		return
	case p.waiting >= MaxWaiting:
		p.stop(ReasonPipeline, t)
		return
	}
	e := p.exchange()
	e.Start, e.head = t, string(method) == "HEAD"
	if p.tail == nil {
		p.oldest = e
	} else {
		p.tail.next = e
	}
	p.tail = e
	p.waiting++
	f.Method, f.Target = method, target
	p.sink.Request(e, f.Head)
	p.request.ex = e
	switch {
	case f.chunked:
		p.request.state = inChunkSize
	case f.Length > 0:
		p.request.state, p.request.rest = inLength, f.Length
	default:
		p.endBody(&p.request, t)
	}
}

func (p *Pair) responseHead(line, rest []byte, t time.Time) {
	status, minor, ok := statusLine(line)
	e := p.oldest
	switch {
	case !ok:
		p.stop(ReasonNotHTTP, t)
		return
	case e == nil:
		p.stop(ReasonUnsolicited, t)
		return
	case status == 101:
		e.Status = status
		p.finish(Answered, t)
		p.stop(ReasonUpgrade, t)
		return
	case status < 200:
		return // an interim response: the final one follows
	}
	f := readHeaders(rest)
	empty := e.head || status == 204 || status == 304
	if f.bad && !empty || minor == '0' && f.chunked {
		p.stop(ReasonFraming, t)
		return
	}
	e.Status = status
	p.sink.Response(e, f.Head)
	p.response.ex = e
	switch {
	case empty || f.Length == 0:
		p.finish(Answered, t)
	case f.chunked:
		p.response.state = inChunkSize
	case f.Length > 0:
		p.response.state, p.response.rest = inLength, f.Length
	default:
		p.response.state = inRest
	}
}

func (p *Pair) body(s *side, b []byte) {
	switch {
	case s.ex == nil || len(b) == 0:
	case s == &p.request:
		p.sink.RequestBody(s.ex, b)
	default:
		p.sink.ResponseBody(s.ex, b)
	}
}

func (p *Pair) endBody(s *side, t time.Time) {
	if s == &p.response {
		p.finish(Answered, t)
		return
	}
	s.state = inHead
	if s.ex != nil {
		s.ex.Complete = true
		s.ex = nil
	}
}

// exchange returns an empty one.
func (p *Pair) exchange() *Exchange {
	e := p.spare
	if e == nil {
		return new(Exchange)
	}
	p.spare = nil
	return e
}

// finish ends the oldest exchange.
func (p *Pair) finish(o Outcome, t time.Time) {
	e := p.oldest
	if e == nil {
		return
	}
	if p.oldest = e.next; p.oldest == nil {
		p.tail = nil
	}
	p.waiting--
	e.next = nil
	e.End, e.Outcome = t, o
	if p.request.ex == e { // the rest of the request is framed, but no longer part of an exchange
		e.Early = o == Answered
		p.request.ex = nil
	}
	p.response.state, p.response.ex = inHead, nil
	p.sink.Done(e)
	p.forget(e)
}

// forget keeps an exchange that has ended for the next.
func (p *Pair) forget(e *Exchange) {
	*e = Exchange{}
	p.spare = e
}

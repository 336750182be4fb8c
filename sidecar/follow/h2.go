package follow

import (
	"maps"
	"slices"
	"time"
)

// Limits of an HTTP/2 connection.
const (
	MaxStreams = 1000     // requests under way at one time
	MaxTable   = 64 << 10 // a dynamic table of HPACK, whatever its reader would allow
)

// What a connection and a stream are taken to cost, so that many of either come out of the sink's budget.
const (
	tableCost  = 4 << 10 // the dynamic table that each direction begins with
	streamCost = 512
)

// h2 follows a connection from the client's preface on. Each stream that the client opens is an exchange; streams that
// the server pushes are read, for the state of its header compression, and not told of.
//
// Frames of a stream that has ended are no error: one end may not know yet.
type h2 struct {
	pair           *Pair
	client, server h2side
	streams        map[uint32]*Exchange // open ones
	last           uint32               // the highest stream that the client has opened
	limit          uint32               // the highest that the server has not refused by GOAWAY
}

// startHTTP2 hands the connection over to an h2. A server may speak first, so what came from it so far is the start of
// its side.
func (p *Pair) startHTTP2(t time.Time) {
	early := p.response.part
	p.drop(&p.response)
	if !p.sink.Reserve(2 * tableCost) {
		p.stop(ReasonMemory, t)
		return
	}
	h := &h2{pair: p, streams: map[uint32]*Exchange{}, limit: 1<<31 - 1}
	h.client.init(atPreface, len(preface))
	h.server.init(atFrame, frameHead)
	p.h2 = h
	h.feed(&h.server, early, t)
}

// data passes a piece of a DATA frame on.
func (h *h2) data(s *h2side, b []byte, t time.Time) {
	e := h.streams[s.stream]
	switch {
	case e == nil:
	case h.misplaced(s, e):
		h.stop(ReasonHTTP2, t)
	case s == &h.client:
		h.pair.sink.RequestBody(e, b)
	default:
		h.pair.sink.ResponseBody(e, b)
	}
}

// misplaced: no DATA may come there, behind a request's end or before a response's head.
func (h *h2) misplaced(s *h2side, e *Exchange) bool {
	return s == &h.client && e.Complete || s == &h.server && e.Status == 0
}

// endStream: a DATA frame was its side's last.
func (h *h2) endStream(s *h2side, t time.Time) {
	e := h.streams[s.stream]
	switch {
	case e == nil:
	case h.misplaced(s, e):
		h.stop(ReasonHTTP2, t)
	case s == &h.client:
		e.Complete = true
	default:
		if e.GRPC {
			e.Status = grpcStatus("", e.Status)
		}
		h.finish(s.stream, e, Answered, t)
	}
}

// request: a header block of the client is whole.
func (h *h2) request(k *block, t time.Time) {
	if e := h.streams[k.stream]; e != nil { // trailers
		if e.Complete || !k.end {
			h.stop(ReasonHTTP2, t)
			return
		}
		e.Complete = true
		return
	}
	switch {
	case k.stream%2 == 0:
		h.stop(ReasonHTTP2, t)
		return
	case k.stream <= h.last: // ended
		return
	}
	h.last = k.stream
	switch {
	case k.stream > h.limit: // the server will not look at it
	case len(k.Method) == 0:
		h.stop(ReasonHTTP2, t)
	case string(k.Method) == "CONNECT":
		h.stop(ReasonConnect, t)
	case len(h.streams) >= MaxStreams:
		h.stop(ReasonPipeline, t)
	case !h.pair.sink.Reserve(streamCost):
		h.stop(ReasonMemory, t)
	default:
		e := h.pair.exchange()
		e.Start, e.GRPC = t, isGRPC(k.ContentType)
		h.streams[k.stream] = e
		h.pair.waiting++
		h.pair.sink.Request(e, k.Head)
		e.Complete = k.end
	}
}

// response: a header block of the server is whole.
func (h *h2) response(k *block, t time.Time) {
	e := h.streams[k.stream]
	switch {
	case e == nil:
		if k.stream%2 == 1 && k.stream > h.last {
			h.stop(ReasonUnsolicited, t)
		}
		return
	case e.Status != 0: // trailers
		if !k.end {
			h.stop(ReasonHTTP2, t)
			return
		}
		if e.GRPC {
			e.Status = grpcStatus(k.grpcStatus, e.Status)
		}
		h.finish(k.stream, e, Answered, t)
		return
	case k.status < 200 && (k.status < 100 || k.status == 101 || k.end):
		h.stop(ReasonHTTP2, t)
		return
	case k.status < 200:
		return // an interim response: the final one follows
	}
	e.Status = k.status
	if e.GRPC && k.end { // an answer that is nothing but trailers
		e.Status = grpcStatus(k.grpcStatus, e.Status)
	}
	h.pair.sink.Response(e, k.Head)
	if k.end {
		h.finish(k.stream, e, Answered, t)
	}
}

// reset: one side gives a stream up.
func (h *h2) reset(s *h2side, t time.Time) {
	e := h.streams[s.stream]
	switch {
	case e == nil: // it had ended: a server may so stop the rest of a request that it has answered
	case s == &h.client:
		h.finish(s.stream, e, ClientGone, t)
	default:
		h.finish(s.stream, e, ServerReset, t)
	}
}

// goAway: the server will look at no stream above last; the client may ask again elsewhere.
func (h *h2) goAway(last uint32, t time.Time) {
	h.limit = min(h.limit, last)
	h.finishAbove(h.limit, Lost, t)
}

func (h *h2) finish(stream uint32, e *Exchange, o Outcome, t time.Time) {
	delete(h.streams, stream)
	h.pair.waiting--
	h.pair.sink.Reserve(-streamCost)
	e.End, e.Outcome = t, o
	e.Early = o == Answered && !e.Complete
	h.pair.sink.Done(e)
	h.pair.forget(e)
}

func (h *h2) finishAbove(limit uint32, o Outcome, t time.Time) {
	for _, id := range slices.Sorted(maps.Keys(h.streams)) {
		if id > limit {
			h.finish(id, h.streams[id], o, t)
		}
	}
}

// giveUp ends all streams and gives all memory back.
func (h *h2) giveUp(o Outcome, t time.Time) {
	h.finishAbove(0, o, t)
	for _, s := range []*h2side{&h.client, &h.server} {
		h.release(len(s.block.part) + s.table)
		s.block.part, s.table = nil, 0
	}
}

func (h *h2) side(client bool) *h2side {
	if client {
		return &h.client
	}
	return &h.server
}

func (h *h2) release(n int) {
	if n > 0 {
		h.pair.sink.Reserve(-n)
	}
}

func (h *h2) stop(r Reason, t time.Time) { h.pair.stop(r, t) }

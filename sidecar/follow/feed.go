package follow

import (
	"bytes"
	"time"
)

// Limits of what is kept while a line is incomplete.
const (
	MaxHead    = 64 << 10 // a request's or response's head
	MaxLine    = 8 << 10  // a chunk-size or trailer line
	MaxWaiting = 64       // requests that wait for their response
)

type state uint8

const (
	inHead state = iota
	inLength
	inChunkSize
	inChunkData
	inChunkEnd
	inTrailer
	inRest // until the connection ends
)

// side is one direction.
type side struct {
	state state
	rest  int64     // of the body or chunk
	part  []byte    // an incomplete head or line
	ex    *Exchange // whose body passes; nil when nobody wants it
	close bool      // chunk data was ended by CR: LF is due
}

var endOfHead = []byte("\r\n\r\n")

// feed shows b, read at t, to one side.
func (p *Pair) feed(s *side, b []byte, t time.Time) {
	shown := len(b)
	for len(b) > 0 && !p.opaque {
		if p.h2 != nil {
			p.h2.feed(p.h2.side(s == &p.request), b, t)
			return
		}
		switch s.state {
		case inHead:
			if p.marks != nil && s == &p.response {
				p.mark(b, shown-len(b))
			}
			b = p.feedHead(s, b, t)
		case inLength, inChunkData:
			n := int(min(int64(len(b)), s.rest))
			p.body(s, b[:n])
			b = b[n:]
			if s.rest -= int64(n); s.rest > 0 {
				return
			}
			if s.state == inLength {
				p.endBody(s, t)
			} else {
				s.state, s.close = inChunkEnd, false
			}
		case inChunkEnd:
			b = p.feedChunkEnd(s, b, t)
		case inChunkSize, inTrailer:
			b = p.feedLine(s, b, t)
		case inRest:
			p.body(s, b)
			return
		}
	}
}

// feedHead collects a head and returns what is left of b behind it.
func (p *Pair) feedHead(s *side, b []byte, t time.Time) []byte {
	if len(s.part) == 0 {
		if s == &p.request {
			// An empty line before a request line is to be ignored (RFC 9112, 2.2).
			for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
				b = b[1:]
			}
			if len(b) == 0 {
				return nil
			}
			if r := firstByte(b[0]); r != "" {
				p.stop(r, t)
				return nil
			}
		}
		if i := bytes.Index(b, endOfHead); i >= 0 && i <= MaxHead {
			p.head(s, b[:i+2], t)
			return b[i+4:]
		}
	}
	old := len(s.part)
	take := min(len(b), MaxHead+len(endOfHead)-old)
	if !p.keep(s, b[:take], t) {
		return nil
	}
	from := max(0, old-len(endOfHead)+1)
	i := bytes.Index(s.part[from:], endOfHead)
	if i < 0 {
		if len(s.part) >= MaxHead+len(endOfHead) {
			p.stop(ReasonHead, t)
		}
		return nil
	}
	i += from
	head := s.part[:i+2]
	p.drop(s)
	p.head(s, head, t)
	return b[i+4-old:]
}

// firstByte tells at once what cannot be a request line, so that a binary stream is not collected.
func firstByte(c byte) Reason {
	switch {
	case c == 0x16:
		return ReasonTLS
	case !tokenByte(c):
		return ReasonNotHTTP
	}
	return ""
}

func (p *Pair) feedChunkEnd(s *side, b []byte, t time.Time) []byte {
	if !s.close {
		if b[0] != '\r' {
			p.stop(ReasonFraming, t)
			return nil
		}
		s.close, b = true, b[1:]
		if len(b) == 0 {
			return nil
		}
	}
	if b[0] != '\n' {
		p.stop(ReasonFraming, t)
		return nil
	}
	s.state = inChunkSize
	return b[1:]
}

// feedLine reads a chunk-size or trailer line.
func (p *Pair) feedLine(s *side, b []byte, t time.Time) []byte {
	i := bytes.IndexByte(b, '\n')
	if i < 0 || len(s.part)+i > MaxLine {
		if len(s.part)+len(b) > MaxLine {
			p.stop(ReasonHead, t)
			return nil
		}
		p.keep(s, b, t)
		return nil
	}
	line := b[:i]
	if len(s.part) > 0 {
		if !p.keep(s, line, t) {
			return nil
		}
		line = s.part
		p.drop(s)
	}
	b = b[i+1:]
	if n := len(line); n == 0 || line[n-1] != '\r' {
		p.stop(ReasonFraming, t)
		return nil
	}
	line = line[:len(line)-1]
	if s.state == inTrailer {
		if len(line) == 0 {
			p.endBody(s, t)
		}
		return b
	}
	n, ok := chunkSize(line)
	switch {
	case !ok:
		p.stop(ReasonFraming, t)
	case n == 0:
		s.state = inTrailer
	default:
		s.state, s.rest = inChunkData, n
	}
	return b
}

// keep adds b to the side's partial line, if the sink has room.
func (p *Pair) keep(s *side, b []byte, t time.Time) bool {
	if !p.sink.Reserve(len(b)) {
		p.stop(ReasonMemory, t)
		return false
	}
	s.part = append(s.part, b...)
	return true
}

// drop forgets the partial line and gives its memory back.
func (p *Pair) drop(s *side) {
	if len(s.part) > 0 {
		p.sink.Reserve(-len(s.part))
	}
	s.part = nil
}

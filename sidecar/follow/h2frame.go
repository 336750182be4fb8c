package follow

import (
	"encoding/binary"
	"time"

	"golang.org/x/net/http2/hpack"
)

// preface is what a client says after "PRI * HTTP/2.0" and an empty line, which read like the head of a request.
const preface = "SM\r\n\r\n"

const frameHead = 9

// Types of frames (RFC 9113, 6). Others are passed over.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePush         = 0x5
	frameGoAway       = 0x7
	frameContinuation = 0x9
)

// Flags of frames.
const (
	flagEndStream  = 0x1 // DATA, HEADERS
	flagAck        = 0x1 // SETTINGS
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// stage says which bytes of fixed length are collected.
type stage uint8

const (
	atPreface stage = iota
	atFrame         // a frame's head
	atPrefix        // the start of its payload
)

// h2side is one direction.
type h2side struct {
	stage      stage
	part       [frameHead]byte
	have, need int // bytes of part

	kind, flags byte
	stream      uint32
	left        int // bytes of the frame that follow
	pad         int // of them, padding

	begun bool // the first frame has passed, which must be SETTINGS
	block block
	table int // bytes reserved for the dynamic table
}

func (s *h2side) init(at stage, need int) {
	s.stage, s.need, s.table = at, need, tableCost
	s.block.decoder = hpack.NewDecoder(tableCost, s.block.field)
	s.block.decoder.SetAllowedMaxDynamicTableSize(MaxTable)
	s.block.decoder.SetMaxStringLength(MaxHead)
}

func (s *h2side) collect(at stage, need int) { s.stage, s.have, s.need = at, 0, need }

func (s *h2side) has(flag byte) bool { return s.flags&flag != 0 }

// feed shows b, read at t, to one side.
func (h *h2) feed(s *h2side, b []byte, t time.Time) {
	for !h.pair.opaque {
		if s.have < s.need {
			n := copy(s.part[s.have:s.need], b)
			s.have, b = s.have+n, b[n:]
			if s.have < s.need {
				return
			}
			h.collected(s, t)
			continue
		}
		n := min(len(b), s.left)
		if content := min(n, s.left-s.pad); content > 0 {
			h.payload(s, b[:content], t)
		}
		s.left, b = s.left-n, b[n:]
		if s.left > 0 || h.pair.opaque {
			return
		}
		h.endFrame(s, t)
	}
}

// collected acts on what fills s.part, and says what is to be read next.
func (h *h2) collected(s *h2side, t time.Time) {
	switch {
	case s.stage == atPreface && string(s.part[:s.need]) == preface:
		s.collect(atFrame, frameHead)
	case s.stage == atFrame && h.frame(s, t):
	case s.stage == atPrefix && h.prefix(s, t):
	default:
		h.stop(ReasonHTTP2, t)
	}
}

// frame reads a frame's head. False: it is not one that may come here.
func (h *h2) frame(s *h2side, t time.Time) bool {
	length := int(s.part[0])<<16 | int(s.part[1])<<8 | int(s.part[2])
	s.kind, s.flags = s.part[3], s.part[4]
	s.stream = binary.BigEndian.Uint32(s.part[5:]) &^ (1 << 31)
	s.pad = 0
	need, ok := 0, s.begun || s.kind == frameSettings && !s.has(flagAck)
	s.begun = true
	if s.block.open != (s.kind == frameContinuation) || s.block.open && s.stream != s.block.stream {
		return false
	}
	switch s.kind {
	case frameData, frameHeaders, framePush:
		if s.has(flagPadded) {
			need++
		}
		switch {
		case s.kind == frameHeaders && s.has(flagPriority):
			need += 5
		case s.kind == framePush:
			need += 4
		}
		// A stream of the client's that is not open yet can only begin with its HEADERS.
		idle := s.stream > h.last && s.stream%2 == 1
		ok = ok && s.stream != 0 && !(s.kind == frameData && idle) && !(s.kind == framePush && s == &h.client)
	case frameReset:
		need = 4
		ok = ok && s.stream != 0 && length == need
	case frameSettings:
		ok = ok && s.stream == 0 && length%6 == 0 && !(s.has(flagAck) && length > 0)
	case frameGoAway:
		need = 8
		ok = ok && s.stream == 0
	}
	if !ok || length < need {
		return false
	}
	s.left = length - need
	s.collect(atPrefix, need)
	return need > 0 || h.prefix(s, t)
}

// prefix reads what stands before a frame's content. False: it is not valid.
func (h *h2) prefix(s *h2side, t time.Time) bool {
	switch s.kind {
	case frameData, frameHeaders, framePush:
		if s.has(flagPadded) {
			s.pad = int(s.part[0])
		}
		if s.pad > s.left {
			return false
		}
		if s.kind != frameData {
			s.block.begin(s.stream, s.kind == framePush, s.has(flagEndStream))
			h.grow(s, t)
		}
	case frameContinuation:
		h.grow(s, t)
	case frameReset:
		h.reset(s, t)
	case frameGoAway:
		if s == &h.server {
			h.goAway(binary.BigEndian.Uint32(s.part[:])&^(1<<31), t)
		}
	}
	return true
}

// payload takes a piece of a frame's content.
func (h *h2) payload(s *h2side, b []byte, t time.Time) {
	switch s.kind {
	case frameData:
		h.data(s, b, t)
	case frameHeaders, framePush, frameContinuation:
		h.fragment(s, b, t)
	}
}

func (h *h2) endFrame(s *h2side, t time.Time) {
	s.collect(atFrame, frameHead)
	switch s.kind {
	case frameData:
		if s.has(flagEndStream) {
			h.endStream(s, t)
		}
	case frameHeaders, framePush, frameContinuation:
		if s.has(flagEndHeaders) {
			h.endBlock(s, t)
		}
	}
}

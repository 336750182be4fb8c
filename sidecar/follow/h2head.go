package follow

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/net/http2/hpack"
)

// block is a header block that is being read: HEADERS or PUSH_PROMISE, and the CONTINUATIONs that follow it.
type block struct {
	decoder *hpack.Decoder
	open    bool // until END_HEADERS
	stream  uint32
	push    bool
	end     bool   // END_STREAM
	size    int    // bytes of its fragments
	part    []byte // an incomplete block
	list    int    // bytes of its fields, as SETTINGS_MAX_HEADER_LIST_SIZE counts them

	framing
	text       []byte // that framing's values are pieces of
	status     int    // 0: none, or not a number
	grpcStatus string // empty: none
}

func (k *block) begin(stream uint32, push, end bool) {
	*k = block{
		decoder: k.decoder, open: true, stream: stream, push: push, end: end, framing: readHeaders(nil), text: k.text[:0],
	}
}

// field is called by the decoder.
func (k *block) field(f hpack.HeaderField) {
	if k.list += int(f.Size()); k.list > MaxHead {
		return
	}
	switch f.Name {
	case ":method":
		k.Method = k.bytes(f.Value)
	case ":path":
		k.Target = k.bytes(f.Value)
	case ":status":
		k.status = 0
		if len(f.Value) == 3 {
			k.status, _ = strconv.Atoi(f.Value)
		}
	case "grpc-encoding":
		k.GRPCEncoding = k.bytes(f.Value)
	case "grpc-status":
		k.grpcStatus = f.Value
	case "content-type", "content-length", "content-encoding", "inference-header-content-length":
		k.header([]byte(f.Name), k.bytes(f.Value))
	}
}

// bytes is a value, in memory that the next block uses again.
func (k *block) bytes(value string) []byte {
	at := len(k.text)
	k.text = append(k.text, value...)
	return k.text[at:len(k.text):len(k.text)]
}

// grow counts the fragment that follows before it comes.
func (h *h2) grow(s *h2side, t time.Time) {
	n := s.left - s.pad
	switch s.block.size += n; {
	case s.block.size > MaxHead:
		h.stop(ReasonHead, t)
	case n == 0 && s.has(flagEndHeaders):
		h.decode(s, s.block.part, t)
	}
}

// fragment takes a piece of a header block. It is kept where more is to come, and decoded once: the decoder would begin
// a field again with each piece of it.
func (h *h2) fragment(s *h2side, b []byte, t time.Time) {
	last := len(b) == s.left-s.pad && s.has(flagEndHeaders)
	if last && len(s.block.part) == 0 {
		h.decode(s, b, t)
		return
	}
	if !h.pair.sink.Reserve(len(b)) {
		h.stop(ReasonMemory, t)
		return
	}
	if s.block.part = append(s.block.part, b...); last {
		h.decode(s, s.block.part, t)
	}
}

// decode reads a whole header block.
func (h *h2) decode(s *h2side, b []byte, t time.Time) {
	k := &s.block
	defer func() {
		h.release(len(k.part))
		k.part = nil
	}()
	for len(b) > 0 {
		size, n := tableUpdate(b)
		if n > 0 && !h.resize(s, size, t) {
			return
		}
		if n == 0 {
			n = len(b)
		}
		// An update is written on its own: the decoder refuses a second one, which is valid, where the table has entries.
		_, err := k.decoder.Write(b[:n])
		if err == nil {
			err = k.decoder.Close()
		}
		switch {
		case k.list > MaxHead || errors.Is(err, hpack.ErrStringLength):
			h.stop(ReasonHead, t)
			return
		case err != nil:
			h.stop(ReasonHTTP2, t)
			return
		}
		b = b[n:]
	}
}

// resize reserves memory for a header table. Its writer says within the headers when it changes the size, and nothing
// else changes it: its reader's SETTINGS_HEADER_TABLE_SIZE is a bound, from when the writer has read it. To see to that
// is the reader's business.
func (h *h2) resize(s *h2side, size int, t time.Time) bool {
	if size > MaxTable {
		h.stop(ReasonHead, t)
		return false
	}
	if !h.pair.sink.Reserve(size - s.table) {
		h.stop(ReasonMemory, t)
		return false
	}
	s.table = size
	return true
}

// tableUpdate reads the dynamic table size update (RFC 7541, 6.3) that b begins with: the size, and the update's own
// length, 0 without one. A size that is absurd is larger than any table.
func tableUpdate(b []byte) (size, n int) {
	if b[0]>>5 != 1 {
		return 0, 0
	}
	if size = int(b[0] & 31); size < 31 {
		return size, 1
	}
	for i, c := range b[1:] {
		if i == 4 {
			return MaxTable + 1, len(b)
		}
		if size += int(c&0x7f) << (7 * i); c < 0x80 {
			return size, i + 2
		}
	}
	return 0, len(b) // broken off, as the decoder will find
}

// endBlock: a header block is whole.
func (h *h2) endBlock(s *h2side, t time.Time) {
	s.block.open = false
	switch {
	case s.block.push:
	case s == &h.client:
		h.request(&s.block, t)
	default:
		h.response(&s.block, t)
	}
}

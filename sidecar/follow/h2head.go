package follow

import (
	"errors"
	"strconv"
	"strings"
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
	status     int    // 0: none, or not a number
	grpcStatus string // empty: none
}

func (k *block) begin(stream uint32, push, end bool) {
	*k = block{decoder: k.decoder, open: true, stream: stream, push: push, end: end, framing: readHeaders(nil)}
}

// field is called by the decoder.
func (k *block) field(f hpack.HeaderField) {
	if k.list += int(f.Size()); k.list > MaxHead {
		return
	}
	switch f.Name {
	case ":method":
		k.Method = []byte(f.Value)
	case ":path":
		k.Target = []byte(f.Value)
	case ":status":
		k.status = 0
		if len(f.Value) == 3 {
			k.status, _ = strconv.Atoi(f.Value)
		}
	case "grpc-encoding":
		k.GRPCEncoding = []byte(f.Value)
	case "grpc-status":
		k.grpcStatus = f.Value
	case "content-type", "content-length", "content-encoding", "inference-header-content-length":
		k.header([]byte(f.Name), []byte(f.Value))
	}
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
	var err error
	for err == nil && len(b) > 0 {
		n := len(b)
		if update := tableUpdate(b); update > 0 {
			n = update // on its own: the decoder refuses a second one where a table has entries, but two are valid
		}
		if _, err = k.decoder.Write(b[:n]); err == nil {
			err = k.decoder.Close()
		}
		b = b[n:]
	}
	h.release(len(k.part))
	k.part = nil
	switch {
	case k.list > MaxHead || errors.Is(err, hpack.ErrStringLength):
		h.stop(ReasonHead, t)
	case err != nil:
		h.stop(ReasonHTTP2, t)
	}
}

// tableUpdate is the length of the dynamic table size update (RFC 7541, 6.3) that b begins with, 0 without.
func tableUpdate(b []byte) int {
	switch {
	case b[0]>>5 != 1:
		return 0
	case b[0]&31 < 31:
		return 1
	}
	for i, c := range b[1:] {
		if c < 0x80 {
			return i + 2
		}
	}
	return len(b)
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

// isGRPC tells a call of gRPC from gRPC-Web, which has its trailers in the body.
func isGRPC(contentType []byte) bool {
	rest, ok := strings.CutPrefix(string(contentType), "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// grpcStatus is the HTTP status that stands for a grpc-status, as gRPC's gateways map them. A call that ends without
// one failed in a way that only its HTTP status may tell: status, and UNKNOWN where that is 200.
func grpcStatus(code string, status int) int {
	if code == "" && status != 200 {
		return status
	}
	switch code {
	case "0": // OK
		return 200
	case "1": // CANCELLED
		return 499
	case "3", "9", "11": // INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE
		return 400
	case "4": // DEADLINE_EXCEEDED
		return 504
	case "5": // NOT_FOUND
		return 404
	case "6", "10": // ALREADY_EXISTS, ABORTED
		return 409
	case "7": // PERMISSION_DENIED
		return 403
	case "8": // RESOURCE_EXHAUSTED
		return 429
	case "12": // UNIMPLEMENTED
		return 501
	case "14": // UNAVAILABLE
		return 503
	case "16": // UNAUTHENTICATED
		return 401
	}
	return 500 // UNKNOWN, INTERNAL, DATA_LOSS, and what is no code
}

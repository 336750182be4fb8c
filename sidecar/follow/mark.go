package follow

import (
	"bytes"
	"slices"
	"time"
)

// marks are the places where a header line may be added to what the server sends.
type marks struct {
	wanted func(*Exchange) bool
	read   bool // the status line of the head that is incomplete
	at     []int
}

// NewMarking is New for who adds header lines to answers of the requests that are wanted. That is asked, once, when the
// status line of an answer has been read; the exchange has no Status yet.
func NewMarking(sink Sink, wanted func(*Exchange) bool) *Pair {
	return &Pair{sink: sink, marks: &marks{wanted: wanted}}
}

// MarkResponse is Response, and returns the offsets in b that are right behind the status lines of wanted answers:
// those of HTTP/1.1 with 2xx. A header line that is put there belongs to the answer, whatever follows. There are at
// most MaxWaiting of them, in order, valid until the next call. Only for a Pair of NewMarking.
func (p *Pair) MarkResponse(b []byte, t time.Time) []int {
	p.marks.at = p.marks.at[:0]
	p.Response(b, t)
	return p.marks.at
}

// mark looks for the end of the status line in b, which a response's head begins or goes on with, and which is at an
// offset of what is shown. A status line that ends in a bare LF is left alone: a line behind it would have to, too.
func (p *Pair) mark(b []byte, offset int) {
	m, part := p.marks, p.response.part
	if len(part) == 0 {
		m.read = false
	}
	i := bytes.IndexByte(b, '\n')
	if m.read || i < 0 {
		return
	}
	m.read = true
	if p.oldest == nil || len(part)+i > MaxLine {
		return
	}
	line := b[:i]
	if len(part) > 0 {
		line = slices.Concat(part, line)
	}
	line, whole := bytes.CutSuffix(line, []byte("\r"))
	status, minor, ok := statusLine(line)
	if whole && ok && minor == '1' && status/100 == 2 && m.wanted(p.oldest) {
		m.at = append(m.at, offset+i+1)
	}
}

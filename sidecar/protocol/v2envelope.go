package protocol

import "bytes"

// v2Envelope is all but the data of the last body that had a single tensor, as JSON. Clients mostly write the next one
// likewise, and servers answer so: then the data are all there is to read. The same bytes before the data, and behind
// them, mean the same.
type v2Envelope struct {
	before, behind []byte // nil: nothing is known
	tensor         v2Tensor
}

// envelopeLength is how long an envelope is at most that is kept: comparing is to be cheaper than reading.
const envelopeLength = 1 << 10

// envelope is that of requests, or of answers.
func (p *Parser) envelope() *v2Envelope {
	if p.answer {
		return &p.envelopes[1]
	}
	return &p.envelopes[0]
}

// keep remembers the body that was read.
func (f *v2Envelope) keep(p *Parser) {
	x := &p.last
	if len(p.tensors) != 1 || !x.has || len(p.body)-(x.to-x.from) > envelopeLength {
		f.before = nil
		return
	}
	f.before, f.behind = append(f.before[:0], p.body[:x.from]...), append(f.behind[:0], p.body[x.to:]...)
	name := append(f.tensor.name[:0], x.name...)
	f.tensor = *x
	f.tensor.name = name
}

// v2Alike reads a body that differs from the last in its data only. false: it is another, or cannot be read; nothing
// has been read then.
func (p *Parser) v2Alike() bool {
	f := p.envelope()
	if len(f.before) == 0 || !bytes.HasPrefix(p.body, f.before) || !bytes.HasSuffix(p.body[len(f.before):], f.behind) {
		return false
	}
	s := p.scan(len(p.body))
	s.i, p.unboxed = len(f.before), true
	x := f.tensor
	var err error
	if x.data, err = s.array(); err == nil && s.i == len(p.body)-len(f.behind) {
		if _, err = p.v2Add(&x, len(p.body)); err == nil {
			return true
		}
	}
	p.cells, p.tensors, p.encoded, p.unboxed = p.cells[:0], p.tensors[:0], 0, false
	return false
}

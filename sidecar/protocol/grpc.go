package protocol

import "google.golang.org/protobuf/encoding/protowire"

// Numbers of the fields of inference.ModelInferRequest, ModelInferResponse, their tensors, and Triton's
// ModelStreamInferResponse. The messages are scanned, not unmarshalled: only tensors matter.
const (
	streamError, streamResponse            = 1, 2
	fieldTensors, fieldRawIn, fieldRawOut  = 5, 7, 6
	tensorName, tensorDatatype             = 1, 2
	tensorShape, tensorContents            = 3, 5
	contentsBool, contentsInt, contentsI64 = 1, 2, 3
	contentsUint, contentsU64              = 4, 5
	contentsFP32, contentsFP64             = 6, 7
	contentsBytes                          = 8
)

// span is a part of the body.
type span struct {
	from, to int
	at       int // of a field's value: where its length begins
}

// fields calls each with every field of a message in the body: its type, and where its value is. A value of bytes is
// shown without its length.
func (p *Parser) fields(m span, each func(field protowire.Number, wire protowire.Type, value span) error) error {
	for i := m.from; i < m.to; {
		field, wire, n := protowire.ConsumeTag(p.body[i:m.to])
		if n < 0 {
			return unparsable("no field at byte %d", i)
		}
		i += n
		n = protowire.ConsumeFieldValue(field, wire, p.body[i:m.to])
		if n < 0 {
			return unparsable("field %d breaks off at byte %d", field, i)
		}
		value := span{from: i, to: i + n, at: i}
		if wire == protowire.BytesType {
			_, prefix := protowire.ConsumeVarint(p.body[i:m.to])
			value.from += prefix
		}
		if err := each(field, wire, value); err != nil {
			return err
		}
		i += n
		p.breathe(n)
	}
	return nil
}

// grpc reads a ModelInferRequest or ModelInferResponse; an answer of a stream is wrapped.
func (p *Parser) grpc(stream bool) error {
	m := span{to: len(p.body)}
	if stream && p.answer {
		inner := span{from: -1}
		err := p.fields(m, func(field protowire.Number, wire protowire.Type, value span) error {
			if wire == protowire.BytesType && field == streamError && value.to > value.from {
				return unparsable("an error of the server")
			}
			if wire == protowire.BytesType && field == streamResponse {
				inner = value
			}
			return nil
		})
		if err != nil {
			return err
		}
		if m = inner; m.from < 0 {
			return unparsable("no answer in a message of a stream")
		}
	}
	return p.grpcMessage(m, stream && p.answer)
}

// grpcMessage reads the tensors of a message. One that may be empty is the last of several that answer one request: all
// that it says is that no more will come.
func (p *Parser) grpcMessage(m span, empty bool) error {
	rawField := protowire.Number(fieldRawIn)
	if p.answer {
		rawField = fieldRawOut
	}
	var tensors, raws []span
	err := p.fields(m, func(field protowire.Number, wire protowire.Type, value span) error {
		if wire != protowire.BytesType {
			return nil
		}
		switch field {
		case fieldTensors:
			tensors = append(tensors, value)
		case rawField:
			raws = append(raws, value)
		}
		if len(tensors) > maxTensors || len(raws) > maxTensors {
			return unparsable("more than %d tensors", maxTensors)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(tensors) == 0 && !empty:
		return unparsable("no tensors")
	case len(raws) > 0 && len(raws) != len(tensors):
		return unparsable("%d tensors, but raw data of %d", len(tensors), len(raws))
	}
	for i, x := range tensors {
		raw := span{from: -1}
		if len(raws) > 0 {
			raw = raws[i]
		}
		if err := p.grpcTensor(x, raw); err != nil {
			return err
		}
	}
	return nil
}

// grpcTensor reads one tensor, whose data are raw, if that is anywhere, or its contents.
func (p *Parser) grpcTensor(m, raw span) error {
	x := v2Tensor{rows: 1, width: 1}
	at, dimensions := len(p.cells), 0
	var contents []span
	err := p.fields(m, func(field protowire.Number, wire protowire.Type, value span) (err error) {
		switch {
		case field == tensorShape:
			dimensions, err = p.grpcShape(&x, dimensions, wire, value)
		case wire != protowire.BytesType:
		case field == tensorName:
			x.name = p.body[value.from:value.to]
		case field == tensorDatatype:
			name := p.body[value.from:value.to]
			if x.datatype = datatypeOf(name); x.datatype == unknownType {
				return unparsable("datatype %.64q", name)
			}
		case field == tensorContents:
			if contents = append(contents, value); len(contents) > maxTensors {
				return unparsable("tensor %.64q has contents in more than %d pieces", x.name, maxTensors)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if raw.from >= 0 {
		err = p.raw(x.datatype, raw.from, raw.to-raw.from, int(x.rows*x.width))
	}
	for _, c := range contents { // in pieces, where a writer merged messages
		if err == nil {
			err = p.grpcContents(c, x.datatype)
		}
	}
	if err != nil {
		return err
	}
	if n := len(p.cells) - at; int64(n) != x.rows*x.width {
		return unparsable("tensor %.64q has %d values, its shape says %d", x.name, n, x.rows*x.width)
	}
	return p.add(tensor{
		name: x.name, rows: int(x.rows), width: int(x.width), at: at, stride: int(x.width), rank: x.rank, datatype: x.datatype,
	})
}

// grpcShape reads dimensions, packed or one by one.
func (p *Parser) grpcShape(x *v2Tensor, n int, wire protowire.Type, value span) (int, error) {
	if wire != protowire.BytesType && wire != protowire.VarintType {
		return n, unparsable("tensor %.64q has a bad shape", x.name)
	}
	for i := value.from; i < value.to; n++ {
		v, k := protowire.ConsumeVarint(p.body[i:value.to])
		if k < 0 || !x.dimension(n, int64(v), len(p.body)) {
			return n, unparsable("tensor %.64q has a bad shape", x.name)
		}
		i += k
	}
	return n, nil
}

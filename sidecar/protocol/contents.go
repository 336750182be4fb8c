package protocol

import "google.golang.org/protobuf/encoding/protowire"

// contentsOf is the field of InferTensorContents that holds the values of a datatype; 0 where only raw data do.
func contentsOf(d datatype) protowire.Number {
	switch d {
	case boolType:
		return contentsBool
	case int8Type, int16Type, int32Type:
		return contentsInt
	case int64Type:
		return contentsI64
	case uint8Type, uint16Type, uint32Type:
		return contentsUint
	case uint64Type:
		return contentsU64
	case fp32Type:
		return contentsFP32
	case fp64Type:
		return contentsFP64
	case bytesType:
		return contentsBytes
	}
	return 0
}

// grpcContents reads an InferTensorContents. Values of another type than the tensor's are refused: servers do not see
// them.
func (p *Parser) grpcContents(m span, d datatype) error {
	return p.fields(m, func(field protowire.Number, wire protowire.Type, value span) error {
		if field != contentsOf(d) {
			return unparsable("contents of field %d in a tensor of another datatype", field)
		}
		if err := p.room(0); err != nil {
			return err
		}
		if d == bytesType {
			if wire != protowire.BytesType {
				return unparsable("contents of the wrong type")
			}
			p.cells = append(p.cells, box(tagBytes, value.at))
			return nil
		}
		element := protowire.VarintType
		switch d {
		case fp32Type:
			element = protowire.Fixed32Type
		case fp64Type:
			element = protowire.Fixed64Type
		}
		if wire != protowire.BytesType && wire != element {
			return unparsable("contents of the wrong type")
		}
		return p.packed(value, d)
	})
}

// packed reads packed elements, or a single one.
func (p *Parser) packed(m span, d datatype) error {
	b, at := p.body[m.from:m.to], m.from
	if d == fp32Type || d == fp64Type { // as raw ones are
		return p.raw(d, at, len(b), len(b)/d.size())
	}
	for len(b) > 0 {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return unparsable("a varint breaks off at byte %d", at)
		}
		p.cells = append(p.cells, varint(v, d, at))
		b, at = b[n:], at+n
		p.breathe(n)
		if err := p.room(0); err != nil {
			return err
		}
	}
	return nil
}

// varint is the cell of a varint at a byte of the body.
func varint(v uint64, d datatype, at int) float64 {
	switch d {
	case boolType:
		return boolean(v != 0)
	case int8Type, int16Type, int32Type:
		return float64(int32(v))
	case int64Type:
		return signed(int64(v), tagVarint, at)
	case uint64Type:
		return unsigned(v, tagUvarint, at)
	}
	return float64(uint32(v))
}

package protocol

import (
	"encoding/binary"
	"math"
)

// raw reads n elements out of the size bytes at a byte of the body: little-endian, without padding.
func (p *Parser) raw(d datatype, at, size, n int) error {
	if err := p.room(n); err != nil {
		return err
	}
	b := p.body[at : at+size]
	width := d.size()
	if width == 0 {
		if d != bytesType {
			return unparsable("raw data without a datatype")
		}
		return p.rawTexts(at, b, n)
	}
	if size != n*width {
		return unparsable("raw data of %d bytes, its shape says %d", size, n*width)
	}
	for len(b) > 0 {
		k := min(len(b), pauseEvery)
		p.cells = appendRaw(p.cells, d, b[:k], at)
		b, at = b[k:], at+k
		p.breathe(k)
	}
	return nil
}

// rawTexts reads texts, each behind its length in four bytes.
func (p *Parser) rawTexts(at int, b []byte, n int) error {
	for i := range n {
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return unparsable("raw text %d of %d ends behind its tensor", i, n)
		}
		k := 4 + int(binary.LittleEndian.Uint32(b))
		p.cells = append(p.cells, box(tagPrefixed, at))
		b, at = b[k:], at+k
		p.breathe(k)
	}
	if len(b) > 0 {
		return unparsable("raw data go on behind %d texts", n)
	}
	return nil
}

// appendRaw appends the elements of b, which begin at a byte of the body.
func appendRaw(cells []float64, d datatype, b []byte, at int) []float64 {
	width := d.size()
	for i := 0; i < len(b); i += width {
		var v float64
		switch e := b[i:]; d {
		case boolType:
			v = boolean(e[0] != 0)
		case uint8Type:
			v = float64(e[0])
		case int8Type:
			v = float64(int8(e[0]))
		case uint16Type:
			v = float64(binary.LittleEndian.Uint16(e))
		case int16Type:
			v = float64(int16(binary.LittleEndian.Uint16(e)))
		case fp16Type:
			v = fp16(binary.LittleEndian.Uint16(e))
		case bf16Type:
			v = number(float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(e)) << 16)))
		case uint32Type:
			v = float64(binary.LittleEndian.Uint32(e))
		case int32Type:
			v = float64(int32(binary.LittleEndian.Uint32(e)))
		case fp32Type:
			v = fp32(binary.LittleEndian.Uint32(e))
		case uint64Type:
			v = unsigned(binary.LittleEndian.Uint64(e), tagUint, at+i)
		case int64Type:
			v = signed(int64(binary.LittleEndian.Uint64(e)), tagInt, at+i)
		case fp64Type:
			v = number(math.Float64frombits(binary.LittleEndian.Uint64(e)))
		}
		cells = append(cells, v)
	}
	return cells
}

// number is the cell of a number: no NaN of a body may look like a box.
func number(v float64) float64 {
	if v != v {
		return missing
	}
	return v
}

// signed is the cell of an integer that is found at a byte of the body.
func signed(v int64, t tag, at int) float64 {
	if v >= longInteger || v <= -longInteger {
		return box(t, at)
	}
	return float64(v)
}

// unsigned is the same of one without a sign.
func unsigned(v uint64, t tag, at int) float64 {
	if v >= longInteger {
		return box(t, at)
	}
	return float64(v)
}

func fp32(bits uint32) float64 { return decimal(math.Float32frombits(bits)) }

// fp16 is an IEEE 754 half.
func fp16(h uint16) float64 {
	exponent, fraction := int(h>>10&0x1f), float64(h&0x3ff)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 0x1f:
		if v = math.Inf(1); fraction != 0 {
			return missing
		}
	default:
		v = math.Ldexp(1024+fraction, exponent-25)
	}
	if h&0x8000 != 0 {
		return -v
	}
	return v
}

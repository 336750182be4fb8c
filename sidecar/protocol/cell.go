package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// A cell is a float64. A number is itself, a missing value a plain NaN, and anything else a NaN that holds a tag and
// where in the body the value begins. Numbers can so be told by the column, and whatever else there is costs no memory.
const (
	boxMark  = 0xFFFC << 48
	boxShift = 50
	tagShift = 40
)

type tag uint8

const (
	tagAbsent   tag = iota // a row's column that nothing was said about
	tagNo                  // false
	tagYes                 // true
	tagQuoted              // a JSON string
	tagDigits              // a JSON integer of more than 15 digits: an identifier, perhaps; it keeps them all
	tagCSV                 // a cell of CSV
	tagPrefixed            // text behind its length in four bytes
	tagBytes               // text behind its length as a varint
	tagInt                 // eight bytes, likewise of more than 15 digits
	tagUint
	tagVarint
	tagUvarint
	tagEncoded // a JSON string of base64
)

// longInteger is the least integer that is kept as text.
const longInteger = 1_000_000_000_000_000

var missing = math.NaN()

func box(t tag, at int) float64 {
	return math.Float64frombits(boxMark | uint64(t)<<tagShift | uint64(at))
}

func boxed(cell float64) bool { return math.Float64bits(cell)>>boxShift == boxMark>>boxShift }

// value opens a cell. Its text is valid until the next one is opened.
func (p *Parser) value(cell float64) Value {
	if cell != cell && !boxed(cell) {
		return Value{}
	}
	if !boxed(cell) {
		return Value{Type: Number, Number: cell}
	}
	bits := math.Float64bits(cell)
	at := int(bits & (1<<tagShift - 1))
	switch t := tag(bits >> tagShift & 0xff); t {
	case tagNo:
		return Value{Type: Bool, Text: no}
	case tagYes:
		return Value{Type: Bool, Number: 1, Text: yes}
	case tagAbsent:
		return Value{}
	case tagEncoded:
		text, err := base64.StdEncoding.AppendDecode(p.text[:0], p.textAt(tagQuoted, at))
		if p.text = text; err != nil {
			return Value{}
		}
		return Value{Type: Text, Text: text}
	default:
		return Value{Type: Text, Text: p.textAt(t, at)}
	}
}

// number is the number that a cell stands for, as in a column of numbers: NaN if there is none.
func (p *Parser) number(cell float64) float64 {
	if cell == cell || !boxed(cell) {
		return cell
	}
	v := p.value(cell)
	switch v.Type {
	case Missing:
		return missing
	case Text:
		n, err := strconv.ParseFloat(string(bytes.TrimSpace(v.Text)), 64)
		if err != nil && !math.IsInf(n, 0) {
			return missing
		}
		return number(n)
	}
	return v.Number
}

// encodedText is the base64 of a cell, if it holds some.
func (p *Parser) encodedText(cell float64) ([]byte, bool) {
	bits := math.Float64bits(cell)
	if cell == cell || !boxed(cell) || tag(bits>>tagShift&0xff) != tagEncoded {
		return nil, false
	}
	return p.textAt(tagQuoted, int(bits&(1<<tagShift-1))), true
}

var no, yes = []byte("false"), []byte("true")

func (p *Parser) textAt(t tag, at int) []byte {
	b := p.body[at:]
	switch t {
	case tagQuoted:
		s := scanner{b: p.body, i: at, next: math.MaxInt}
		text, _ := s.string() // it was read before
		return text
	case tagDigits:
		n := 1 // a sign
		for n < len(b) && b[n]-'0' <= 9 {
			n++
		}
		return b[:n]
	case tagCSV:
		return p.csvText(at)
	case tagPrefixed:
		n := binary.LittleEndian.Uint32(b)
		return b[4 : 4+n]
	case tagBytes:
		text, _ := protowire.ConsumeBytes(b)
		return text
	case tagInt:
		p.text = strconv.AppendInt(p.text[:0], int64(binary.LittleEndian.Uint64(b)), 10)
	case tagUint:
		p.text = strconv.AppendUint(p.text[:0], binary.LittleEndian.Uint64(b), 10)
	case tagVarint:
		v, _ := protowire.ConsumeVarint(b)
		p.text = strconv.AppendInt(p.text[:0], int64(v), 10)
	case tagUvarint:
		v, _ := protowire.ConsumeVarint(b)
		p.text = strconv.AppendUint(p.text[:0], v, 10)
	}
	return p.text
}

// boolean is the cell of a truth value.
func boolean(v bool) float64 {
	if v {
		return box(tagYes, 0)
	}
	return box(tagNo, 0)
}

// unescape reads the inside of a JSON string.
func unescape(quoted []byte) ([]byte, bool) {
	var out string
	if json.Unmarshal(quoted, &out) != nil {
		return nil, false
	}
	return []byte(out), true
}

// absent tells a cell that nothing was said about.
func absent(cell float64) bool { return math.Float64bits(cell) == boxMark|uint64(tagAbsent)<<tagShift }

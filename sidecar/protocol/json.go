package protocol

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// elementsAtOnce take about 10 µs.
const elementsAtOnce = 128

// maxDepth is how deep a body may nest.
const maxDepth = 32

// scanner walks JSON. Its methods return an error wrapping ErrUnparsable that says where.
type scanner struct {
	b []byte
	i int

	pause func()
	n     int // elements since the last pause
}

func (s *scanner) fail(want string) error { return unparsable("want %s at byte %d", want, s.i) }

// peek is the next byte that is no blank; 0 at the end.
func (s *scanner) peek() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take consumes c if it is next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.i == len(s.b) {
		return false
	}
	s.i++
	return true
}

// elements calls each at the start of every element of an array; each must consume it.
func (s *scanner) elements(each func() error) error {
	if !s.take('[') {
		return s.fail("an array")
	}
	if s.take(']') {
		return nil
	}
	for {
		if s.n++; s.n == elementsAtOnce {
			if s.n = 0; s.pause != nil {
				s.pause()
			}
		}
		if err := each(); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return s.fail("',' or ']'")
		}
	}
}

// members calls each with every key of an object, at the start of its value; each must consume it.
func (s *scanner) members(each func(key []byte) error) error {
	if !s.take('{') {
		return s.fail("an object")
	}
	if s.take('}') {
		return nil
	}
	for {
		key, err := s.text()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.fail("':'")
		}
		if err := each(key); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.fail("',' or '}'")
		}
	}
}

// skip consumes any value.
func (s *scanner) skip(depth int) error {
	if depth == 0 {
		return s.fail("less nesting")
	}
	switch s.peek() {
	case '{':
		return s.members(func([]byte) error { return s.skip(depth - 1) })
	case '[':
		return s.elements(func() error { return s.skip(depth - 1) })
	}
	_, err := s.scalar()
	return err
}

// text consumes a string. It allocates only where there are escapes.
func (s *scanner) text() ([]byte, error) {
	if !s.take('"') {
		return nil, s.fail("a string")
	}
	start := s.i
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			raw := s.b[start:s.i]
			s.i++
			if !utf8.Valid(raw) {
				return nil, s.fail("UTF-8")
			}
			return raw, nil
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			return nil, s.fail("a string without control characters")
		}
	}
	return nil, s.fail("'\"'")
}

func (s *scanner) escaped(start int) ([]byte, error) {
	for ; s.i < len(s.b) && s.b[s.i] != '"'; s.i++ {
		if s.b[s.i] == '\\' {
			s.i++
		}
	}
	if s.i >= len(s.b) {
		return nil, s.fail("'\"'")
	}
	s.i++
	var out string
	if json.Unmarshal(s.b[start-1:s.i], &out) != nil {
		return nil, s.fail("a valid string")
	}
	return []byte(out), nil
}

// scalar consumes a string, number, boolean or null.
func (s *scanner) scalar() (Value, error) {
	switch c := s.peek(); {
	case c == '"':
		b, err := s.text()
		return Value{Type: Text, Text: b}, err
	case c == '-' || c-'0' <= 9:
		if c == '-' && s.word("-Infinity") {
			return Value{Type: Number, Number: math.Inf(-1)}, nil
		}
		return s.number()
	case c == 'n' && s.word("null"), c == 'N' && s.word("NaN"):
		return Value{}, nil
	case c == 't' && s.word("true"):
		return Value{Type: Bool, Number: 1, Text: []byte("true")}, nil
	case c == 'f' && s.word("false"):
		return Value{Type: Bool, Text: []byte("false")}, nil
	case c == 'I' && s.word("Infinity"):
		return Value{Type: Number, Number: math.Inf(1)}, nil
	}
	return Value{}, s.fail("a value")
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// number consumes a number. A mantissa below 2^53 over a power of ten up to 10^22 is exact with one division (Clinger 1990); others go to strconv.
func (s *scanner) number() (Value, error) {
	start, i, b := s.i, s.i, s.b
	if b[i] == '-' {
		i++
	}
	var mantissa uint64
	first := i
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		mantissa = mantissa*10 + uint64(b[i]-'0')
	}
	whole, fraction := i-first, 0
	if whole == 0 || whole > 1 && b[first] == '0' {
		return Value{}, s.fail("a number")
	}
	if i < len(b) && b[i] == '.' {
		point := i
		for i++; i < len(b) && b[i]-'0' <= 9; i++ {
			mantissa = mantissa*10 + uint64(b[i]-'0')
		}
		if fraction = i - point - 1; fraction == 0 {
			return Value{}, s.fail("a number")
		}
	}
	exponent := i < len(b) && b[i]|0x20 == 'e'
	if exponent {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		digits := i
		for ; i < len(b) && b[i]-'0' <= 9; i++ {
		}
		if i == digits {
			return Value{}, s.fail("a number")
		}
	}
	s.i = i
	switch {
	case !exponent && whole+fraction <= 15:
		v := float64(mantissa) / powers[fraction]
		if b[start] == '-' {
			v = -v
		}
		return Value{Type: Number, Number: v}, nil
	case !exponent && fraction == 0: // an identifier, perhaps: a category keeps all its digits
		return Value{Type: Text, Text: b[start:i]}, nil
	}
	v, err := strconv.ParseFloat(unsafe.String(&b[start], i-start), 64)
	if err != nil && !math.IsInf(v, 0) {
		return Value{}, s.fail("a number")
	}
	return Value{Type: Number, Number: v}, nil
}

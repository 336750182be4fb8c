package protocol

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unicode/utf8"
)

// maxDepth is how deep a body may nest.
const maxDepth = 32

// scanner walks JSON. Its methods return an error wrapping ErrUnparsable that says where.
type scanner struct {
	b    []byte
	i    int
	next int // where to let the caller of the parser breathe
	p    *Parser
}

// scan begins to read the first n bytes of the body.
func (p *Parser) scan(n int) scanner { return scanner{b: p.body[:n], next: pauseEvery, p: p} }

func (s *scanner) fail(want string) error { return unparsable("want %s at byte %d", want, s.i) }

// rest lets the caller of the parser breathe when enough was read, and says when the body stands for too much.
func (s *scanner) rest() error {
	if s.i < s.next {
		return nil
	}
	s.p.breathe(s.i - s.next + pauseEvery)
	s.next = s.i + pauseEvery
	return s.p.room(0)
}

// room refuses a body of more than MaxValues values, of which n are to come.
func (p *Parser) room(n int) error {
	if len(p.cells)+n > MaxValues {
		return unparsable("more than %d values", MaxValues)
	}
	return nil
}

// peek is the next byte that is no blank; 0 at the end.
func (s *scanner) peek() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			if s.i >= s.next {
				_ = s.rest() // what it refuses is refused after the next value too
			}
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

// end is an error if anything is left.
func (s *scanner) end() error {
	if s.peek() != 0 || s.i < len(s.b) {
		return s.fail("the end")
	}
	return nil
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
		if err := each(); err != nil {
			return err
		}
		if s.take(']') {
			return s.rest()
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
		if s.peek() != '"' {
			return s.fail("a string")
		}
		key, err := s.string()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.fail("':'")
		}
		s.peek()
		if err := each(key); err != nil {
			return err
		}
		if s.take('}') {
			return s.rest()
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

// string consumes a string, whose quote is next. It allocates only where there are escapes.
func (s *scanner) string() ([]byte, error) {
	start, escapes, ascii := s.i, false, true
	for i := s.i + 1; i < len(s.b); {
		if i >= s.next {
			s.i = i
			if err := s.rest(); err != nil {
				return nil, err
			}
		}
		if i+8 <= len(s.b) {
			n := ordinary(binary.LittleEndian.Uint64(s.b[i:]))
			if i += n; n == 8 {
				continue
			}
		}
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			return s.content(start, escapes, ascii)
		case c == '\\':
			escapes = true
			i++
		case c < ' ':
			return nil, s.fail("a string without control characters")
		case c >= utf8.RuneSelf:
			ascii = false
		}
		i++
	}
	return nil, s.fail("'\"'")
}

// ordinary is how many of the eight bytes of w, from the lowest on, are neither quote, backslash, control character nor
// beyond ASCII.
func ordinary(w uint64) int {
	quote, backslash := w^'"'*ones, w^'\\'*ones
	other := (quote-ones)&^quote | (backslash-ones)&^backslash | (w-' '*ones)&^w | w
	return bits.TrailingZeros64(other&(0x80*ones)) / 8
}

// content is what stands between the quotes of the string that was consumed.
func (s *scanner) content(start int, escapes, ascii bool) ([]byte, error) {
	text := s.b[start+1 : s.i-1]
	if !ascii && !utf8.Valid(text) {
		return nil, s.fail("UTF-8")
	}
	if escapes {
		var ok bool
		if text, ok = unescape(s.b[start:s.i]); !ok {
			return nil, s.fail("a valid string")
		}
	}
	return text, nil
}

// scalar consumes a string, number, boolean or null.
func (s *scanner) scalar() (cell float64, err error) {
	c := s.peek()
	at := s.i
	switch {
	case c == '"':
		_, err = s.string()
		return box(tagQuoted, at), err
	case c == '-' || c-'0' <= 9:
		if c == '-' && s.word("-Infinity") {
			return math.Inf(-1), nil
		}
		return s.number()
	case c == 'n' && s.word("null"), c == 'N' && s.word("NaN"):
		return missing, nil
	case c == 't' && s.word("true"):
		return boolean(true), nil
	case c == 'f' && s.word("false"):
		return boolean(false), nil
	case c == 'I' && s.word("Infinity"):
		return math.Inf(1), nil
	case c == '{' && (s.p.kind == V1 || s.p.kind == TFServing):
		return s.encoded()
	}
	return 0, s.fail("a value")
}

// encoded consumes {"b64": "…"}, as V1 writes bytes.
func (s *scanner) encoded() (cell float64, err error) {
	at := -1
	err = s.members(func(key []byte) error {
		if string(key) != "b64" || at >= 0 || s.peek() != '"' {
			return s.fail("base64")
		}
		at = s.i
		_, err := s.string()
		return err
	})
	if err == nil && at < 0 {
		err = s.fail("base64")
	}
	s.p.encoded++
	return box(tagEncoded, max(at, 0)), err
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

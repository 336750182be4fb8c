package protocol

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

var powers = [16]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

const ones = 0x0101010101010101

// short reads the usual number at b[i:]: up to seven digits with a point among them, or without. It returns where the
// number ends, or 0 where it has not read one; that may still be a number. b must have eight more bytes behind a sign.
//
// Eight bytes are looked at as one word (SIMD within a register, as in simdjson): a byte's highest bit marks what is no
// digit, the point is taken out by a shift, and three multiplications make eight digits a number. A quotient of two
// exact numbers is the nearest to the true one (Clinger 1990).
func short(b []byte, i int) (v float64, end int) {
	negative := b[i] == '-'
	if negative {
		i++
	}
	w := binary.LittleEndian.Uint64(b[i:]) ^ 0x30*ones
	other := (w&(0x7f*ones) + 0x76*ones | w) & (0x80 * ones)
	if other == 0 || other&0x80 != 0 {
		return 0, 0 // eight digits or more; none
	}
	whole := bits.TrailingZeros64(other) & 0x38 // in bits
	if byte(w) == 0 && whole > 8 {
		return 0, 0
	}
	n, scale := whole, 1.0
	if byte(w>>whole) == '.'^0x30 {
		if other &= other - 1; other == 0 {
			return 0, 0
		}
		n = bits.TrailingZeros64(other)&0x38 - 8
		if n == whole {
			return 0, 0
		}
		low := uint64(1)<<whole - 1
		w = w&low | w>>8&^low
		i++
		scale = powers[(n-whole)>>3&15]
	}
	end = i + n>>3
	if b[end]|0x20 == 'e' {
		return 0, 0
	}
	v = float64(int64(digits(w<<((64-n)&0x38)))) / scale
	if negative {
		v = -v
	}
	return v, end
}

// digits is the number whose eight digits are the bytes of w, the first in the lowest.
func digits(w uint64) uint64 {
	w = w*10 + w>>8
	return (w&0x000000ff000000ff*0x000f424000000064 + w>>16&0x000000ff000000ff*0x0000271000000001) >> 32
}

// number consumes a number of any length.
func (s *scanner) number() (float64, error) {
	start, i, b := s.i, s.i, s.b
	if b[i] == '-' {
		i++
	}
	first := i
	mantissa, i := run(b, i, 0)
	whole, fraction := i-first, 0
	if whole == 0 || whole > 1 && b[first] == '0' {
		return 0, s.fail("a number")
	}
	if i < len(b) && b[i] == '.' {
		point := i
		mantissa, i = run(b, i+1, mantissa)
		if fraction = i - point - 1; fraction == 0 {
			return 0, s.fail("a number")
		}
	}
	exponent := i < len(b) && b[i]|0x20 == 'e'
	if exponent {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		digits := i
		if _, i = run(b, i, 0); i == digits {
			return 0, s.fail("a number")
		}
	}
	s.i = i
	switch {
	case !exponent && whole+fraction <= 15:
		v := float64(mantissa) / powers[fraction]
		if b[start] == '-' {
			v = -v
		}
		return v, nil
	case !exponent && fraction == 0:
		return box(tagDigits, start), nil
	}
	v, err := strconv.ParseFloat(unsafe.String(&b[start], i-start), 64)
	if err != nil && !math.IsInf(v, 0) {
		return 0, s.fail("a number")
	}
	return v, nil
}

// run appends the digits at b[i:] to a number; it wraps beyond 19 of them.
func run(b []byte, i int, v uint64) (uint64, int) {
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:]) ^ 0x30*ones
		if (w&(0x7f*ones)+0x76*ones|w)&(0x80*ones) != 0 {
			break
		}
		v = v*100_000_000 + digits(w)
		i += 8
	}
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		v = v*10 + uint64(b[i]-'0')
	}
	return v, i
}

package dataset

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/leeway-dev/leeway/registry/profile"
)

// decimals reads decimal numbers as strconv.ParseFloat does, to the last bit.
type decimals struct {
	exact  [23]float64 // powers of ten that a float64 holds
	powers [2*maxPower + 1][2]uint64
}

// maxPower of ten that is in the table; others are left to strconv.
const maxPower = 60

// newDecimals computes the tables: of 10^q the first 128 bits, rounded down.
func newDecimals() *decimals {
	d := new(decimals)
	for q := range d.exact {
		d.exact[q] = math.Pow10(q)
	}
	for q := -maxPower; q <= maxPower; q++ {
		n := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(q, -q))), nil)
		size := n.BitLen()
		switch {
		case q < 0:
			n.Quo(new(big.Int).Lsh(big.NewInt(1), uint(127+size)), n)
		case size < 128:
			n.Lsh(n, uint(128-size))
		default:
			n.Rsh(n, uint(size-128))
		}
		d.powers[q+maxPower] = [2]uint64{new(big.Int).Rsh(n, 64).Uint64(), n.Uint64()}
	}
	return d
}

// scan reads the decimal number at the beginning of text, and returns how many
// bytes it has. It reads only the usual forms, as −12.5e3; 0: it is something
// else. Text must go on behind the number.
func (d *decimals) scan(text []byte) (v float64, n int) {
	i, negative := 0, false
	if text[0] == '-' {
		negative = true
		i = 1
	}
	var mantissa uint64
	start := i
	for i < len(text) && text[i]-'0' < 10 {
		mantissa = mantissa*10 + uint64(text[i]-'0')
		i++
	}
	digits, exponent := i-start, 0
	if i < len(text) && text[i] == '.' {
		i++
		point := i
		for i < len(text) && text[i]-'0' < 10 {
			mantissa = mantissa*10 + uint64(text[i]-'0')
			i++
		}
		exponent = point - i
		digits += i - point
	}
	if digits == 0 || i == len(text) {
		return 0, 0
	}
	if text[i]|0x20 == 'e' {
		e, size := scanExponent(text[i+1:])
		if size == 0 {
			return 0, 0
		}
		exponent += e
		i += 1 + size
		if i == len(text) {
			return 0, 0
		}
	}
	if digits > 19 { // it may not have had room, unless it is zeros
		return 0, 0
	}
	v, ok := d.float(mantissa, exponent)
	if !ok {
		return 0, 0
	}
	if negative {
		v = -v
	}
	return v, i
}

func scanExponent(text []byte) (e, n int) {
	negative := false
	if n < len(text) && (text[n] == '-' || text[n] == '+') {
		negative = text[n] == '-'
		n++
	}
	start := n
	for n < len(text) && text[n]-'0' < 10 {
		if n-start == 4 {
			return 0, 0
		}
		e = e*10 + int(text[n]-'0')
		n++
	}
	if n == start {
		return 0, 0
	}
	if negative {
		e = -e
	}
	return e, n
}

// float is mantissa · 10^exponent, rounded to nearest even. The usual number is
// the product or quotient of two that are exact (Clinger 1990).
func (d *decimals) float(mantissa uint64, exponent int) (v float64, ok bool) {
	if mantissa < 1<<53 {
		switch {
		case exponent == 0 || mantissa == 0:
			return float64(mantissa), true
		case exponent < 0 && exponent >= -22:
			return float64(mantissa) / d.exact[-exponent], true
		case exponent > 0 && exponent <= 22:
			return float64(mantissa) * d.exact[exponent], true
		}
	}
	if exponent < -maxPower || exponent > maxPower {
		return 0, false
	}
	return eiselLemire(mantissa, exponent, d.powers[exponent+maxPower])
}

// eiselLemire multiplies the mantissa with a power of ten of 128 bits, and knows
// when that is not enough to round (Lemire 2021, Number Parsing at a Gigabyte
// per Second; the form is that of Go's strconv).
func eiselLemire(mantissa uint64, exponent int, power [2]uint64) (v float64, ok bool) {
	zeros := bits.LeadingZeros64(mantissa)
	mantissa <<= zeros
	binary := uint64(217706*exponent>>16+64+1023) - uint64(zeros)
	high, low := bits.Mul64(mantissa, power[0])
	if high&0x1ff == 0x1ff && low+mantissa < mantissa {
		moreHigh, moreLow := bits.Mul64(mantissa, power[1])
		sum := low + moreHigh
		if sum < low {
			high++
		}
		if high&0x1ff == 0x1ff && sum+1 == 0 && moreLow+mantissa < mantissa {
			return 0, false
		}
		low = sum
	}
	top := high >> 63
	result := high >> (top + 9)
	binary -= 1 ^ top
	if low == 0 && high&0x1ff == 0 && result&3 == 1 {
		return 0, false
	}
	result += result & 1
	result >>= 1
	if result>>53 > 0 {
		result >>= 1
		binary++
	}
	if binary-1 >= 0x7ff-1 {
		return 0, false
	}
	return math.Float64frombits(binary<<52 | result&(1<<52-1)), true
}

// missing says whether text stands for no value, as profile.IsMissing does.
func missing(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	switch c := text[0]; {
	case c > ' ' && c < 0x80 && c|0x20 != 'n':
		return false
	case len(text) > 4 && c > ' ' && c < 0x80 && text[len(text)-1] > ' ' && text[len(text)-1] < 0x80:
		return false
	}
	return profile.IsMissing(string(text))
}

// number reads a field that is not missing; NaN: it is none.
func (d *decimals) number(text []byte) float64 {
	return profile.ParseNumber(string(text))
}

func finite(v float64) bool { return v-v == 0 }

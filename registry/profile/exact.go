package profile

import (
	"math"
	"math/big"
)

// exactSum adds up numbers of at least 0 without rounding (a small accumulator
// after Kulisch), so that the sum is the same in any order. The zero value is 0.
type exactSum struct {
	// words hold 32 bits of the sum each, words[0] those from 2^-1088, and
	// what they have not yet carried over.
	words [69]uint64
	adds  uint32
}

const (
	wordBits  = 32
	lowestBit = -1088 // a multiple of wordBits below the smallest float64, 2^-1074
)

// add adds a finite number of at least 0.
func (s *exactSum) add(v float64) {
	bits := math.Float64bits(v)
	exponent := int(bits >> 52)
	mantissa := bits & (1<<52 - 1)
	if exponent == 0 {
		exponent = 1
	} else {
		mantissa |= 1 << 52
	}
	at := exponent - 1075 - lowestBit // of the mantissa's last bit
	word, shift := at/wordBits, at%wordBits
	low, high := mantissa<<shift, mantissa>>(63-shift)>>1
	s.words[word] += low & math.MaxUint32
	s.words[word+1] += low >> wordBits
	s.words[word+2] += high
	if s.adds++; s.adds == 1<<30 {
		s.carry()
	}
}

func (s *exactSum) carry() {
	s.adds = 0
	for i := range len(s.words) - 1 {
		s.words[i+1] += s.words[i] >> wordBits
		s.words[i] &= math.MaxUint32
	}
}

func (s *exactSum) merge(o *exactSum) {
	s.carry()
	carried := *o
	carried.carry()
	for i, w := range carried.words {
		s.words[i] += w
	}
	s.adds = 1
}

// over is the sum divided by n, rounded once.
func (s *exactSum) over(n int64) float64 {
	s.carry()
	sum := new(big.Int)
	for i := len(s.words) - 1; i >= 0; i-- {
		sum.Lsh(sum, wordBits)
		sum.Or(sum, new(big.Int).SetUint64(s.words[i]))
	}
	ratio := new(big.Rat).SetFrac(sum, new(big.Int).Lsh(big.NewInt(n), -lowestBit))
	v, _ := ratio.Float64()
	return v
}

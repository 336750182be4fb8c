package profile

import (
	"encoding/binary"
	"math/bits"
)

// Ascending keys are packed as their differences. Those of numbers that go on and on are about equally long, and take the
// fewest bits as Rice codes (Rice and Plaunt 1971): the low bits of a difference as they are, and the rest as so many
// ones and a zero. Those of few distinct numbers are mostly 0 and now and then very long: they take the fewest as
// varints. Those of whole numbers, and of others with few digits in binary, end with zeros, which are left out.

// varints stands for a number of low bits where differences are varints.
const varints = 0xff

// appendKeys packs ascending keys. It needs keysLen bytes.
func appendKeys(p []byte, keys []uint32) []byte {
	p = binary.AppendUvarint(p, uint64(len(keys)))
	if len(keys) == 0 {
		return p
	}
	zeros := zerosOf(keys)
	low, _ := shortest(keys, zeros)
	p = append(binary.LittleEndian.AppendUint32(p, keys[0]), zeros, low)
	w := bitWriter{p: p}
	for i, key := range keys[1:] {
		if d := (key - keys[i]) >> zeros; low == varints {
			w.p = binary.AppendUvarint(w.p, uint64(d))
		} else {
			w.ones(d >> low)
			w.put(d&(1<<low-1), uint(low))
		}
	}
	return w.end()
}

// keysLen is how many bytes keys take.
func keysLen(keys []uint32) int {
	if len(keys) == 0 {
		return 1
	}
	_, size := shortest(keys, zerosOf(keys))
	return uvarintLen(uint32(len(keys))) + 6 + size
}

// zerosOf is how many zeros all differences of keys end with.
func zerosOf(keys []uint32) byte {
	var all uint32
	for i, key := range keys[1:] {
		all |= key - keys[i]
	}
	return byte(bits.TrailingZeros32(all)) & 31
}

// shortest says how the differences of keys, without their zeros, take the fewest bytes: with so many low bits, or as
// varints.
func shortest(keys []uint32, zeros byte) (low byte, size int) {
	mean := uint64(keys[len(keys)-1]-keys[0]) >> zeros / uint64(len(keys))
	low = byte(max(0, bits.Len64(mean)-1))
	var rice, varint uint64
	for i, key := range keys[1:] {
		d := (key - keys[i]) >> zeros
		rice += uint64(d>>low) + 1 + uint64(low)
		varint += uint64(uvarintLen(d))
	}
	if rice = (rice + 7) / 8; rice > varint {
		return varints, int(varint)
	}
	return low, int(rice)
}

func uvarintLen(v uint32) int { return (bits.Len32(v|1) + 6) / 7 }

// takeKeys appends the keys that appendKeys has packed to keys, and returns what stands behind them.
func takeKeys(p []byte, keys []uint32) (rest []byte, all []uint32) {
	n, k := binary.Uvarint(p)
	if p = p[k:]; n == 0 {
		return p, keys
	}
	key, zeros, low := binary.LittleEndian.Uint32(p), p[4], p[5]
	keys = append(keys, key)
	r := bitReader{p: p[6:]}
	for range n - 1 {
		if low == varints {
			d, k := binary.Uvarint(r.p)
			r.p = r.p[k:]
			key += uint32(d) << zeros
		} else {
			key += r.ones() << low << zeros
			key += r.take(uint(low)) << zeros
		}
		keys = append(keys, key)
	}
	return r.p, keys
}

// bitWriter appends bits to bytes, the lowest of a byte first.
type bitWriter struct {
	p    []byte
	bits uint64
	n    uint // of bits, fewer than 8 between calls
}

func (w *bitWriter) put(v uint32, n uint) {
	w.bits |= uint64(v) << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.p = append(w.p, byte(w.bits))
		w.bits >>= 8
	}
}

// ones puts so many ones and a zero.
func (w *bitWriter) ones(n uint32) {
	for ; n >= 32; n -= 32 {
		w.put(1<<32-1, 32)
	}
	w.put(1<<n-1, uint(n)+1)
}

// end is what was written, up to a whole byte.
func (w *bitWriter) end() []byte {
	if w.n > 0 {
		w.p = append(w.p, byte(w.bits))
	}
	return w.p
}

// bitReader takes bits as bitWriter puts them. What it has not looked at stays in p.
type bitReader struct {
	p    []byte
	bits uint64
	n    uint
}

// fill makes n bits ready.
func (r *bitReader) fill(n uint) {
	for r.n < n {
		r.bits |= uint64(r.p[0]) << r.n
		r.p = r.p[1:]
		r.n += 8
	}
}

func (r *bitReader) take(n uint) uint32 {
	r.fill(n)
	v := uint32(r.bits & (1<<n - 1))
	r.bits >>= n
	r.n -= n
	return v
}

// ones takes ones and the zero behind them, and returns how many they were.
func (r *bitReader) ones() (n uint32) {
	for {
		r.fill(1)
		ones := min(uint(bits.TrailingZeros64(^r.bits)), r.n)
		n += uint32(ones)
		r.bits >>= ones
		if r.n -= ones; r.n > 0 {
			r.take(1)
			return n
		}
	}
}

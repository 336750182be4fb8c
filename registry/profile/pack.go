package profile

import (
	"encoding/binary"
	"math"
	"slices"
)

// A packed sketch holds the values of each level as differences of ascending
// values, one to three bytes each instead of four: the many slices of a
// recorder take less than half the memory. It begins with a zero byte, which no
// serialised sketch does; serialised sketches of fewer than two values stay as
// they are.

// packSketch makes a serialised sketch smaller.
func packSketch(b []byte) []byte {
	if b[0] != 5 {
		return b
	}
	levels := int(b[18])
	data := floats(b[sketchFull+4*levels:])
	packed := []byte{0, byte(levels)}
	packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(data[0]))
	packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(data[1]))
	data = data[2:]
	end := capacity(levels)
	for i := range levels {
		start, next := binary.LittleEndian.Uint32(b[sketchFull+4*i:]), end
		if i+1 < levels {
			next = binary.LittleEndian.Uint32(b[sketchFull+4*(i+1):])
		}
		n := next - start
		level := data[:n]
		data = data[n:]
		slices.Sort(level)
		packed = binary.AppendUvarint(packed, uint64(n))
		var last uint32
		for _, v := range level {
			k := ordered(v)
			packed = binary.AppendUvarint(packed, uint64(k-last))
			last = k
		}
	}
	return slices.Clip(packed)
}

// unpackSketch is the serialised sketch again, its levels sorted.
func unpackSketch(p []byte) []byte {
	if len(p) == 0 || p[0] != 0 {
		return p
	}
	levels := int(p[1])
	extremes := p[2:10]
	p = p[10:]
	next := func() uint32 {
		v, n := binary.Uvarint(p)
		p = p[n:]
		return uint32(v)
	}
	var items []byte
	var sizes []uint32
	var weight uint64
	for i := range levels {
		n := next()
		sizes = append(sizes, n)
		weight += uint64(n) << i
		var key uint32
		for range n {
			key += next()
			items = binary.LittleEndian.AppendUint32(items, math.Float32bits(fromOrdered(key)))
		}
	}
	b := make([]byte, sketchFull, sketchFull+4*levels+len(extremes)+len(items))
	b[0], b[1], b[2], b[3], b[6], b[18] = 5, 1, familyKLL, flagSorted0, sketchM, byte(levels)
	binary.LittleEndian.PutUint16(b[4:], sketchK)
	binary.LittleEndian.PutUint64(b[8:], weight)
	binary.LittleEndian.PutUint16(b[16:], sketchK)
	start := capacity(levels) - uint32(len(items)/4)
	for _, n := range sizes {
		b = binary.LittleEndian.AppendUint32(b, start)
		start += n
	}
	return append(append(b, extremes...), items...)
}

// ordered maps float32 to integers of the same order.
func ordered(v float32) uint32 { return orderedBits(math.Float32bits(v)) }

func orderedBits(bits uint32) uint32 {
	if bits>>31 == 1 {
		return ^bits
	}
	return bits | 1<<31
}

func fromOrdered(k uint32) float32 {
	if k>>31 == 1 {
		return math.Float32frombits(k &^ (1 << 31))
	}
	return math.Float32frombits(^k)
}

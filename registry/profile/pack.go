package profile

import (
	"encoding/binary"
	"math"
	"slices"
)

// A packed sketch holds the values of each level as differences of ascending
// values, about two bytes each instead of four: the many slices of a recorder
// take half the memory. It begins with a zero byte, which no serialised sketch
// does; serialised sketches of fewer than two values stay as they are.

// packSketch makes a serialised sketch smaller.
func packSketch(b []byte) []byte {
	if b[0] != 5 {
		return b
	}
	levels := make([][]uint32, b[18])
	data := floats(b[sketchFull+4*len(levels):])
	low, high := math.Float32bits(data[0]), math.Float32bits(data[1])
	keys := make([]uint32, len(data)-2)
	for i, v := range data[2:] {
		keys[i] = ordered(v)
	}
	end := capacity(len(levels))
	for i := range levels {
		start, next := binary.LittleEndian.Uint32(b[sketchFull+4*i:]), end
		if i+1 < len(levels) {
			next = binary.LittleEndian.Uint32(b[sketchFull+4*(i+1):])
		}
		levels[i], keys = keys[:next-start], keys[next-start:]
		slices.Sort(levels[i])
	}
	return packLevels(low, high, levels)
}

// packLevels packs the ascending keys (ordered) of each level, with the extremes as bits of float32. It allocates what
// it needs and no more: thousands of packed sketches are kept, for a day.
func packLevels(low, high uint32, levels [][]uint32) []byte {
	size := packedHead
	for _, level := range levels {
		size += keysLen(level)
	}
	p := append(make([]byte, 0, size), 0, byte(len(levels)))
	p = binary.LittleEndian.AppendUint32(p, low)
	p = binary.LittleEndian.AppendUint32(p, high)
	for _, level := range levels {
		p = appendKeys(p, level)
	}
	return p
}

// packedHead is what stands before the levels: 0, how many there are, and the extremes.
const packedHead = 10

// unpackSketch is the serialised sketch again, its levels sorted.
func unpackSketch(p []byte) []byte {
	if len(p) == 0 || p[0] != 0 {
		return p
	}
	levels, extremes := int(p[1]), p[2:packedHead]
	p = p[packedHead:]
	var items []byte
	var sizes, keys []uint32
	var weight uint64
	for i := range levels {
		p, keys = takeKeys(p, keys[:0])
		sizes = append(sizes, uint32(len(keys)))
		weight += uint64(len(keys)) << i
		for _, key := range keys {
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

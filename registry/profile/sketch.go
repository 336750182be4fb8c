package profile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/datasketches-go/common"
	"github.com/apache/datasketches-go/kll"
)

// sketchK gives a rank error of 0.45% at 99% confidence (0.54% for the share
// between two edges), with at most about 3,100 retained values of four bytes.
const (
	sketchK      = 1024
	sketchM      = 8  // smallest level, the library's default
	sketchLevels = 48 // more than MaxRows can fill
)

// sketch is a KLL sketch (Karnin, Lang, Liberty 2016) of float32 values: half
// the memory of float64, and 24 bits of a value tell bins apart. Comparisons
// with edges round the edge the same way.
type sketch = kll.ItemsSketch[float32]

func less(a, b float32) bool { return a < b }

// narrow rounds to float32, keeping what is beyond its range finite.
func narrow(v float64) float32 {
	return float32(min(max(v, -math.MaxFloat32), math.MaxFloat32))
}

// readSketch reads bytes that checkSketch has accepted.
func readSketch(data []byte) (*sketch, error) {
	if _, err := checkSketch(data); err != nil {
		return nil, err
	}
	return kll.NewKllItemsSketchFromSlice[float32](data, less, common.ItemSketchFloatSerDe{})
}

// Layout of a serialised sketch (Apache DataSketches, KLL, little endian):
// ints, version, family, flags, k (2), m, – ; then for more than one value
// n (8), min k (2), levels, –, level starts (4 each), min, max, values.
const (
	sketchHead  = 8
	sketchFull  = 20
	familyKLL   = 15
	flagEmpty   = 1
	flagSorted0 = 2
	flagSingle  = 4
)

// checkSketch checks what the library takes on trust, and counts the values:
// bytes from another pod may not make a reader allocate or panic.
func checkSketch(b []byte) (n int64, err error) {
	if len(b) < sketchHead {
		return 0, fmt.Errorf("%d bytes, too few", len(b))
	}
	if b[2] != familyKLL || binary.LittleEndian.Uint16(b[4:]) != sketchK || b[6] != sketchM {
		return 0, fmt.Errorf("not a KLL sketch with k = %d, m = %d", sketchK, sketchM)
	}
	switch shape := [3]byte{b[0], b[1], b[3] &^ flagSorted0}; {
	case shape == [3]byte{2, 1, flagEmpty} && len(b) == sketchHead:
		return 0, nil
	case shape == [3]byte{2, 2, flagSingle} && len(b) == sketchHead+4:
		return 1, finite(floats(b[sketchHead:]))
	case shape == [3]byte{5, 1, 0}:
		return checkFullSketch(b)
	}
	return 0, errors.New("header and length disagree")
}

func checkFullSketch(b []byte) (int64, error) {
	if len(b) < sketchFull {
		return 0, fmt.Errorf("%d bytes, too few", len(b))
	}
	levels := int(b[18])
	n := binary.LittleEndian.Uint64(b[8:])
	if levels < 1 || levels > sketchLevels || len(b) < sketchFull+4*levels+8 {
		return 0, fmt.Errorf("%d levels, want 1 to %d within its bytes", levels, sketchLevels)
	}
	if n < 2 || n > MaxRows {
		return 0, fmt.Errorf("%d values, want 2 to %d", n, int64(MaxRows))
	}
	if minK := binary.LittleEndian.Uint16(b[16:]); minK != sketchK {
		return 0, fmt.Errorf("merged from a sketch with k = %d, want %d", minK, sketchK)
	}
	data := floats(b[sketchFull+4*levels:])
	lowest, highest, items := data[0], data[1], data[2:]
	end := capacity(levels)
	starts := make([]uint32, levels+1)
	for i := range levels {
		starts[i] = binary.LittleEndian.Uint32(b[sketchFull+4*i:])
	}
	starts[levels] = end
	if levels > 1 && starts[levels-1] == end {
		return 0, errors.New("its highest level is empty")
	}
	if !slices.IsSorted(starts) || len(b) != sketchFull+4*levels+8+4*int(end-starts[0]) {
		return 0, errors.New("levels and length disagree")
	}
	var weight uint64
	for i := range levels {
		level := items[starts[i]-starts[0] : starts[i+1]-starts[0]]
		weight += uint64(len(level)) << i
		if !slices.IsSorted(level) && (i > 0 || b[3]&flagSorted0 != 0) {
			return 0, fmt.Errorf("level %d is not ascending", i)
		}
	}
	if weight != n {
		return 0, fmt.Errorf("its levels weigh %d, but it says %d values", weight, n)
	}
	if err := finite(data); err != nil {
		return 0, err
	}
	if slices.Min(items) < lowest || slices.Max(items) > highest {
		return 0, errors.New("values outside its own minimum and maximum")
	}
	return int64(n), nil
}

// capacity is how many values a sketch of so many levels has room for.
func capacity(levels int) uint32 {
	var total uint32
	for depth := range levels {
		total += max(sketchM, levelCapacity(depth))
	}
	return total
}

// levelCapacity is round(k·(2/3)^depth), with the library's rounding.
func levelCapacity(depth int) uint32 {
	if depth > 30 {
		return 0 // far below sketchM
	}
	power := uint64(1)
	for range depth {
		power *= 3
	}
	return uint32(((2*sketchK<<depth)/power + 1) / 2)
}

func floats(b []byte) []float32 {
	list := make([]float32, len(b)/4)
	for i := range list {
		list[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return list
}

func finite(list []float32) error {
	for _, v := range list {
		if v-v != 0 {
			return fmt.Errorf("value %v is not finite", v)
		}
	}
	return nil
}

package dataset

import (
	"math"
	"math/bits"
	"slices"
	"sort"

	"github.com/leeway-dev/leeway/registry/profile"
)

// sorted is the values of a column that fits into memory, as integers of their
// order (keyOf); it is profile.Values.
type sorted struct {
	keys  []uint64
	spare []uint64 // memory for sorting
}

// Len implements profile.Values.
func (s *sorted) Len() int64 { return int64(len(s.keys)) }

// Find implements profile.Values; it returns no error.
func (s *sorted) Find(ranks []int64) ([]profile.Run, error) {
	runs := make([]profile.Run, len(ranks))
	for i, rank := range ranks {
		key := s.keys[rank]
		below := int64(sort.Search(int(rank), func(k int) bool { return s.keys[k] == key }))
		count := int64(sort.Search(len(s.keys)-int(rank), func(k int) bool { return s.keys[int(rank)+k] > key })) + rank - below
		runs[i] = profile.Run{Value: ofKey(key), Below: below, Count: count}
	}
	return runs, nil
}

// sort sorts the keys by their three highest digits of 11 bits, as counted from
// the lowest key, and mends what is left: of values that are spread out almost
// nothing.
func (s *sorted) sort() {
	if len(s.keys) < 256 {
		slices.Sort(s.keys)
		return
	}
	low, high := s.keys[0], s.keys[0]
	for _, k := range s.keys {
		low, high = min(low, k), max(high, k)
	}
	const digit = 11
	shift := max(3*digit, bits.Len64(high-low)) - 3*digit
	var counts [3][1 << digit]uint32
	for _, k := range s.keys {
		d := (k - low) >> shift
		counts[0][d%(1<<digit)]++
		counts[1][d>>digit%(1<<digit)]++
		counts[2][d>>(2*digit)%(1<<digit)]++
	}
	s.spare = slices.Grow(s.spare[:0], len(s.keys))[:len(s.keys)]
	for i := range counts {
		if c := &counts[i]; slices.Max(c[:]) < uint32(len(s.keys)) { // not the same digit in all
			s.scatter(c, low, shift+digit*i)
		}
	}
	if shift > 0 && !mend(s.keys) {
		slices.Sort(s.keys)
	}
}

// scatter puts the keys in the order of a digit, and else leaves theirs.
func (s *sorted) scatter(counts *[1 << 11]uint32, low uint64, shift int) {
	at := uint32(0)
	for i, n := range counts {
		counts[i], at = at, at+n
	}
	for _, k := range s.keys {
		d := (k - low) >> shift % (1 << 11)
		s.spare[counts[d]] = k
		counts[d]++
	}
	s.keys, s.spare = s.spare, s.keys
}

// mend sorts what is almost sorted; false: it is not.
func mend(a []uint64) bool {
	left := 4 * len(a)
	for i := 1; i < len(a); i++ {
		k, j := a[i], i
		for ; j > 0 && a[j-1] > k; j-- {
			a[j] = a[j-1]
		}
		if a[j] = k; i-j > 0 {
			if left -= i - j; left < 0 {
				return false
			}
		}
	}
	return true
}

// ofKey is the number of a key of keyOf.
func ofKey(k uint64) float64 {
	return math.Float64frombits(k ^ (^uint64(int64(k)>>63) | 1<<63))
}

package dataset

import (
	"math"
	"slices"
)

// sampleSize is how many values suggest the limits of the buckets.
const sampleSize = 4096

// setLinear makes buckets of equal width over all but the ends of a sample; the
// first and the last one take these.
func (s *selection) setLinear(buckets int) error {
	var sample []float64
	every, at := s.n/sampleSize+1, int64(0)
	err := s.source.scan(func(values []float64) {
		for ; at < int64(len(values)); at += every {
			sample = append(sample, values[at])
		}
		at -= int64(len(values))
	}, func(c counted) { sample = append(sample, c.value) })
	if err != nil {
		return err
	}
	slices.Sort(sample)
	s.low = sample[len(sample)/512]
	high := sample[len(sample)-1-len(sample)/512]
	s.scale = float64(buckets-2) / (high - s.low)
	s.bits = !finite(s.scale) || !(s.scale > 0) || !finite(high-s.low)
	return nil
}

// setBits makes buckets of equal numbers of float64 from the least to the
// greatest value. Each has fewer of them than all have, by far: so what lies in
// one bucket needs few selections more.
func (s *selection) setBits(buckets int) error {
	s.bits = true
	low, high := uint64(math.MaxUint64), uint64(0)
	err := s.source.scan(func(values []float64) {
		for _, v := range values {
			k := keyOf(v)
			low, high = min(low, k), max(high, k)
		}
	}, func(c counted) { low, high = min(low, keyOf(c.value)), max(high, keyOf(c.value)) })
	s.lowKey = low
	for (high-low)>>s.shift >= uint64(buckets) {
		s.shift++
	}
	return err
}

// keyOf orders float64 as numbers do.
func keyOf(v float64) uint64 {
	k := math.Float64bits(v)
	return k ^ (uint64(int64(k)>>63) | 1<<63)
}

func (s *selection) bucket(v float64) int {
	if s.bits {
		return int((keyOf(v) - s.lowKey) >> s.shift)
	}
	return s.linear(v, float64(len(s.before)-2))
}

// linear is the bucket of v where last is the greatest one.
func (s *selection) linear(v, last float64) int {
	return int(min(max((v-s.low)*s.scale+1, 0), last))
}

func (s *selection) count(values []float64, counts []int64) {
	if s.bits {
		for _, v := range values {
			counts[(keyOf(v)-s.lowKey)>>s.shift]++
		}
		return
	}
	low, scale, last := s.low, s.scale, float64(len(counts)-1)
	for _, v := range values {
		counts[int(min(max((v-low)*scale+1, 0), last))]++
	}
}

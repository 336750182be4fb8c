package dataset

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/leeway-dev/leeway/registry/profile"
)

// selection finds the values at some ranks of a column that is too long to be
// sorted in memory; it is profile.Values. A scan counts the values in many
// narrow buckets, whose limits a sample suggests; another one sorts those of the
// buckets in which there is a wanted rank. A bucket with too many values is a
// selection of its own. What is found does not depend on the buckets: ranks are
// exact.
type selection struct {
	source source
	limits limits
	n      int64

	low, scale float64 // linear buckets
	bits       bool    // or buckets of equal numbers of float64
	lowKey     uint64
	shift      uint
	before     []int64 // values before each bucket, and in all

	found map[int]profile.Runs // by bucket, ranks from its own first; some runs of it
	inner map[int]*selection
}

// source scans values in any order, the same each time. A weight is how often a
// value stands there.
type source interface {
	scan(many func(values []float64), weighted func(c counted)) error
}

// Len implements profile.Values.
func (s *selection) Len() int64 { return s.n }

// newSelection counts. depth is how many selections this one is in.
func newSelection(source source, n int64, l limits, depth int) (*selection, error) {
	s := &selection{source: source, limits: l, n: n, found: map[int]profile.Runs{}, inner: map[int]*selection{}}
	buckets := 1 << 8
	for int64(buckets) < n/2 && buckets < l.buckets {
		buckets *= 2
	}
	var err error
	if depth == 0 {
		err = s.setLinear(buckets)
	}
	if err == nil && (depth > 0 || s.bits) {
		err = s.setBits(buckets)
	}
	if err != nil {
		return nil, err
	}
	counts := make([]int64, buckets+1)
	s.before = counts
	err = source.scan(func(values []float64) {
		s.count(values, counts[1:])
	}, func(c counted) { counts[s.bucket(c.value)+1] += c.count })
	for i := 1; i < len(counts); i++ {
		counts[i] += counts[i-1]
	}
	return s, err
}

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

// Find implements profile.Values.
func (s *selection) Find(ranks []int64) ([]profile.Run, error) {
	wanted := map[int][]int64{} // ranks within buckets
	for _, rank := range ranks {
		b := s.bucketOf(rank)
		wanted[b] = append(wanted[b], rank-s.before[b])
	}
	if err := s.resolve(wanted); err != nil {
		return nil, err
	}
	found := map[int]profile.Runs{}
	for b, list := range wanted {
		if inner := s.inner[b]; inner != nil {
			runs, err := inner.Find(list)
			if err != nil {
				return nil, err
			}
			slices.SortFunc(runs, func(a, b profile.Run) int { return cmp.Compare(a.Below, b.Below) })
			found[b] = slices.Compact(runs)
		} else {
			found[b] = s.found[b]
		}
	}
	runs := make([]profile.Run, len(ranks))
	for i, rank := range ranks {
		b := s.bucketOf(rank)
		runs[i], _ = covering(found[b], rank-s.before[b])
		runs[i].Below += s.before[b]
	}
	return runs, nil
}

func (s *selection) bucketOf(rank int64) int {
	return sort.Search(len(s.before)-1, func(b int) bool { return s.before[b+1] > rank })
}

// covering is the run of a rank, among some that are known.
func covering(runs profile.Runs, rank int64) (profile.Run, bool) {
	i, _ := slices.BinarySearchFunc(runs, rank, func(r profile.Run, rank int64) int {
		return cmp.Compare(r.Below+r.Count-1, rank)
	})
	if i == len(runs) || runs[i].Below > rank {
		return profile.Run{}, false
	}
	return runs[i], true
}

// resolve makes the runs of ranks known, by bucket.
func (s *selection) resolve(wanted map[int][]int64) error {
	var small, large []int
	for b, ranks := range wanted {
		unknown := slices.ContainsFunc(ranks, func(rank int64) bool {
			_, ok := covering(s.found[b], rank)
			return !ok
		})
		switch {
		case s.inner[b] != nil || !unknown:
		case s.before[b+1]-s.before[b] > int64(s.limits.collected):
			large = append(large, b)
		default:
			small = append(small, b)
		}
	}
	slices.Sort(small)
	slices.Sort(large)
	if len(large) > 0 {
		if err := s.divide(large); err != nil {
			return err
		}
	}
	for len(small) > 0 {
		k, n := 0, int64(0)
		for k < len(small) {
			if n += s.before[small[k]+1] - s.before[small[k]]; k > 0 && n > int64(s.limits.collected) {
				break
			}
			k++
		}
		if err := s.collect(small[:k], wanted); err != nil {
			return err
		}
		small = small[k:]
	}
	return nil
}

// collect sorts the values of some buckets, and keeps the runs of the wanted ranks
// and their neighbours.
func (s *selection) collect(buckets []int, wanted map[int][]int64) error {
	list, err := s.sorted(buckets)
	if err != nil {
		return err
	}
	for len(list) > 0 {
		b, n := s.bucket(list[0].value), 1
		for n < len(list) && s.bucket(list[n].value) == b {
			n++
		}
		s.found[b] = around(list[:n], wanted[b], s.found[b])
		list = list[n:]
	}
	return nil
}

// around are the runs of ranks among all of a bucket, and those beside them, and
// what was known before.
func around(list []counted, ranks []int64, known profile.Runs) profile.Runs {
	runs := runsOf(list, 0)
	for _, rank := range ranks {
		i, _ := slices.BinarySearchFunc(runs, rank, func(r profile.Run, rank int64) int {
			return cmp.Compare(r.Below+r.Count-1, rank)
		})
		known = append(known, runs[max(i-1, 0):min(i+2, len(runs))]...)
	}
	slices.SortFunc(known, func(a, b profile.Run) int { return cmp.Compare(a.Below, b.Below) })
	return slices.Compact(known)
}

// sorted is the values of some buckets, in order, with their counts.
func (s *selection) sorted(buckets []int) ([]counted, error) {
	set := s.marked(buckets)
	var values []float64
	var list []counted
	err := s.source.scan(func(many []float64) {
		for _, v := range many {
			if b := s.bucket(v); set[b>>6]>>(b&63)&1 != 0 {
				values = append(values, v)
			}
		}
	}, func(c counted) {
		if b := s.bucket(c.value); set[b>>6]>>(b&63)&1 != 0 {
			list = append(list, c)
		}
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(values)
	for len(values) > 0 {
		n := 1
		for n < len(values) && values[n] == values[0] {
			n++
		}
		list = append(list, counted{values[0], int64(n)})
		values = values[n:]
	}
	slices.SortFunc(list, byValue)
	return compact(list), nil
}

// marked is a set of buckets, one bit each.
func (s *selection) marked(buckets []int) []uint64 {
	set := make([]uint64, len(s.before)/64+1)
	for _, b := range buckets {
		set[b>>6] |= 1 << (b & 63)
	}
	return set
}

// divide makes selections of buckets with many values; those with just one
// distinct value are found by that.
func (s *selection) divide(buckets []int) error {
	set := s.marked(buckets)
	least, greatest := map[int]float64{}, map[int]float64{}
	see := func(v float64) {
		b := s.bucket(v)
		if set[b>>6]>>(b&63)&1 == 0 {
			return
		}
		if low, ok := least[b]; !ok || v < low {
			least[b] = v
		}
		if high, ok := greatest[b]; !ok || v > high {
			greatest[b] = v
		}
	}
	err := s.source.scan(func(values []float64) {
		for _, v := range values {
			see(v)
		}
	}, func(c counted) { see(c.value) })
	if err != nil {
		return err
	}
	for _, b := range buckets {
		n := s.before[b+1] - s.before[b]
		if least[b] == greatest[b] {
			s.found[b] = profile.Runs{{Value: least[b], Count: n}}
			continue
		}
		if s.inner[b], err = newSelection(&bucketSource{s, b, nil}, n, s.limits, 1); err != nil {
			return err
		}
	}
	return nil
}

// bucketSource is the values of one bucket.
type bucketSource struct {
	of     *selection
	bucket int
	buffer []float64
}

func (b *bucketSource) scan(many func([]float64), weighted func(counted)) error {
	return b.of.source.scan(func(values []float64) {
		b.buffer = b.buffer[:0]
		for _, v := range values {
			if b.of.bucket(v) == b.bucket {
				b.buffer = append(b.buffer, v)
			}
		}
		many(b.buffer)
	}, func(c counted) {
		if b.of.bucket(c.value) == b.bucket {
			weighted(c)
		}
	})
}

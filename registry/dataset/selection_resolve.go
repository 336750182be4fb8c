package dataset

import (
	"cmp"
	"slices"

	"github.com/leeway-dev/leeway/registry/profile"
)

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

package profile

import "math/rand/v2"

// A filler that has seen thinAt values adds one of every two from then on, of
// twice as many one of four, and so on up to one of eight: at tens of thousands
// of rows a second sorting every value would cost more than all other counting.
// The value is drawn from its group and stands for all of it, as in the sampler
// of Karnin, Lang and Liberty 2016. The least and the greatest stay exact.
//
// By sampling alone a rank is off by at most 0.19% (one standard deviation, of
// 4·thinAt values; 0.15% of 20·thinAt), by the sketch itself by 0.17%: so within
// one slice of 5 s ranks are known to 0.65% instead of 0.45%, with 99%
// confidence, and over a minute of such slices to 0.47%.
const (
	thinAt  = 1 << 15
	thinned = 3 // times at most
)

// sampler draws one value from each group of 1<<base.
type sampler struct {
	base  int    // the lowest level of the filler is this one of the sketch
	seen  int    // values of the group so far
	pick  int    // which of the group it will be
	drawn uint32 // of this group, or before that of the last; of the first group, the value before it
	coins uint64 // random bits
	tails int    // how many of them are left
}

// draw chooses from the next group.
func (s *sampler) draw() {
	if s.tails < s.base {
		s.coins, s.tails = rand.Uint64(), 64
	}
	s.pick = int(s.coins & (1<<s.base - 1))
	s.coins >>= s.base
	s.tails -= s.base
	s.seen = 0
}

// below is the levels of a filler with those below them. The values of a group
// that is not full are all taken for the one drawn last.
func (s *sampler) below(levels [][]uint32) [][]uint32 {
	if s.base == 0 {
		return levels
	}
	all := make([][]uint32, s.base, s.base+len(levels))
	for i := range all {
		if s.seen>>i&1 == 1 {
			all[i] = []uint32{s.drawn}
		}
	}
	return append(all, levels...)
}

// thin doubles what a value stands for when it is time to: between two groups,
// after a compaction that has emptied the lowest level.
func (f *filler) thin() {
	s := &f.sampler
	if s.base == thinned || f.n < thinAt<<s.base || len(f.levels[0]) > 0 {
		return
	}
	s.base++
	f.levels = append(f.levels[1:], f.levels[0]) // its memory is used again
	f.height--
	f.settle()
	s.draw()
}

// sample adds a value.
func (f *filler) sample(key uint32) {
	s := &f.sampler
	f.n++
	f.low, f.high = min(f.low, key), max(f.high, key)
	if s.seen == s.pick {
		s.drawn = key
	}
	if s.seen++; s.seen == 1<<s.base {
		f.take()
	}
}

// sampleAll adds the first of values, and every stride-th behind it. None is NaN.
func (f *filler) sampleAll(values []float64, stride int) {
	least, most := values[0], values[0]
	for i := stride; i < len(values); i += stride {
		if v := values[i]; v < least {
			least = v
		} else if v > most {
			most = v
		}
	}
	f.low, f.high = min(f.low, keyOf(least)), max(f.high, keyOf(most))

	s, n := &f.sampler, (len(values)+stride-1)/stride
	for at := 0; at < n; {
		size := min(1<<s.base-s.seen, n-at) // as much of the group as there is
		if i := s.pick - s.seen; i >= 0 && i < size {
			s.drawn = keyOf(values[(at+i)*stride])
		}
		at += size
		f.n += int64(size)
		if s.seen += size; s.seen == 1<<s.base {
			f.take()
		}
	}
}

// take ends a group.
func (f *filler) take() {
	f.put(f.sampler.drawn)
	f.sampler.draw()
	f.thin()
}

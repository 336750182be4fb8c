package dataset

import (
	"cmp"
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

package profile

import (
	"cmp"
	"math"
	"slices"
)

// How much of the rows' time is kept: 16 MiB of counts for hours and as much
// for days. Beyond that groups of cells are sampled.
const (
	timelineBytes = 16 << 20
	hourGroup     = 48 // hours: each has the same hour of another day beside it
	dayGroup      = 60 // days: two blocks of the longest window
	cellBytes     = 64 // of a cell besides its counts, about
)

// timeCell counts the rows of a length of time in every bin of every column.
type timeCell struct {
	rows   uint64
	counts []uint32
}

func (c *timeCell) add(o *timeCell) {
	c.rows += o.rows
	for i, n := range o.counts {
		c.counts[i] += n
	}
}

// timeline holds cells of one length by groups of neighbours. Where there are
// more groups than may be kept, it keeps those whose index has the smallest
// hashes: these are the same whatever the order of the rows, and a group that
// was let go never comes back, so what is kept is whole.
type timeline struct {
	length int64 // seconds
	size   int64 // cells in a group
	most   int   // groups
	width  int   // counts in a cell
	groups map[int64][]*timeCell
	kept   []int64 // the groups, ordered by hash
	full   bool    // a group was let go, whose hash is beyond the last one's
	// letGo is told of every cell that is let go.
	letGo func(index int64, c *timeCell)
}

func newTimeline(length, size int64, width int) *timeline {
	most := max(timelineBytes/(int(size)*(4*width+cellBytes)), 1)
	return &timeline{length: length, size: size, most: most, width: width, groups: map[int64][]*timeCell{}}
}

// at is the cell of an index, or nil where its group is not kept.
func (l *timeline) at(i int64) *timeCell {
	g := floorDiv(i, l.size)
	group, ok := l.groups[g]
	if !ok {
		if !l.keep(g) {
			return nil
		}
		group = make([]*timeCell, l.size)
		l.groups[g] = group
	}
	c := group[i-g*l.size]
	if c == nil {
		c = &timeCell{counts: make([]uint32, l.width)}
		group[i-g*l.size] = c
	}
	return c
}

// keep says whether a new group is to be kept, and lets another go where that
// is one too many.
func (l *timeline) keep(g int64) bool {
	if l.full && byHash(g, l.kept[len(l.kept)-1]) > 0 {
		return false
	}
	i, _ := slices.BinarySearchFunc(l.kept, g, byHash)
	l.kept = slices.Insert(l.kept, i, g)
	if len(l.kept) <= l.most {
		return true
	}
	l.full = true
	out := l.kept[l.most]
	l.kept = l.kept[:l.most]
	group := l.groups[out]
	delete(l.groups, out)
	for k, c := range group {
		if c != nil && l.letGo != nil {
			l.letGo(out*l.size+int64(k), c)
		}
	}
	return out != g
}

// merge adds the cells of another timeline; more of them are told to letGo.
func (l *timeline) merge(o *timeline) {
	o.each(func(i int64, c *timeCell) {
		if into := l.at(i); into != nil {
			into.add(c)
		} else if l.letGo != nil {
			l.letGo(i, c)
		}
	})
	l.full = l.full || o.full
}

// get is the cell of an index; nil has no rows. It is not known where its group
// was let go, or it has more rows than can be counted.
func (l *timeline) get(i int64) (c *timeCell, known bool) {
	g := floorDiv(i, l.size)
	group, ok := l.groups[g]
	if !ok {
		return nil, !l.full || byHash(g, l.kept[len(l.kept)-1]) < 0
	}
	c = group[i-g*l.size]
	return c, c == nil || c.rows <= math.MaxUint32
}

// each calls f for every cell with rows of the kept groups, by rising index.
func (l *timeline) each(f func(i int64, c *timeCell)) {
	for _, g := range slices.Sorted(slices.Values(l.kept)) {
		for k, c := range l.groups[g] {
			if c != nil {
				f(g*l.size+int64(k), c)
			}
		}
	}
}

func byHash(a, b int64) int { return cmp.Or(cmp.Compare(mix(a), mix(b)), cmp.Compare(a, b)) }

// mix is the output function of SplitMix64 (Steele, Lea and Flood 2014).
func mix(i int64) uint64 {
	z := (uint64(i) + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

package dataset

import (
	"cmp"
	"math"
	"slices"

	"github.com/leeway-dev/leeway/registry/profile"
)

// numbers adds up the values of a column: distinct ones with their counts while
// these are few, and then blocks of all.
type numbers struct {
	store    *store
	distinct *counter // nil when there were too many
	counted  []counted
	blocks   []block
	open     []float64
	size     int // of a block
	values   int64
}

// counted is a value that so many rows have.
type counted struct {
	value float64
	count int64
}

func newNumbers(s *store, distinct, size int) *numbers {
	return &numbers{store: s, distinct: newCounter(distinct), size: size}
}

// add the values that are not NaN.
func (n *numbers) add(values []float64) error {
	if n.distinct != nil {
		taken, ok := n.distinct.add(values)
		if ok {
			return nil
		}
		values = values[taken:]
		n.counted = n.distinct.list()
		n.distinct = nil
	}
	if n.open == nil {
		n.open = make([]float64, 0, n.size)
	}
	for len(values) > 0 {
		open := n.open
		part := values[:min(len(values), cap(open)-len(open))]
		values = values[len(part):]
		for _, v := range part {
			if v == v {
				open = append(open, v+0) // −0 is 0
			}
		}
		n.open = open
		if len(open) == cap(open) {
			if err := n.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *numbers) flush() error {
	b, spare, err := n.store.put(n.open)
	if err != nil {
		return err
	}
	n.blocks = append(n.blocks, b)
	n.values += int64(b.n)
	n.open = spare
	return nil
}

// columnValues is what several workers have added up of a column.
type columnValues struct {
	counted []counted // ascending, all distinct
	blocks  []block
	n       int64
}

// join what workers have added up.
func join(parts []*numbers) columnValues {
	var all columnValues
	for _, p := range parts {
		if p.distinct != nil {
			p.counted = p.distinct.list()
			p.distinct = nil
		}
		all.counted = append(all.counted, p.counted...)
		all.blocks = append(all.blocks, p.blocks...)
		all.n += p.values
		if len(p.open) > 0 {
			all.blocks = append(all.blocks, block{numbers: p.open, n: len(p.open)})
			all.n += int64(len(p.open))
		}
	}
	slices.SortFunc(all.counted, byValue)
	all.counted = compact(all.counted)
	for _, c := range all.counted {
		all.n += c.count
	}
	return all
}

func byValue(a, b counted) int { return cmp.Compare(a.value, b.value) }

// compact joins equal neighbours.
func compact(list []counted) []counted {
	kept := list[:0]
	for _, c := range list {
		if k := len(kept); k > 0 && kept[k-1].value == c.value {
			kept[k-1].count += c.count
		} else {
			kept = append(kept, c)
		}
	}
	return kept
}

// runsOf are the runs of a list, from rank below on.
func runsOf(list []counted, below int64) profile.Runs {
	runs := make(profile.Runs, len(list))
	for i, c := range list {
		runs[i] = profile.Run{Value: c.value, Below: below, Count: c.count}
		below += c.count
	}
	return runs
}

// counter counts distinct numbers, up to a limit.
type counter struct {
	keys   []uint64 // bits of the value, plus one: 0 is free
	counts []int64
	shift  int
	n      int
	limit  int
}

func newCounter(limit int) *counter {
	return &counter{limit: limit}
}

// add counts values that are not NaN, as far as there is room for new ones. It
// returns how many of values it took.
func (c *counter) add(values []float64) (taken int, ok bool) {
	if c.keys == nil {
		c.resize(64)
	}
	for i, v := range values {
		if v != v {
			continue
		}
		key := math.Float64bits(v+0) + 1
		at := int(key * 0x9e3779b97f4a7c15 >> c.shift)
		for c.keys[at] != key {
			if c.keys[at] == 0 {
				if c.n == c.limit {
					return i, false
				}
				c.keys[at] = key
				c.n++
				break
			}
			at = (at + 1) & (len(c.keys) - 1)
		}
		c.counts[at]++
		if 4*c.n > len(c.keys) && len(c.keys) < 4*c.limit {
			c.resize(4 * len(c.keys))
		}
	}
	return len(values), true
}

func (c *counter) resize(size int) {
	keys, counts := c.keys, c.counts
	c.keys, c.counts = make([]uint64, size), make([]int64, size)
	c.shift = 64
	for s := size; s > 1; s /= 2 {
		c.shift--
	}
	for i, key := range keys {
		if key == 0 {
			continue
		}
		at := int(key * 0x9e3779b97f4a7c15 >> c.shift)
		for c.keys[at] != 0 {
			at = (at + 1) & (size - 1)
		}
		c.keys[at], c.counts[at] = key, counts[i]
	}
}

func (c *counter) list() []counted {
	var list []counted
	for i, key := range c.keys {
		if key != 0 {
			list = append(list, counted{math.Float64frombits(key - 1), c.counts[i]})
		}
	}
	return list
}

package dataset

import (
	"bufio"
	"cmp"
	"container/heap"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/leeway-dev/leeway/registry/profile"
)

// categories counts the categories of a column: in memory, and where there are
// too many, in sorted lists in the temporary file. So counts are exact, however
// many categories there are.
type categories struct {
	store    *store
	redacted bool
	index    map[string]int
	counts   []int64
	bytes    int64 // about, in memory
	lists    []span
	missing  int64
}

// span of the temporary file.
type span struct{ at, size int64 }

// entryBytes is what a category takes in memory, besides its name.
const entryBytes = 80

func newCategories(s *store, redacted bool) *categories {
	return &categories{store: s, redacted: redacted, index: map[string]int{}}
}

func (c *categories) add(texts [][]byte) {
	for _, text := range texts {
		if text == nil {
			c.missing++
			continue
		}
		i, ok := c.index[string(text)]
		if !ok {
			i = len(c.counts)
			c.counts = append(c.counts, 0)
			c.index[string(text)] = i
			c.bytes += int64(len(text)) + entryBytes
		}
		c.counts[i]++
	}
}

// named is the counts by the names of a profile.
func (c *categories) named() map[string]int64 {
	counts := make(map[string]int64, len(c.index))
	for text, i := range c.index {
		counts[profile.Key(text, c.redacted)] += c.counts[i]
	}
	return counts
}

// flush writes what is in memory to the temporary file.
func (c *categories) flush() error {
	counts := c.named()
	var b []byte
	for _, name := range sortedKeys(counts) {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
		b = binary.AppendUvarint(b, uint64(counts[name]))
	}
	at, err := c.store.write(b)
	if err != nil {
		return err
	}
	c.lists = append(c.lists, span{at, int64(len(b))})
	c.index, c.counts, c.bytes = map[string]int{}, nil, 0
	return nil
}

// categoryColumn describes what workers have counted of a column, in so many
// rows.
func categoryColumn(ctx context.Context, name string, rows int64, parts []*categories) (profile.Column, error) {
	redacted := parts[0].redacted
	t := &tops{limit: profile.MaxCategories + profile.MaxSeen}
	spilled := slices.ContainsFunc(parts, func(c *categories) bool { return len(c.lists) > 0 })
	if !spilled {
		all := map[string]int64{}
		for _, p := range parts {
			for name, n := range p.named() {
				all[name] += n
			}
		}
		for name, n := range all {
			t.add(name, n)
		}
	} else {
		var lists []span
		for _, p := range parts {
			if err := p.flush(); err != nil {
				return profile.Column{}, err
			}
			lists = append(lists, p.lists...)
		}
		if err := mergeLists(ctx, parts[0].store, lists, t.add); err != nil {
			return profile.Column{}, err
		}
	}
	return profile.CategoryColumn(name, redacted, rows-t.rows, t.rows, t.sorted(), t.distinct), nil
}

// tops keeps the most frequent categories.
type tops struct {
	limit    int
	list     []profile.CategoryCount // a heap, the rarest first, when it is full
	rows     int64
	distinct int64
}

func byCount(a, b profile.CategoryCount) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
}

func (t *tops) add(name string, count int64) {
	t.rows += count
	t.distinct++
	c := profile.CategoryCount{Name: name, Count: count}
	switch {
	case len(t.list) < t.limit:
		t.list = append(t.list, c)
		if len(t.list) == t.limit {
			heap.Init(t)
		}
	case byCount(c, t.list[0]) < 0:
		t.list[0] = c
		heap.Fix(t, 0)
	}
}

func (t *tops) sorted() []profile.CategoryCount {
	slices.SortFunc(t.list, byCount)
	return t.list
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (t *tops) Len() int           { return len(t.list) }
func (t *tops) Less(i, j int) bool { return byCount(t.list[i], t.list[j]) > 0 }
func (t *tops) Swap(i, j int)      { t.list[i], t.list[j] = t.list[j], t.list[i] }
func (t *tops) Push(any)           {}
func (t *tops) Pop() any           { return nil }

// mergeBuffers is the memory for reading lists.
const mergeBuffers = 8 << 20

// mergeLists calls f with each name and its count in all lists.
func mergeLists(ctx context.Context, s *store, lists []span, f func(name string, count int64)) error {
	var h listHeap
	for _, l := range lists {
		r := &listReader{r: bufio.NewReaderSize(io.NewSectionReader(s.file, l.at, l.size), max(mergeBuffers/len(lists), 2<<10))}
		if err := r.next(); err != nil {
			return err
		}
		if !r.done {
			h = append(h, r)
		}
	}
	heap.Init(&h)
	for n := 0; len(h) > 0; n++ {
		if n%(1<<16) == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name, count := string(h[0].name), int64(0)
		for len(h) > 0 && string(h[0].name) == name {
			count += h[0].count
			if err := h[0].next(); err != nil {
				return err
			}
			if h[0].done {
				heap.Pop(&h)
			} else {
				heap.Fix(&h, 0)
			}
		}
		f(name, count)
	}
	return nil
}

// listReader reads a list that flush has written.
type listReader struct {
	r     *bufio.Reader
	name  []byte
	count int64
	done  bool
}

func (l *listReader) next() error {
	size, err := binary.ReadUvarint(l.r)
	if err == io.EOF {
		l.done = true
		return nil
	}
	if err == nil {
		l.name = slices.Grow(l.name[:0], int(size))[:size]
		_, err = io.ReadFull(l.r, l.name)
	}
	var count uint64
	if err == nil {
		count, err = binary.ReadUvarint(l.r)
	}
	l.count = int64(count)
	if err != nil {
		return fmt.Errorf("temporary file: %w", err)
	}
	return nil
}

type listHeap []*listReader

func (h listHeap) Len() int           { return len(h) }
func (h listHeap) Less(i, j int) bool { return string(h[i].name) < string(h[j].name) }
func (h listHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *listHeap) Push(x any)        { *h = append(*h, x.(*listReader)) }
func (h *listHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

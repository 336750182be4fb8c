package profile

import (
	"errors"
	"fmt"
	"strings"
	"unique"
)

// part counts the values of one column over some time. It is the common form
// in which observations are counted, and slices and columns are merged.
type part struct {
	rows, missing int64
	bins          []int64 // nil without a reference
	numbers       *filler // nil for categories
	categories    map[string]*int64
	folded        int64
	room          *int // names that may still be kept, shared with other columns; nil: no such bound
}

// packed is a part at rest: immutable, and small.
type packed struct {
	rows, missing int64
	bins          []int64
	sketch        []byte // by packSketch
	categories    []packedCategory
	folded        int64
}

// packedCategory shares its name with all slices that hold it.
type packedCategory struct {
	name  unique.Handle[string]
	count int64
}

// addCategory counts a row of a category, without its name if there is no room
// for it; name may live in a buffer that is used again.
func (p *part) addCategory(name string) (named bool) {
	if n, ok := p.categories[name]; ok {
		*n++
		return true
	}
	if len(p.categories) >= MaxCategories || p.room != nil && *p.room == 0 {
		p.folded++
		return false
	}
	if p.room != nil {
		*p.room--
	}
	if p.categories == nil {
		p.categories = make(map[string]*int64)
	}
	p.categories[strings.Clone(name)] = new(int64(1))
	return true
}

func (p *part) pack() packed {
	q := packed{rows: p.rows, missing: p.missing, bins: append([]int64(nil), p.bins...), folded: p.folded}
	for name, n := range p.categories {
		q.categories = append(q.categories, packedCategory{unique.Make(name), *n})
	}
	if p.numbers != nil {
		q.sketch = p.numbers.pack()
	}
	return q
}

// merger adds up packed parts or live columns of one column. It keeps all
// categories until the end, so that the order of adding does not matter.
type merger struct {
	part
	all map[string]int64
}

// addSketch adds a sketch that packSketch has packed.
func (m *merger) addSketch(packed []byte) {
	if len(packed) == 0 {
		return
	}
	if m.numbers == nil {
		m.numbers = new(filler)
	}
	m.numbers.merge(packed)
}

func (m *merger) addCount(name string, n int64) {
	if m.all == nil {
		m.all = make(map[string]int64)
	}
	m.all[name] += n
}

func (m *merger) addPacked(q packed) {
	m.rows += q.rows
	m.missing += q.missing
	m.folded += q.folded
	if m.bins == nil {
		m.bins = make([]int64, len(q.bins))
	}
	for i, n := range q.bins {
		m.bins[i] += n
	}
	for _, c := range q.categories {
		m.addCount(c.name.Value(), c.count)
	}
	m.addSketch(q.sketch)
}

// addColumn adds a live column whose bins are those of the merger, if it has
// any.
func (m *merger) addColumn(c *Column) error {
	if len(c.Quantiles) > 0 || c.Type == Number && c.Rows > c.Missing && len(c.Sketch) == 0 {
		return errors.New("has no sketch: only live profiles merge")
	}
	m.rows += c.Rows
	m.missing += c.Missing
	m.folded += c.Folded
	for i := range m.bins {
		m.bins[i] += c.Bins[i].Count
	}
	for _, k := range c.Categories {
		m.addCount(k.Name, k.Count)
	}
	if len(c.Sketch) == 0 {
		return nil
	}
	if _, err := checkSketch(c.Sketch); err != nil {
		return fmt.Errorf("sketch: %w", err)
	}
	m.addSketch(packSketch(c.Sketch))
	return nil
}

// pack is the sum at rest, with the most frequent categories.
func (m *merger) pack() packed {
	kept, folded := fold(sorted(m.all))
	q := m.part.pack()
	q.folded += folded
	for _, k := range kept {
		q.categories = append(q.categories, packedCategory{unique.Make(k.Name), k.Count})
	}
	return q
}

// column is the sum as a live column of the given definition.
func (m *merger) column(definition *Column) Column {
	c := Column{
		Name: definition.Name, Type: definition.Type, Rows: m.rows, Missing: m.missing,
		Probability: definition.Probability, Binary: definition.Binary, Redacted: definition.Redacted,
	}
	if !c.Redacted {
		joinHashes(m.all)
	}
	kept, folded := fold(sorted(m.all))
	if len(kept) > 0 {
		c.Categories = kept
	}
	c.Folded = m.folded + folded
	if len(definition.Bins) > 0 {
		c.Binning = definition.Binning
		c.Bins = append([]Bin(nil), definition.Bins...)
		for i := range c.Bins {
			c.Bins[i].Count, c.Bins[i].Error = 0, nil
			if i < len(m.bins) {
				c.Bins[i].Count = m.bins[i]
			}
		}
	}
	if m.numbers != nil {
		c.Sketch = unpackSketch(m.numbers.pack())
	}
	return c
}

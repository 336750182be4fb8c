package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leeway-dev/leeway/registry/profile"
)

// mode is how a column is read in a pass.
type mode int

const (
	skip     mode = iota // not at all
	number               // into numbers
	category             // into text
	vector               // into norms and projections
	instant              // into times
)

// column of the input.
type column struct {
	name       string
	mode       mode
	told       bool // its type is not to be guessed
	prediction bool
	redacted   bool
	slot       int // in a batch, −1 for skip
}

// plan says which columns there are and how they are read. It does not change
// while rows are read.
type plan struct {
	columns []column
	byName  map[string]int
	slots   []int // columns that are read, in the order of slots
	open    bool  // rows may have other columns, which are then looked for
	time    int   // column of time, or −1
}

// newPlan makes a plan of the columns of a header.
func newPlan(names []string, o Options, open bool) (*plan, error) {
	p := &plan{byName: make(map[string]int, len(names)), open: open, time: -1}
	if open {
		for _, name := range o.named() {
			if !slices.Contains(names, name) {
				names = append(names[:len(names):len(names)], name)
			}
		}
	}
	for i, name := range names {
		if name == "" || len(name) > profile.MaxName {
			return nil, fmt.Errorf("column %d: its name has %d bytes, want 1 to %d", i+1, len(name), profile.MaxName)
		}
		if _, twice := p.byName[name]; twice {
			return nil, fmt.Errorf("column %q: twice", name)
		}
		p.add(strings.Clone(name), o)
	}
	for _, name := range o.named() {
		if _, ok := p.byName[name]; !ok {
			return nil, fmt.Errorf("no column %q; there are %s", name, clip(strings.Join(names, ", ")))
		}
	}
	return p, p.check()
}

// add a column, to be guessed by its first values.
func (p *plan) add(name string, o Options) {
	c := column{name: name, mode: number, prediction: slices.Contains(o.Predictions, name), redacted: slices.Contains(o.Redact, name)}
	switch typ := o.Types[name]; {
	case name == o.Time:
		c.mode, c.told = instant, true
		p.time = len(p.columns)
	case name == o.Label || slices.Contains(o.Ignore, name):
		c.mode, c.told = skip, true
	case typ == profile.Category:
		c.mode, c.told = category, true
	case typ == profile.Number:
		c.told = true
	}
	p.byName[name] = len(p.columns)
	p.columns = append(p.columns, c)
}

// check bounds, and that there is something to describe.
func (p *plan) check() error {
	features, all := 0, 0
	for _, c := range p.columns {
		if c.mode != skip && c.mode != instant {
			all++
			if !c.prediction {
				features++
			}
		}
	}
	if all > profile.MaxColumns {
		return fmt.Errorf("%d columns, at most %d: ignore some", all, profile.MaxColumns)
	}
	if features == 0 {
		return errors.New("no feature is left besides label, predictions and ignored columns")
	}
	return nil
}

// named are all columns that options name, label and time first.
func (o Options) named() []string {
	var names []string
	for _, name := range slices.Concat([]string{o.Label, o.Time}, o.Predictions, o.Ignore, o.Redact, sortedKeys(o.Types), sortedKeys(o.Importance)) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func sortedKeys[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// layOut gives slots to the columns that are read.
func (p *plan) layOut() *plan {
	p.slots = nil
	for i := range p.columns {
		p.columns[i].slot = -1
		if p.columns[i].mode != skip {
			p.columns[i].slot = len(p.slots)
			p.slots = append(p.slots, i)
		}
	}
	return p
}

// with is the plan with other modes.
func (p *plan) with(modes func(i int, c column) mode) *plan {
	q := *p
	q.columns = slices.Clone(p.columns)
	for i := range q.columns {
		q.columns[i].mode = modes(i, q.columns[i])
	}
	return q.layOut()
}

// evidence of what the values of a column are.
type evidence uint8

const (
	sawNumber evidence = 1 << iota
	sawVector
	sawText
	sawColumn // the column itself, where columns are not known beforehand
)

// mode that the values call for.
func (e evidence) mode() mode {
	switch e &^ sawColumn {
	case sawNumber:
		return number
	case sawVector:
		return vector
	}
	return category
}

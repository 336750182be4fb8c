package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/profile/summary"
)

var errChanged = errors.New("the files have changed while they were read")

// run makes one profile.
type run struct {
	options  Options
	sources  []Source
	decimals *decimals
	store    *store

	passes  int
	report  Report
	first   int // columns of the first row, where rows may have different ones
	plan    *plan
	seen    []evidence
	columns map[int]parts // by column: what the workers have added up
	classes []int         // columns of predictions that may be probabilities of classes
	highest []*numbers    // of each worker, nil where there is no such column
}

// parts are what several workers have added up of one column.
type parts struct {
	mode       mode
	numbers    [][]*numbers // by worker; one, or as many as a summary of vectors has
	categories []*categories
}

// profile reads all rows, once more where some columns were not what they
// seemed, and describes them.
func (r *run) profile(ctx context.Context) (*profile.Profile, error) {
	if err := r.sniff(ctx); err != nil {
		return nil, err
	}
	r.columns = map[int]parts{}
	for {
		wanted := r.wanted()
		if len(wanted) == 0 {
			break
		}
		if err := r.gather(ctx, wanted); err != nil {
			return nil, err
		}
	}
	if err := r.checkRows(); err != nil {
		return nil, err
	}
	p, err := r.describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.sources[len(r.sources)-1].Name, err)
	}
	return r.tally(ctx, p)
}

func (r *run) checkRows() error {
	last := r.sources[len(r.sources)-1]
	if err := r.report.tolerable(r.options.MaxBadRatio); err != nil {
		return err
	}
	if r.report.Rows == 0 {
		if f, err := last.format(); err == nil && f == CSV {
			return fmt.Errorf("%s: line 2: no rows after the header", last.Name)
		}
		return fmt.Errorf("%s: no rows", last.Name)
	}
	if r.plan.open {
		for _, name := range r.options.named() {
			if r.seen[r.plan.byName[name]]&sawColumn == 0 {
				return fmt.Errorf("%s: no row has a column %q", last.Name, name)
			}
		}
	}
	return nil
}

// wanted are the columns that are yet to be read, in the mode that their values
// call for.
func (r *run) wanted() map[int]bool {
	wanted := map[int]bool{}
	for i := range r.plan.columns {
		c := &r.plan.columns[i]
		if c.mode == skip || c.mode == instant {
			continue
		}
		have, ok := r.columns[i]
		if !ok {
			wanted[i] = true
			continue
		}
		if c.told || r.seen[i]&^sawColumn == 0 { // nothing but missing values can be read in any mode
			continue
		}
		want := r.seen[i].mode()
		if want == vector && have.mode == vector && have.empty() {
			want = category // no vector has a norm
			r.seen[i] |= sawText
		}
		if want != have.mode {
			c.mode = want
			wanted[i] = true
		}
	}
	return wanted
}

// empty: there are no values.
func (p parts) empty() bool {
	for _, n := range p.numbers {
		if n[0].distinct == nil || n[0].distinct.n > 0 {
			return false
		}
	}
	return true
}

// gather reads all rows once, and keeps what the workers add up of the wanted
// columns.
func (r *run) gather(ctx context.Context, wanted map[int]bool) error {
	for i := range wanted {
		r.forget(i)
	}
	classes := r.plan.classes()
	renewed := !slices.Equal(classes, r.classes)
	for _, i := range classes {
		renewed = renewed || wanted[i]
	}
	if r.classes = classes; !renewed {
		classes = nil
	}
	workers := make([]*sums, r.options.Workers)
	for i := range workers {
		workers[i] = r.newSums(wanted, classes)
	}
	report, seen, extra, err := r.pass(ctx, r.plan, func(worker int) consumer { return workers[worker] })
	if err != nil {
		return err
	}
	if r.passes == 1 {
		r.report = report
	} else if report.Rows != r.report.Rows || report.Bad != r.report.Bad {
		return errChanged
	}
	for i := range seen {
		r.seen[i] |= seen[i]
	}
	for i := range wanted {
		r.columns[i] = partsOf(workers, r.plan.columns[i])
	}
	if renewed {
		r.highest = highestParts(workers)
	}
	return r.extend(extra)
}

// forget what was added up of a column.
func (r *run) forget(i int) {
	for _, list := range r.columns[i].numbers {
		for _, n := range list {
			r.store.release(n.blocks)
		}
	}
	delete(r.columns, i)
}

// extend takes the columns that the plan did not have. They are read next.
func (r *run) extend(extra map[string]evidence) error {
	if len(extra) == 0 {
		return nil
	}
	p := *r.plan
	for _, name := range sortedKeys(extra) {
		if name == "" || len(name) > profile.MaxName {
			return fmt.Errorf("column %q: its name has %d bytes, want 1 to %d", clip(name), len(name), profile.MaxName)
		}
		p.add(name, r.options)
		if c := &p.columns[len(p.columns)-1]; !c.told && extra[name]&^sawColumn != 0 {
			c.mode = extra[name].mode()
		}
		r.seen = append(r.seen, extra[name])
	}
	r.plan = p.layOut()
	return p.check()
}

// sums is what one worker adds up.
type sums struct {
	wanted     []bool // by slot
	numbers    [][]*numbers
	categories []*categories
	budget     int64 // bytes of categories

	classes   []int // slots
	highest   *numbers
	noClasses bool
	some      bool // of the rows has all classes
	values    []float64
}

func (r *run) newSums(wanted map[int]bool, classes []int) *sums {
	p := r.plan
	s := &sums{
		wanted: make([]bool, len(p.slots)), numbers: make([][]*numbers, len(p.slots)), categories: make([]*categories, len(p.slots)),
		budget: r.options.limits.categories / int64(r.options.Workers), noClasses: classes == nil,
	}
	open := 1
	for _, i := range p.slots {
		open++
		if p.columns[i].mode == vector {
			open += summary.Size
		}
	}
	size := min(max(int(r.options.limits.held)/4/8/open/r.options.Workers, 256), 8192)
	for slot, i := range p.slots {
		s.wanted[slot] = wanted[i]
		if !wanted[i] {
			continue
		}
		switch p.columns[i].mode {
		case number:
			s.numbers[slot] = []*numbers{newNumbers(r.store, r.options.limits.distinct, size)}
		case vector:
			for range summary.Size {
				s.numbers[slot] = append(s.numbers[slot], newNumbers(r.store, r.options.limits.distinct, size))
			}
		case category:
			s.categories[slot] = newCategories(r.store, p.columns[i].redacted)
		}
	}
	for _, i := range classes {
		s.classes = append(s.classes, p.columns[i].slot)
	}
	s.highest = newNumbers(r.store, r.options.limits.distinct, size)
	return s
}

// take implements consumer.
func (s *sums) take(b *batch) error {
	for slot := range b.cells {
		if !s.wanted[slot] {
			continue
		}
		c := &b.cells[slot]
		switch list := s.numbers[slot]; {
		case s.categories[slot] != nil:
			s.categories[slot].add(c.texts)
		case len(list) == 1:
			if err := list[0].add(c.numbers); err != nil {
				return err
			}
		default:
			for k, n := range list {
				if err := n.add(c.sums[k]); err != nil {
					return err
				}
			}
		}
	}
	if err := s.takeHighest(b); err != nil {
		return err
	}
	return s.spill()
}

func (s *sums) takeHighest(b *batch) error {
	if s.noClasses {
		return nil
	}
	var ok, some bool
	if s.values, ok, some = highest(b, s.classes, s.values); !ok {
		s.noClasses = true
		return nil
	}
	s.some = s.some || some
	return s.highest.add(s.values)
}

// spill writes the categories of columns with many of them, when they take too
// much memory.
func (s *sums) spill() error {
	var all int64
	for _, c := range s.categories {
		if c != nil {
			all += c.bytes
		}
	}
	for all > s.budget {
		var largest *categories
		for _, c := range s.categories {
			if c != nil && (largest == nil || c.bytes > largest.bytes) {
				largest = c
			}
		}
		all -= largest.bytes
		if err := largest.flush(); err != nil {
			return err
		}
	}
	return nil
}

func partsOf(workers []*sums, c column) parts {
	p := parts{mode: c.mode}
	for _, w := range workers {
		if c.mode == category {
			p.categories = append(p.categories, w.categories[c.slot])
		} else {
			p.numbers = append(p.numbers, w.numbers[c.slot])
		}
	}
	return p
}

// highestParts are the highest values, if all workers found nothing but
// probabilities of classes; else nil.
func highestParts(workers []*sums) (list []*numbers) {
	some := false
	for _, w := range workers {
		if w.noClasses {
			return nil
		}
		some = some || w.some
		list = append(list, w.highest)
	}
	if !some {
		return nil
	}
	return list
}

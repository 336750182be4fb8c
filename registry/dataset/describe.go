package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/profile/summary"
)

// described is the columns of a profile that come from one of the input.
type described struct {
	column  int // of the plan; −1 is the highest of the classes
	columns []profile.Column
}

// describe makes the profile of what was added up, several columns at a time.
func (r *run) describe(ctx context.Context) (*profile.Profile, error) {
	var list []described
	for _, i := range r.order() {
		list = append(list, described{column: i})
	}
	if r.highest != nil {
		list = append(list, described{column: -1})
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.options.Workers)
	for k := range list {
		g.Go(func() (err error) {
			list[k].columns, err = r.describeColumn(ctx, list[k].column)
			r.weigh(list[k])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var features, predictions []profile.Column
	for _, d := range list {
		if d.column < 0 || r.plan.columns[d.column].prediction {
			predictions = append(predictions, d.columns...)
		} else {
			features = append(features, d.columns...)
		}
	}
	return profile.New(r.report.Rows, features, predictions)
}

// order of the columns: that of the header. Where rows may have other columns
// than the first one, those follow by name, whatever the order of the rows.
func (r *run) order() []int {
	var list []int
	for i, c := range r.plan.columns {
		if c.mode != skip && c.mode != instant {
			list = append(list, i)
		}
	}
	slices.SortStableFunc(list, func(a, b int) int {
		if !r.plan.open || a < r.first || b < r.first {
			return a - b
		}
		return strings.Compare(r.plan.columns[a].name, r.plan.columns[b].name)
	})
	return list
}

func (r *run) describeColumn(ctx context.Context, i int) ([]profile.Column, error) {
	if i < 0 {
		c, err := r.numberColumn(ctx, summary.Highest, r.highest, true)
		return []profile.Column{c}, err
	}
	in := &r.plan.columns[i]
	parts := r.columns[i]
	empty := parts.mode != category && !in.told && r.seen[i]&^sawColumn == 0
	switch {
	case empty:
		c := profile.CategoryColumn(in.name, in.redacted, r.report.Rows, 0, nil, 0)
		return []profile.Column{c}, nil
	case parts.mode == category:
		c, err := categoryColumn(ctx, in.name, r.report.Rows, parts.categories)
		return []profile.Column{c}, err
	case parts.mode == number:
		c, err := r.numberColumn(ctx, in.name, layer(parts.numbers, 0), in.prediction)
		if err == nil && len(c.Bins) == 0 {
			err = fmt.Errorf("column %q: no values for a column of numbers: ignore it", in.name)
		}
		return []profile.Column{c}, err
	}
	var list []profile.Column
	for k := range summary.Size {
		c, err := r.numberColumn(ctx, in.name+summary.Suffix(k), layer(parts.numbers, k), false)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// weigh notes the importance of a column of the input: in equal parts, where it
// became several of the profile.
func (r *run) weigh(d described) {
	if d.column < 0 {
		return
	}
	if v, ok := r.options.Importance[r.plan.columns[d.column].name]; ok {
		for k := range d.columns {
			d.columns[k].Importance = new(v / float64(len(d.columns)))
		}
	}
}

// layer is the k-th of what each worker has.
func layer(lists [][]*numbers, k int) []*numbers {
	var parts []*numbers
	for _, list := range lists {
		parts = append(parts, list[k])
	}
	return parts
}

func (r *run) numberColumn(ctx context.Context, name string, parts []*numbers, prediction bool) (profile.Column, error) {
	joined := join(parts)
	values, err := ordered(ctx, r.store, joined, r.options.limits)
	if err != nil {
		return profile.Column{}, err
	}
	c, err := profile.NumberColumn(name, r.report.Rows-joined.n, values, prediction)
	r.store.release(joined.blocks)
	if all, ok := values.(*sorted); ok {
		r.store.sorted(all)
	}
	return c, err
}

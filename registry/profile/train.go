package profile

import (
	"fmt"
	"slices"
)

// profile describes the rows of the table.
func (t *Table) profile() (*Profile, error) {
	p := &Profile{Format: Format, Rows: t.report.Rows}
	for i := range t.columns {
		in := &t.columns[i]
		prediction := in.name == t.options.Prediction
		c := Column{Name: in.name, Type: in.inferred(), Rows: p.Rows}
		if c.Type == Number {
			in.numbers(&c, prediction)
		} else {
			c.Redacted = slices.Contains(t.options.Redact, in.name)
			in.categories(&c)
		}
		if len(c.Bins) == 0 {
			return nil, fmt.Errorf("column %q: no values for a column of numbers: ignore it", in.name)
		}
		c.Binning = binning(&c)
		if prediction {
			p.Predictions = append(p.Predictions, c)
		} else {
			p.Features = append(p.Features, c)
		}
		t.columns[i] = cells{} // the text is no longer needed
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}

// each calls f with the text of every value that isn't missing, until f says
// no, and counts the missing ones.
func (c *cells) each(f func(text string) bool) (missing int64) {
	all, begin := string(c.text), 0
	for _, end := range c.ends {
		text := all[begin:end]
		begin = end
		if isMissing(text) {
			missing++
		} else if !f(text) {
			break
		}
	}
	return missing
}

// inferred is the column's type: numbers when all of its values are, and there
// are any.
func (c *cells) inferred() Type {
	if c.typ != "" {
		return c.typ
	}
	typ := Category
	c.each(func(text string) bool {
		if isNumber(text) {
			typ = Number
		} else {
			typ = Category
		}
		return typ == Number
	})
	return typ
}

func (c *cells) numbers(into *Column, prediction bool) {
	values := make([]float64, 0, len(c.ends))
	into.Missing = c.each(func(text string) bool {
		values = append(values, parseNumber(text)+0) // -0 is 0
		return true
	})
	if len(values) == 0 {
		return
	}
	slices.Sort(values)
	list := runs(values)
	into.cut(list, prediction)
	into.Quantiles = quantiles(values)
}

// cut makes the bins of a column from its values: those of a prediction are a
// probability when they are not just two and lie from 0 to 1.
func (c *Column) cut(list []run, prediction bool) {
	c.Binary = len(list) == 2
	n := numberBins
	if prediction && len(list) > 2 && list[0].value >= 0 && list[len(list)-1].value <= 1 {
		c.Probability = true
		n = probabilityBins
	}
	c.Bins = numberColumnBins(list, c.Missing, n)
}

// quantiles of ascending values, as Column.Quantiles defines them.
func quantiles(values []float64) []float64 {
	list := make([]float64, QuantileCount)
	for i := range list {
		list[i] = values[max(rankOf(i, int64(len(values))), 1)-1]
	}
	return list
}

// rankOf is how many of n values the i-th quantile stands for: i/1024, rounded
// up.
func rankOf(i int, n int64) int64 {
	const steps = QuantileCount - 1
	return n/steps*int64(i) + (n%steps*int64(i)+steps-1)/steps
}

func (c *cells) categories(into *Column) {
	counts := make(map[string]int64)
	into.Missing = c.each(func(text string) bool {
		counts[Key(text, into.Redacted)]++
		return true
	})
	list := sorted(counts)
	into.Binary = len(list) == 2
	known := min(len(list), MaxCategories+MaxSeen)
	into.Bins = categoryColumnBins(list, into.Rows-into.Missing, into.Missing, known)
	into.Categories, into.Folded = fold(list)
	if known > MaxCategories {
		var hashes []uint32
		for _, k := range list[MaxCategories:known] {
			hashes = append(hashes, hash(k.Name))
		}
		into.Seen = seenOf(hashes)
	}
}

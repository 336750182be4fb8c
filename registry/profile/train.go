package profile

import (
	"fmt"
	"math"
	"slices"

	"github.com/leeway-dev/leeway/registry/profile/summary"
)

// profile describes the rows of the table.
func (t *Table) profile() (*Profile, error) {
	p := &Profile{Format: Format, Rows: t.report.Rows}
	var classes [][]float64 // values of the predictions that are numbers
	for i := range t.columns {
		in := &t.columns[i]
		prediction := slices.Contains(t.options.Predictions, in.name)
		list, values, err := t.describe(in, prediction)
		if err != nil {
			return nil, err
		}
		if !prediction {
			p.Features = append(p.Features, list...)
		} else if p.Predictions = append(p.Predictions, list...); values != nil {
			classes = append(classes, values)
		}
		t.columns[i] = cells{} // the text is no longer needed
	}
	if values, ok := highest(classes); ok {
		p.Predictions = append(p.Predictions, numbersColumn(summary.Highest, values, true))
	}
	for _, list := range [][]Column{p.Features, p.Predictions} {
		for i := range list {
			list[i].Binning = binning(&list[i])
		}
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}

// describe makes the columns of one column of the table: several where it
// holds vectors. It also returns its values, row by row, if they are numbers.
func (t *Table) describe(in *cells, prediction bool) (list []Column, values []float64, err error) {
	if sums := in.vectors(); sums != nil {
		for i, sum := range sums {
			list = append(list, numbersColumn(in.name+summary.Suffix(i), sum, false))
		}
		return list, nil, nil
	}
	if in.inferred() == Number {
		values = in.values()
		list = append(list, numbersColumn(in.name, values, prediction))
	} else {
		c := Column{Name: in.name, Type: Category, Rows: t.report.Rows, Redacted: slices.Contains(t.options.Redact, in.name)}
		in.categories(&c)
		list = append(list, c)
	}
	if len(list[0].Bins) == 0 {
		return nil, nil, fmt.Errorf("column %q: no values for a column of numbers: ignore it", in.name)
	}
	return list, values, nil
}

// each calls f with every row and text that isn't missing, until f says no, and
// counts the missing ones.
func (c *cells) each(f func(row int, text string) bool) (missing int64) {
	all, begin := string(c.text), 0
	for row, end := range c.ends {
		text := all[begin:end]
		begin = end
		if isMissing(text) {
			missing++
		} else if !f(row, text) {
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
	c.each(func(_ int, text string) bool {
		if isNumber(text) {
			typ = Number
		} else {
			typ = Category
		}
		return typ == Number
	})
	return typ
}

// values of a column of numbers, row by row; NaN where there is none.
func (c *cells) values() []float64 {
	values := nothing(len(c.ends))
	c.each(func(row int, text string) bool {
		values[row] = parseNumber(text)
		return true
	})
	return values
}

// vectors summarises a column all of whose values are vectors: by column of the
// summary, then row. It is nil for any other column, and where a type is given.
func (c *cells) vectors() (sums [][]float64) {
	if c.typ != "" {
		return nil
	}
	var vector []float64
	some := false
	c.each(func(row int, text string) (ok bool) {
		if vector, ok = summary.Parse(text, vector); !ok {
			some = false
			return false
		}
		for i := len(sums); i < summary.Size; i++ {
			sums = append(sums, nothing(len(c.ends)))
		}
		of := summary.Of(vector)
		if math.IsInf(of[summary.Norm], 0) { // no bin has room for it
			some = false
			return false
		}
		for i := range sums {
			sums[i][row] = of[i]
		}
		some = some || of[summary.Norm] == of[summary.Norm]
		return true
	})
	if !some {
		return nil
	}
	return sums
}

// nothing is the values of so many rows without one.
func nothing(rows int) []float64 {
	values := make([]float64, rows)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}

// classesTolerance is how far the probabilities of a row may be from adding up
// to 1, for having been rounded.
const classesTolerance = 1e-3

// highest is the highest value of each row of predictions that are the
// probabilities of classes: two or more, that add up to 1 in every row that has
// them all. not ok: they are something else.
func highest(classes [][]float64) (values []float64, ok bool) {
	if len(classes) < 2 {
		return nil, false
	}
	values = nothing(len(classes[0]))
	for row := range values {
		sum, most := 0.0, math.Inf(-1)
		for _, class := range classes {
			v := class[row]
			if v < 0 || v > 1 {
				return nil, false
			}
			sum, most = sum+v, max(most, v) // NaN stays
		}
		if math.Abs(sum-1) > classesTolerance {
			return nil, false
		}
		values[row], ok = most, ok || sum == sum
	}
	return values, ok
}

// numbersColumn describes values; NaN is a missing one. It has no bins where
// all are.
func numbersColumn(name string, values []float64, prediction bool) Column {
	c := Column{Name: name, Type: Number, Rows: int64(len(values))}
	list := make([]float64, 0, len(values))
	for _, v := range values {
		if v == v {
			list = append(list, v+0) // -0 is 0
		}
	}
	c.Missing = c.Rows - int64(len(list))
	if len(list) > 0 {
		slices.Sort(list)
		c.cut(runs(list), prediction)
		c.Quantiles = quantiles(list)
	}
	return c
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
	into.Missing = c.each(func(_ int, text string) bool {
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

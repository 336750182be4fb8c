package dataset

import "math"

// classesTolerance is how far the probabilities of a row may be from adding up
// to 1, for having been rounded.
const classesTolerance = 1e-3

// classes are the columns of predictions that are numbers, if there are two or
// more: they may be the probabilities of classes.
func (p *plan) classes() []int {
	var list []int
	for i, c := range p.columns {
		if c.prediction && c.mode == number {
			list = append(list, i)
		}
	}
	if len(list) < 2 {
		return nil
	}
	return list
}

// highest is the highest value of each row of predictions that are the
// probabilities of classes: they add up to 1 in every row that has them all. not
// ok: they are something else. some: a row has them all.
func highest(b *batch, slots []int, into []float64) (values []float64, ok, some bool) {
	values = into[:0]
	for row := range b.rows {
		sum, most := 0.0, math.Inf(-1)
		for _, slot := range slots {
			v := b.cells[slot].numbers[row]
			if v < 0 || v > 1 {
				return values, false, false
			}
			sum, most = sum+v, max(most, v) // NaN stays
		}
		if math.Abs(sum-1) > classesTolerance {
			return values, false, false
		}
		values, some = append(values, most), some || sum == sum
	}
	return values, true, some
}

package incidents

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
)

// shape is how the values of a column are spread.
type shape int

const (
	normal shape = iota
	lognormal
	uniform
	exponential
	counts
	categories
	shapes
)

// column of a model's input. Values are drawn on a scale of its own, where 0 is
// the middle and 1 a standard deviation or so, and told on the column's scale.
type column struct {
	name          string
	shape         shape
	middle, scale float64
	weight        float64 // in the prediction
	missing       float64 // share of rows
	names         []string
	shares        []float64 // of the categories, adding up to 1
}

func newColumn(r *rand.Rand, i int) column {
	c := column{
		name: fmt.Sprintf("c%d", i), shape: shape(r.IntN(int(shapes))),
		middle: r.NormFloat64() * 50, scale: math.Exp(r.NormFloat64()), weight: r.NormFloat64(),
	}
	if r.IntN(3) == 0 {
		c.missing = 0.03 * r.Float64()
	}
	if c.shape == categories {
		for k := range 2 + r.IntN(7) {
			c.names = append(c.names, fmt.Sprintf("k%d", k))
			c.shares = append(c.shares, math.Pow(float64(k+1), -1-r.Float64()))
		}
		rescale(c.shares)
	}
	return c
}

func rescale(shares []float64) {
	sum := 0.0
	for _, s := range shares {
		sum += s
	}
	for i := range shares {
		shares[i] /= sum
	}
}

// regime is how the inputs lie at one time: by column, a shift in standard
// deviations, or other shares of the categories.
type regime struct {
	shift  []float64
	shares [][]float64
}

// home is the regime that a model's columns describe.
func home(columns []column) regime {
	g := regime{shift: make([]float64, len(columns)), shares: make([][]float64, len(columns))}
	for i, c := range columns {
		g.shares[i] = c.shares
	}
	return g
}

// moved is another regime: size is the shift of the columns in it, in standard
// deviations; categories have their shares rotated.
func moved(r *rand.Rand, columns []column, from regime, size float64) regime {
	g := regime{shift: append([]float64{}, from.shift...), shares: append([][]float64{}, from.shares...)}
	for _, i := range r.Perm(len(columns))[:1+len(columns)/2+r.IntN((len(columns)+1)/2)] {
		if n := len(g.shares[i]); n > 0 {
			turn := 1 + r.IntN(n-1)
			g.shares[i] = append(append([]float64{}, g.shares[i][turn:]...), g.shares[i][:turn]...)
			continue
		}
		// Shapes with one tail move towards it: against it they would leave their range.
		direction := 1.0
		if columns[i].shape == normal && r.IntN(2) == 0 {
			direction = -1
		}
		g.shift[i] += direction * size * (0.75 + r.Float64()/2)
	}
	return g
}

// cell is one value: a number, a category, or none.
type cell struct {
	number  float64
	name    string
	missing bool
}

func (c cell) text() string {
	switch {
	case c.missing:
		return ""
	case c.name != "":
		return c.name
	}
	return strconv.FormatFloat(c.number, 'g', -1, 64)
}

// draw draws a value, and what it adds to the prediction.
func (c *column) draw(r *rand.Rand, g regime, i int) (cell, float64) {
	x := 0.0
	switch c.shape {
	case normal:
		x = r.NormFloat64()
	case lognormal:
		x = math.Exp(r.NormFloat64()*0.5) - 1
	case uniform:
		x = (r.Float64() - 0.5) * math.Sqrt(12)
	case exponential:
		x = r.ExpFloat64() - 1
	case counts:
		x = math.Floor(r.ExpFloat64()*3) / 3
	case categories:
		u := r.Float64()
		k := 0
		for ; k < len(g.shares[i])-1 && u >= g.shares[i][k]; k++ {
			u -= g.shares[i][k]
		}
		return cell{name: c.names[k], missing: r.Float64() < c.missing}, c.weight * float64(k) / float64(len(c.names))
	}
	x += g.shift[i]
	v := c.middle + c.scale*x
	if c.shape == counts {
		v = math.Round(3 * x)
	}
	return cell{number: v, missing: r.Float64() < c.missing}, c.weight * x
}

package main

import (
	"math"
	"math/rand/v2"
)

// change is a stream of rows with a change in it, of one column.
type change struct {
	name string
	calm *calm
	// value of the n-th row after the change, from 0.
	value func(r *rand.Rand, n int) float64
}

// calm is a column that does not change.
type calm struct {
	name string
	real bool
	kind string // number; category, a code; error, 1 where an answer is wrong
	// value of a row before a change.
	value func(r *rand.Rand) float64
}

const (
	number   = "number"
	category = "category"
	wrong    = "error"
)

// wrongBefore is the share of wrong answers before a change, wrongAfter with
// more noise in the labels.
const (
	wrongBefore = 0.1
	wrongAfter  = 0.2
)

// madeChanges are the changes that are drawn.
func madeChanges() []change {
	normal := &calm{name: "normal", kind: number, value: (*rand.Rand).NormFloat64}
	shares := []float64{0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05}
	categories := &calm{name: "categories", kind: category, value: func(r *rand.Rand) float64 { return pick(r, shares) }}
	swapped := append([]float64{}, shares...)
	swapped[1], swapped[3] = swapped[3], swapped[1]
	shift := func(name string, mean func(n int) float64) change {
		return change{name, normal, func(r *rand.Rand, n int) float64 { return mean(n) + r.NormFloat64() }}
	}
	ramp := func(rows float64) func(int) float64 {
		return func(n int) float64 { return min(float64(n)/rows, 1) }
	}
	out := []change{
		shift("mean 0.25 sd", func(int) float64 { return 0.25 }),
		shift("mean 0.5 sd", func(int) float64 { return 0.5 }),
		shift("mean 1 sd", func(int) float64 { return 1 }),
		{"sd × 1.5", normal, func(r *rand.Rand, _ int) float64 { return 1.5 * r.NormFloat64() }},
		shift("ramp to 1 sd in 2,000 rows", ramp(2000)),
		shift("ramp to 1 sd in 10,000 rows", ramp(10_000)),
		{"categories of 20 % and 10 % swap", categories, func(r *rand.Rand, _ int) float64 { return pick(r, swapped) }},
		{"a new category has 5 %", categories, func(r *rand.Rand, _ int) float64 {
			if r.Float64() < 0.05 {
				return float64(len(shares))
			}
			return pick(r, shares)
		}},
	}
	answers := &calm{name: "errors", kind: wrong, value: func(r *rand.Rand) float64 { return one(r.Float64() < wrongBefore) }}
	out = append(out, change{"label noise, 10 to 20 %", answers, func(r *rand.Rand, _ int) float64 { return one(r.Float64() < wrongAfter) }})
	for _, c := range concepts() {
		out = append(out, change{c.name, answers, func(r *rand.Rand, _ int) float64 {
			x := c.inputs(r)
			return one((c.before(x) != c.after(x)) != (r.Float64() < wrongBefore))
		}})
	}
	return out
}

func pick(r *rand.Rand, shares []float64) float64 {
	u := r.Float64()
	for i, p := range shares {
		if u -= p; u < 0 {
			return float64(i)
		}
	}
	return float64(len(shares) - 1)
}

func one(x bool) float64 {
	if x {
		return 1
	}
	return 0
}

// concept is a stream with a class that follows from the inputs. The class
// changes its meaning, the inputs stay: a model that knew the concept before is
// as good as its labels are, and is wrong where the two concepts differ after.
type concept struct {
	name          string
	inputs        func(r *rand.Rand) []float64
	before, after func(x []float64) bool
}

// concepts are the generators that detectors are tried on, from their
// definitions: SEA (Street and Kim 2001), Agrawal (Agrawal, Imielinski and Swami
// 1993: functions 1 and 2), STAGGER (Schlimmer and Granger 1986), Sine and Mixed
// (Gama and others 2004).
func concepts() []concept {
	uniform := func(n int, scale float64) func(r *rand.Rand) []float64 {
		return func(r *rand.Rand) []float64 {
			x := make([]float64, n)
			for i := range x {
				x[i] = scale * r.Float64()
			}
			return x
		}
	}
	sea := func(threshold float64) func([]float64) bool {
		return func(x []float64) bool { return x[0]+x[1] <= threshold }
	}
	mixed := func(x []float64) bool {
		return (x[0] < 0.5 && x[1] < 0.5) || (x[2] < 0.5+0.3*math.Sin(3*math.Pi*x[3]) && (x[0] < 0.5 || x[1] < 0.5))
	}
	return []concept{
		{"SEA, threshold 8 to 9.5", uniform(3, 10), sea(8), sea(9.5)},
		{"Agrawal, function 1 to 2", func(r *rand.Rand) []float64 {
			return []float64{20_000 + 130_000*r.Float64(), float64(20 + r.IntN(61))} // salary, age
		}, func(x []float64) bool { return x[1] < 40 || x[1] >= 60 }, func(x []float64) bool {
			switch {
			case x[1] < 40:
				return x[0] >= 50_000 && x[0] <= 100_000
			case x[1] < 60:
				return x[0] >= 75_000 && x[0] <= 125_000
			}
			return x[0] >= 25_000 && x[0] <= 75_000
		}},
		{"STAGGER, concept 1 to 2", func(r *rand.Rand) []float64 {
			return []float64{float64(r.IntN(3)), float64(r.IntN(3)), float64(r.IntN(3))} // size, color, shape
		}, func(x []float64) bool { return x[0] == 0 && x[1] == 0 }, func(x []float64) bool { return x[1] == 1 || x[2] == 1 }},
		{"Sine, function 1 to 2", uniform(2, 1), func(x []float64) bool { return x[1] < math.Sin(x[0]) },
			func(x []float64) bool { return x[1] < 0.5+0.3*math.Sin(3*math.Pi*x[0]) }},
		{"Mixed, classes swap", uniform(4, 1), mixed, func(x []float64) bool { return !mixed(x) }},
	}
}

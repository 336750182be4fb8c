package main

import (
	"math"
	"math/rand/v2"
	"time"
)

const (
	madeDays = 30
	madeRows = 120 // a day
)

// hyperplane is the rotating hyperplane (Hulten, Spencer and Domingos 2001) with
// four regimes that come back in random order. A regime has its hyperplane and
// its inputs: here they tell. Each day has a mood of its own, and the mood of a
// day is like that of the day before, as it is in real data.
func hyperplane(blocks int) *stream {
	r := rand.New(rand.NewPCG(2001, 1))
	s := made("hyperplane", 8, blocks)
	var weights, means [4][]float64
	for g := range 4 {
		for range s.columns {
			weights[g] = append(weights[g], r.NormFloat64())
			means[g] = append(means[g], 0.6*r.NormFloat64())
		}
	}
	mood := make([]float64, len(s.columns))
	return s.fill(r, func(g int, first bool) []float64 {
		if first {
			for i := range mood {
				mood[i] = 0.7*mood[i] + 0.25*r.NormFloat64()
			}
		}
		x := make([]float64, len(s.columns))
		for i := range x {
			x[i] = means[g][i] + mood[i] + r.NormFloat64()
		}
		return x
	}, func(g int, x []float64) bool {
		sum := 0.0
		for i := range x {
			sum += weights[g][i] * (x[i] - means[g][i])
		}
		return sum > 0
	})
}

// sea is the generator of Street and Kim (2001): y is whether x1 + x2 is below a
// threshold, and only the threshold changes. Inputs tell nothing.
func sea(blocks int) *stream {
	r := rand.New(rand.NewPCG(2001, 2))
	s := made("sea", 3, blocks)
	thresholds := [4]float64{8, 9, 7, 9.5}
	return s.fill(r, func(int, bool) []float64 {
		return []float64{10 * r.Float64(), 10 * r.Float64(), 10 * r.Float64()}
	}, func(g int, x []float64) bool { return x[0]+x[1] <= thresholds[g] })
}

func made(name string, columns, blocks int) *stream {
	s := &stream{name: name, blocks: blocks, shuffled: 600, targets: []target{{"class", logarithmic}}}
	for i := range columns {
		s.columns = append(s.columns, column{name: string(rune('a' + i))})
	}
	return s
}

// fill draws the rows: one in twenty has the wrong class. No regime follows
// itself.
func (s *stream) fill(r *rand.Rand, inputs func(regime int, firstOfDay bool) []float64, class func(regime int, x []float64) bool) *stream {
	regime := 0
	for b := range s.blocks {
		regime = (regime + 1 + r.IntN(3)) % 4
		s.regimes = append(s.regimes, regime)
		for d := range madeDays {
			for k := range madeRows {
				x := inputs(regime, k == 0)
				y := 0.0
				if class(regime, x) != (r.Float64() < 0.05) {
					y = 1
				}
				at := time.Date(2026, 1, 1+b*madeDays+d, 0, 0, 0, 0, time.UTC).Add(time.Duration(math.Round(86400/madeRows*float64(k))) * time.Second)
				s.rows = append(s.rows, row{block: b, day: d, at: at, x: x, y: []float64{y}})
			}
		}
	}
	return s
}

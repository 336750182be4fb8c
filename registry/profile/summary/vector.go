package summary

import (
	"math"
	"strconv"
	"strings"
)

// Vector is a vector that is being summarised, value by value: its L2 norm, and its projections on Projections directions
// that are the same for all vectors. As the norm and the distances of many vectors show in a few random projections
// (Johnson and Lindenstrauss 1984), so does a change of where they lie. A direction is made of signs only (Achlioptas
// 2003): in the i-th dimension, from 0, the k-th one has +1/√d where bit k of the (i+1)-th number of SplitMix64 (Steele,
// Lea and Flood 2014) with the seed 0x6c6565776179 is 0, and −1/√d where it is 1, for vectors of d values. So no
// projection is larger than the norm.
//
// All is added up in float64 in the order of the values, so that the same vector gives the same bits on any machine.
type Vector struct {
	n       int
	state   uint64
	squares float64
	sums    [Projections]float64
}

const (
	seed  = 0x6c6565776179 // "leeway"
	gamma = 0x9e3779b97f4a7c15
)

// Add adds the next values. NaN makes all of the summary NaN.
func (v *Vector) Add(values []float64) {
	if v.n == 0 {
		v.state = seed
	}
	state, squares := v.state, v.squares
	s0, s1, s2, s3 := v.sums[0], v.sums[1], v.sums[2], v.sums[3]
	s4, s5, s6, s7 := v.sums[4], v.sums[5], v.sums[6], v.sums[7]
	for _, x := range values {
		state += gamma
		z := (state ^ state>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		squares += float64(x * x) // the conversion keeps the product from being fused with the sum
		b := math.Float64bits(x)
		const sign = 1 << 63
		s0 += math.Float64frombits(b ^ z<<63)
		s1 += math.Float64frombits(b ^ z<<62&sign)
		s2 += math.Float64frombits(b ^ z<<61&sign)
		s3 += math.Float64frombits(b ^ z<<60&sign)
		s4 += math.Float64frombits(b ^ z<<59&sign)
		s5 += math.Float64frombits(b ^ z<<58&sign)
		s6 += math.Float64frombits(b ^ z<<57&sign)
		s7 += math.Float64frombits(b ^ z<<56&sign)
	}
	v.n, v.state, v.squares = v.n+len(values), state, squares
	v.sums = [Projections]float64{s0, s1, s2, s3, s4, s5, s6, s7}
}

// Into writes norm and projections, in the order of the columns; the size is not touched. All are NaN, which counts as
// missing, of a vector without values or with one that is NaN; and +Inf, which counts as far over, where the norm is.
func (v *Vector) Into(columns []float64) {
	norm, root := math.Sqrt(v.squares), math.Sqrt(float64(v.n))
	columns[Norm] = norm
	for k, sum := range v.sums {
		columns[First+k] = sum / root
		if v.n == 0 || math.IsInf(norm, 1) {
			columns[First+k] = norm
		}
	}
	if v.n == 0 {
		for i := range columns[:Size] {
			columns[i] = math.NaN()
		}
	}
}

// Of summarises a vector.
func Of(values []float64) (columns [Columns]float64) {
	var v Vector
	v.Add(values)
	v.Into(columns[:])
	columns[Size] = float64(len(values))
	return columns
}

// Parse reads a vector as CSV has it, a JSON list of finite numbers, into values[:0]. A null or NaN among them is NaN.
func Parse(text string, values []float64) (vector []float64, ok bool) {
	values = values[:0]
	text = strings.TrimSpace(text)
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
		return values, false
	}
	text = strings.TrimSpace(text[1 : len(text)-1])
	for more := text != ""; more; {
		var element string
		element, text, more = strings.Cut(text, ",")
		x, ok := number(strings.TrimSpace(element))
		if !ok {
			return values, false
		}
		values = append(values, x)
	}
	return values, true
}

func number(text string) (float64, bool) {
	if text == "null" || text == "NaN" {
		return math.NaN(), true
	}
	if text == "" || strings.Trim(text, "0123456789+-.eE") != "" || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return 0, false
	}
	x, err := strconv.ParseFloat(text, 64)
	return x, err == nil
}

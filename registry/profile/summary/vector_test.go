package summary_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leeway-dev/leeway/registry/profile/summary"
)

// Signs as the documentation says them, one by one.
func slow(values []float64) (columns [summary.Columns]float64) {
	var squares float64
	for _, x := range values {
		squares += float64(x * x)
	}
	columns[summary.Norm] = math.Sqrt(squares)
	columns[summary.Size] = float64(len(values))
	for k := range summary.Projections {
		rng, sum := splitMix(0x6c6565776179), 0.0
		for _, x := range values {
			if rng.next()>>k&1 == 1 {
				x = -x
			}
			sum += x
		}
		columns[summary.First+k] = sum / math.Sqrt(float64(len(values)))
	}
	return columns
}

type splitMix uint64

func (s *splitMix) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func normal(rng *rand.Rand, d int) []float64 {
	values := make([]float64, d)
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	return values
}

// However a vector comes in pieces, its summary has the same bits, and they are those of the documentation.
func TestVectorBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, d := range []int{1, 2, 7, 768, 5000} {
		values := normal(rng, d)
		want := slow(values)
		if got := summary.Of(values); got != want {
			t.Errorf("%d values: %v, want %v", d, got, want)
		}
		var v summary.Vector
		for rest := values; len(rest) > 0; {
			n := min(1+rng.IntN(100), len(rest))
			v.Add(rest[:n])
			rest = rest[n:]
		}
		var got [summary.Columns]float64
		v.Into(got[:])
		if !slices.Equal(got[:summary.Size], want[:summary.Size]) {
			t.Errorf("%d values in pieces: %v, want %v", d, got, want)
		}
	}
	// Profiles that were made before would compare no more if these changed.
	got := fmt.Sprint(summary.Of([]float64{1, 10, 100}))
	if want := "[100.50373127401788 -51.3841739578767 -64.08587988004847 -62.931179341669214 51.3841739578767 64.08587988004847 -62.931179341669214 64.08587988004847 51.3841739578767 3]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What no vector has is missing or far over, never half of each.
func TestVectorOfOddValues(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		values []float64
		is     func(float64) bool
	}{
		{nil, math.IsNaN},
		{[]float64{1, nan}, math.IsNaN},
		{[]float64{inf, nan}, math.IsNaN},
		{[]float64{inf, 1}, func(v float64) bool { return v == inf }},
		{[]float64{-inf, inf, -inf, inf}, func(v float64) bool { return v == inf }},
		{[]float64{1e300, 1e300}, func(v float64) bool { return v == inf }},
		{[]float64{0, 0}, func(v float64) bool { return v == 0 }},
	} {
		got := summary.Of(c.values)
		if slices.ContainsFunc(got[:summary.Size], func(v float64) bool { return !c.is(v) }) {
			t.Errorf("%v: %v", c.values, got)
		}
	}
}

// A direction has as many + as −, about, and directions are about at right angles.
func TestDirections(t *testing.T) {
	const d = 4096
	var directions [summary.Projections][d]float64
	unit := make([]float64, d)
	for i := range unit {
		unit[i] = 1
		columns := summary.Of(unit)
		for k := range directions {
			directions[k][i] = columns[summary.First+k]
		}
		unit[i] = 0
	}
	for k := range directions {
		for l := range directions {
			dot, sum := 0.0, 0.0
			for i := range d {
				dot += directions[k][i] * directions[l][i]
				sum += directions[k][i] / math.Sqrt(d)
			}
			if k != l && math.Abs(dot) > 4/math.Sqrt(d) || k == l && math.Abs(dot-1) > 1e-9 || math.Abs(sum) > 4/math.Sqrt(d) {
				t.Errorf("directions %d and %d: product %v, mean %v", k, l, dot, sum)
			}
		}
	}
}

// A shift of the mean that no single dimension shows is seen in the projections.
func TestVectorShowsShift(t *testing.T) {
	const d, rows = 384, 500
	rng := rand.New(rand.NewPCG(1, 1))
	shift := normal(rng, d)
	var before, after [summary.Columns]float64
	for range rows {
		values := normal(rng, d)
		for i, v := range summary.Of(values) {
			before[i] += v / rows
		}
		for i := range values {
			values[i] += shift[i] / 4
		}
		for i, v := range summary.Of(values) {
			after[i] += v / rows
		}
	}
	seen := 0
	for k := summary.First; k < summary.Size; k++ {
		if math.Abs(after[k]-before[k]) > 4*math.Sqrt(2./rows) {
			seen++
		}
	}
	if seen == 0 {
		t.Errorf("means %v, shifted %v", before, after)
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"[1,2.5]": "[1 2.5]", " [ -1e-3 , 4 ] ": "[-0.001 4]", "[]": "[]", "[ ]": "[]", "[null,NaN,1]": "[NaN NaN 1]",
		"": "", "[": "", "]": "", "1": "", "[1,]": "", "[,]": "", "[1 2]": "", `["1"]`: "", "[[1],[2]]": "", "[1e999]": "",
		"[Infinity]": "", "[+1]": "", "[0x1p4]": "", "[1_0]": "", "[1]2": "", "[--1]": "",
	} {
		got, ok := summary.Parse(text, nil)
		if ok != (want != "") || ok && fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v; want %s", text, got, ok, want)
		}
	}
}

func TestSplit(t *testing.T) {
	for name, want := range map[string]string{
		"emb[norm]": "emb 0 true", "emb[p0]": "emb 1 true", "emb[p7]": "emb 8 true", "a b[size]": "a b 9 true",
		"emb": " 0 false", "[norm]": " 0 false", "emb[p8]": " 0 false", summary.Highest: " 0 false",
	} {
		value, column, ok := summary.Split(name)
		if got := fmt.Sprint(value, " ", column, " ", ok); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if ok && value+summary.Suffix(column) != name {
			t.Errorf("%s is not %s%s", name, value, summary.Suffix(column))
		}
	}
}

func BenchmarkVector(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, d := range []int{8, 768, 4096} {
		values := normal(rng, d)
		b.Run(fmt.Sprintf("values=%d", d), func(b *testing.B) {
			for b.Loop() {
				summary.Of(values)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(d), "ns/value")
		})
	}
}

package profile_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/apache/datasketches-go/common"
	"github.com/apache/datasketches-go/kll"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// What a recorder fills is a sketch like the library's: it takes it, with all values in it, the exact extremes, and
// ranks within the error that k = 1024 has at 99% confidence, or with sampling, whatever the order of the values and whoever
// looks on.
func TestFilledSketch(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	orders := map[string]func(i, n int) float64{
		"random":     func(int, int) float64 { return rng.NormFloat64() },
		"ascending":  func(i, _ int) float64 { return float64(i) },
		"descending": func(i, _ int) float64 { return float64(-i) },
		"few":        func(i, _ int) float64 { return float64(i % 7) },
		"zoom":       func(i, n int) float64 { return math.Copysign(float64(n-i), float64(i%2)-0.5) },
		"extreme":    func(i, _ int) float64 { return []float64{math.Inf(1), math.Inf(-1), 1e300, 5e-324}[i%4] },
		"missing": func(i, _ int) float64 {
			if i%5 == 3 {
				return math.NaN()
			}
			return rng.NormFloat64()
		},
	}
	for name, value := range orders {
		for _, n := range []int{1, 2, 3, 1023, 1024, 1025, 5000, 200_000} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				values := make([]float64, n)
				for i := range values {
					values[i] = value(i, n)
				}
				checkFilled(t, values, 50_000, 0, 0.0065+0.004*min(1, float64(n/50_000)))
				checkFilled(t, values, 1+n/20, 7*time.Second, 0.0065)
			})
		}
	}
}

// checkFilled holds the sketch of values against them. They come in pieces, so long after each other, every third piece one
// by one; what falls into several slices is merged.
func checkFilled(t *testing.T, values []float64, piece int, every time.Duration, tolerance float64) {
	r := recorder(t, []profile.Column{{Name: "x", Type: profile.Number}}, nil)
	now := noon
	pieces := 0
	for rest := range slices.Chunk(values, piece) {
		r.Lock(now)
		if pieces++; pieces%3 == 0 {
			for _, v := range rest {
				r.Feature(0).Number(v)
			}
		} else {
			r.Feature(0).Numbers(rest, 1, nil)
		}
		r.AddRows(int64(len(rest)))
		r.Unlock()
		r.Profile(noon, now.Add(time.Second))
		now = now.Add(every)
	}
	p := r.Profile(noon, now.Add(time.Second))
	if _, err := p.Encode(); err != nil {
		t.Fatal(err)
	}
	s, err := kll.NewKllItemsSketchFromSlice(p.Features[0].Sketch, func(a, b float32) bool { return a < b }, common.ItemSketchFloatSerDe{})
	if err != nil {
		t.Fatal(err)
	}
	var ascending []float32
	for _, v := range values {
		if v == v {
			ascending = append(ascending, float32(max(min(v, math.MaxFloat32), -math.MaxFloat32)))
		}
	}
	slices.Sort(ascending)
	low, _ := s.GetMinItem()
	high, _ := s.GetMaxItem()
	if n := len(ascending); s.GetN() != uint64(n) || low != ascending[0] || high != ascending[n-1] {
		t.Errorf("%d values from %v to %v, want %d from %v to %v", s.GetN(), low, high, n, ascending[0], ascending[n-1])
	}
	for i := 1; i < 20; i++ {
		v := ascending[len(ascending)*i/20]
		got, err := s.GetRank(v, false)
		below, _ := slices.BinarySearch(ascending, v)
		if want := float64(below) / float64(len(ascending)); err != nil || math.Abs(got-want) > tolerance {
			t.Errorf("rank of %v is %v, want %v; %v", v, got, want, err)
		}
	}
}

// split cuts the first bins of a column in two until there are so many.
func split(c profile.Column, n int) profile.Column {
	for i := 0; len(c.Bins) < n+5; i += 2 {
		bin := c.Bins[i]
		middle := (*bin.Lower + *bin.Upper) / 2
		other := profile.Bin{Lower: &middle, Upper: bin.Upper}
		c.Bins[i].Upper = &middle
		c.Bins = slices.Insert(c.Bins, i+1, other)
	}
	for i := range n {
		c.Bins[i].Name = fmt.Sprintf("%02d", i)
	}
	return c
}

// Counting in bulk is counting one by one.
func TestNumbersInBulk(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for i, n := range []int{1, 3, 40, 3000, 3000} {
		var cells []string
		for range n {
			cells = append(cells, fmt.Sprint(math.Round(rng.NormFloat64()*100)/100))
		}
		c := fromColumn(t, cells, dataset.Options{})
		if i == 4 { // as many bins as there are places for in the same number of steps
			c = split(c, 12)
		}
		a, b := recorder(t, []profile.Column{c}, nil), recorder(t, []profile.Column{c}, nil)
		values := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), math.MaxFloat64}
		for _, bin := range c.Bins {
			if bin.Lower != nil && bin.Upper != nil {
				values = append(values, *bin.Lower, *bin.Upper, math.Nextafter(*bin.Upper, math.Inf(1)), math.Nextafter(*bin.Lower, math.Inf(-1)))
			}
		}
		for range 1000 {
			values = append(values, rng.NormFloat64())
		}
		want, got := make([]int64, len(c.Bins)), make([]int64, len(c.Bins))
		a.Lock(noon)
		b.Lock(noon)
		for _, v := range values {
			want[a.Feature(0).Number(v)]++
		}
		stride := i%2*2 + 1 // 1 or 3
		spread := slices.Repeat([]float64{math.Pi}, stride*len(values))
		for i, v := range values {
			spread[i*stride] = v
		}
		b.Feature(0).Numbers(spread[:len(spread)-stride+1], stride, got)
		a.Unlock()
		b.Unlock()
		if !slices.Equal(got, want) {
			t.Errorf("%d training rows: %v in bulk, %v one by one", n, got, want)
		}
		p, q := a.Profile(noon, noon), b.Profile(noon, noon)
		if x, y := p.Features[0], q.Features[0]; x.Rows != y.Rows || x.Missing != y.Missing || !slices.EqualFunc(x.Bins, y.Bins, func(a, b profile.Bin) bool { return a.Count == b.Count }) {
			t.Errorf("%d training rows: profiles differ", n)
		}
	}
}

// Errors of many sketches cancel out: which of two values stays is a coin's choice, and which of a group is drawn, too.
func TestFilledSketchIsUnbiased(t *testing.T) {
	t.Run("one slice", func(t *testing.T) { testUnbiased(t, 60, 30_000, 0) })
	t.Run("thirty slices", func(t *testing.T) { testUnbiased(t, 60, 30_000, 7*time.Second) })
	t.Run("sampled", func(t *testing.T) { testUnbiased(t, 40, 300_000, 0) })
}

func testUnbiased(t *testing.T, sketches, n int, every time.Duration) {
	values := make([]float64, n)
	for i := range values {
		values[i] = float64(i)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	wanted := []float64{0.1, 0.5, 0.9}
	sums := make([]float64, len(wanted))
	for range sketches {
		rng.Shuffle(n, func(i, j int) { values[i], values[j] = values[j], values[i] })
		r := recorder(t, []profile.Column{{Name: "x", Type: profile.Number}}, nil)
		now := noon
		for piece := range slices.Chunk(values, n/30) {
			r.Lock(now)
			for few := range slices.Chunk(piece, 1000) {
				r.Feature(0).Numbers(few, 1, nil)
			}
			r.Unlock()
			now = now.Add(every)
		}
		p := r.Profile(noon, now.Add(time.Second))
		s, err := kll.NewKllItemsSketchFromSlice(p.Features[0].Sketch, func(a, b float32) bool { return a < b }, common.ItemSketchFloatSerDe{})
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range wanted {
			rank, _ := s.GetRank(float32(w*float64(n)), false)
			sums[i] += rank - w
		}
	}
	for i, w := range wanted {
		if mean := sums[i] / float64(sketches); math.Abs(mean) > 0.0012 {
			t.Errorf("ranks of %v are %v too high on average", w, mean)
		}
	}
}

// Of many values in little time few are sorted: the levels below those that stand for eight hold a rest at most.
func TestFilledSketchSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	values := make([]float64, 300_003)
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	r := recorder(t, []profile.Column{{Name: "x", Type: profile.Number}}, nil)
	r.Lock(noon)
	for few := range slices.Chunk(values, 1000) {
		r.Feature(0).Numbers(few, 1, nil)
	}
	r.Unlock()
	sketch := r.Profile(noon, noon.Add(time.Second)).Features[0].Sketch
	level := func(i int) int { return int(binary.LittleEndian.Uint32(sketch[20+4*i:])) }
	if n := binary.LittleEndian.Uint64(sketch[8:]); n != uint64(len(values)) {
		t.Errorf("%d values, want %d", n, len(values))
	}
	for i := range 3 {
		if n := level(i+1) - level(i); n > 1 {
			t.Errorf("level %d holds %d values, want 1 at most", i, n)
		}
	}
}

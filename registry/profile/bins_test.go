package profile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// fromColumn profiles one column of text.
func fromColumn(tb testing.TB, cells []string, o dataset.Options) profile.Column {
	tb.Helper()
	p, _, err := dataset.FromCSV("x.csv", strings.NewReader("x,y\n"+strings.Join(cells, ",1\n")+",1\n"), withIgnored(o, "y"))
	if err != nil {
		tb.Fatal(err)
	}
	return reread(tb, p).Features[0]
}

func withIgnored(o dataset.Options, name string) dataset.Options {
	o.Ignore = append(o.Ignore, name)
	return o
}

func text(values []float64) []string {
	var cells []string
	for _, v := range values {
		cells = append(cells, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return cells
}

// samples are columns of numbers of many shapes.
func samples() map[string][]float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	all := map[string][]float64{
		"constant": slices.Repeat([]float64{7}, 50),
		"binary":   append(slices.Repeat([]float64{0}, 90), slices.Repeat([]float64{1}, 10)...),
		"one":      {3},
		"adjacent": {1, math.Nextafter(1, 2), math.Nextafter(math.Nextafter(1, 2), 2)},
		"extreme":  {-math.MaxFloat64, 0, math.MaxFloat64, 5e-324},
		"negative": {-5, -4, -4, -3, -1, -0.5},
	}
	for i := range 880 {
		all["off the cuts"] = append(all["off the cuts"], float64(i))
	}
	all["off the cuts"] = append(all["off the cuts"], slices.Repeat([]float64{430.5}, 120)...)
	for _, n := range []int{5, 100, 10_000} {
		for i := range n {
			add := func(name string, v float64) {
				name = fmt.Sprintf("%s %d", name, n)
				all[name] = append(all[name], v)
			}
			add("uniform", rng.Float64())
			add("normal", rng.NormFloat64())
			add("heavy tail", math.Exp(4*rng.NormFloat64()))
			add("small integers", float64(rng.IntN(7)))
			add("mostly zero", max(0, rng.NormFloat64()-1.3))
			add("ascending", float64(i))
			add("two heavy", []float64{1, 2, rng.Float64(), 3 * rng.Float64()}[rng.IntN(4)])
		}
	}
	return all
}

// holds says whether a value lies in the range that a bin states.
func holds(bins []profile.Bin, i int, v float64) bool {
	b, n := bins[i], len(bins)-5
	above := b.Lower == nil || v >= *b.Lower
	below := b.Upper == nil || v < *b.Upper
	switch {
	case b.Name == profile.Missing:
		return false
	case b.Name == profile.Over || b.Name == profile.FarOver:
		above = v > *b.Lower
		below = b.Upper == nil || v <= *b.Upper
	case i == n-1:
		below = v <= *b.Upper
	}
	return above && below
}

// Counts add up to the rows, every value falls into the one bin whose range
// holds it, and the counts are those of the values.
func TestNumberBins(t *testing.T) {
	for name, values := range samples() {
		t.Run(name, func(t *testing.T) {
			c := fromColumn(t, append(text(values), "", "NA", "null", "nan"), dataset.Options{})
			b, err := profile.NewBinner(c)
			if err != nil {
				t.Fatal(err)
			}
			lowest, highest := slices.Min(values), slices.Max(values)
			probes := append([]float64{
				math.Inf(-1), math.Inf(1), lowest - 1, highest + 1, math.Nextafter(highest, math.Inf(1)),
				math.Nextafter(lowest, math.Inf(-1)), 3*lowest - 2*highest, 3*highest - 2*lowest, math.MaxFloat64, 0,
			}, values...)
			for _, bin := range c.Bins {
				if bin.Upper != nil {
					probes = append(probes, *bin.Upper, math.Nextafter(*bin.Upper, math.Inf(1)), math.Nextafter(*bin.Upper, math.Inf(-1)))
				}
			}
			for _, v := range probes {
				var in []int
				for i := range c.Bins {
					if holds(c.Bins, i, v) {
						in = append(in, i)
					}
				}
				if got := b.Number(v); len(in) != 1 || got != in[0] {
					t.Fatalf("%v falls into bin %d of %v, its range is that of %v", v, got, b.Names(), in)
				}
			}
			counts := make([]int64, len(c.Bins))
			for _, v := range values {
				counts[b.Number(v)]++
			}
			counts[b.Missing()] = 4
			var sum int64
			var ratios float64
			for i, bin := range c.Bins {
				if bin.Count != counts[i] {
					t.Errorf("bin %s counts %d, want %d", bin.Name, bin.Count, counts[i])
				}
				sum += bin.Count
				ratios += b.Ratios()[i]
			}
			if sum != int64(len(values))+4 || math.Abs(ratios-1) > 1e-12 {
				t.Errorf("counts add up to %d, ratios to %v; want %d, 1", sum, ratios, len(values)+4)
			}
			if b.Number(math.NaN()) != b.Missing() || b.Category("x") != b.Missing() {
				t.Error("what is not a number is not missing")
			}
		})
	}
}

func TestNumberBinsAreOfEqualFrequency(t *testing.T) {
	all := samples()
	for _, test := range []struct {
		name             string
		low, high, least int64
		bins             int
	}{
		{"uniform 10000", 1000, 1000, 0, 10},
		{"normal 10000", 1000, 1000, 0, 10},
		{"constant", 50, 50, 0, 1},
		{"binary", 10, 90, 0, 2},
	} {
		c := fromColumn(t, text(all[test.name]), dataset.Options{})
		interior := c.Bins[:len(c.Bins)-5]
		if len(interior) != test.bins {
			t.Errorf("%s: %d bins, want %d", test.name, len(interior), test.bins)
		}
		for _, b := range interior {
			if b.Count < test.low || b.Count > test.high {
				t.Errorf("%s: bin %s counts %d, want %d to %d", test.name, b.Name, b.Count, test.low, test.high)
			}
		}
	}
}

// A value with a tenth of the rows or more is alone in its bin.
func TestHeavyValues(t *testing.T) {
	for name, values := range samples() {
		c := fromColumn(t, text(values), dataset.Options{})
		counts := make(map[float64]int64)
		for _, v := range values {
			counts[v]++
		}
		b, err := profile.NewBinner(c)
		if err != nil {
			t.Fatal(err)
		}
		for v, n := range counts {
			if bin := c.Bins[b.Number(v)]; 10*n >= int64(len(values)) && bin.Count != n {
				t.Errorf("%s: %v has %d of %d rows, its bin %d", name, v, n, len(values), bin.Count)
			}
		}
	}
}

func TestEdgesLieMidway(t *testing.T) {
	c := fromColumn(t, []string{"1", "2", "4", "8"}, dataset.Options{})
	var uppers []float64
	for _, b := range c.Bins[:4] {
		uppers = append(uppers, *b.Upper)
	}
	if want := []float64{1.5, 3, 6, 8}; !slices.Equal(uppers, want) {
		t.Errorf("upper edges %v, want %v", uppers, want)
	}
	if far := *c.Bins[6].Upper; c.Bins[6].Name != profile.FarUnder || far != -6 {
		t.Errorf("%s ends at %v, want the minimum less the width, -6", c.Bins[6].Name, far)
	}
}

func TestMinusZeroIsZero(t *testing.T) {
	a := fromColumn(t, []string{"-0", "1"}, dataset.Options{})
	b := fromColumn(t, []string{"0", "1"}, dataset.Options{})
	if a.Binning != b.Binning || math.Signbit(a.Quantiles[0]) {
		t.Errorf("-0 differs from 0: %v, %v", a.Quantiles[0], b.Quantiles[0])
	}
}

func TestProbabilityHas20Bins(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("x,p\n")
	for i := range 1000 {
		fmt.Fprintf(&csv, "%d,%v\n", i, float64(i)/1000)
	}
	p, _, err := dataset.FromCSV("x.csv", strings.NewReader(csv.String()), dataset.Options{Predictions: []string{"p"}})
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Predictions[0]; !c.Probability || len(c.Bins) != 25 {
		t.Errorf("probability %v with %d bins, want 20 and the other 5", c.Probability, len(c.Bins))
	}
	if c := p.Features[0]; c.Probability || len(c.Bins) != 15 {
		t.Errorf("feature: probability %v with %d bins, want 10 and the other 5", c.Probability, len(c.Bins))
	}
}

// Bins of equally many rows would put what a rare class is told by, scores from
// 0.05 to 1, into one.
func TestWideBinsOfAProbabilityAreCut(t *testing.T) {
	var csv strings.Builder
	csv.WriteString("x,p\n")
	for i := range 20_000 {
		score := 0.05 * float64(i) / 19_000
		if i >= 19_000 {
			score = 0.05 + 0.95*float64(i-19_000)/1000
		}
		fmt.Fprintf(&csv, "%d,%v\n", i, score)
	}
	p, _, err := dataset.FromCSV("x.csv", strings.NewReader(csv.String()), dataset.Options{Predictions: []string{"p"}})
	if err != nil {
		t.Fatal(err)
	}
	bins := p.Predictions[0].Bins
	if n := len(bins) - 5; n < 26 || n > 30 {
		t.Errorf("%d bins, want 20 and nearly ten more", n)
	}
	for _, b := range bins[:len(bins)-5] {
		if width := *b.Upper - *b.Lower; width > 0.2 || b.Count < 100 {
			t.Errorf("bin %s from %v to %v has %d rows, want none wider than two tenths or with less than 0.5%%", b.Name, *b.Lower, *b.Upper, b.Count)
		}
	}
}

// Good–Turing: the share of unseen is that of the categories seen once.
func TestCategoryBins(t *testing.T) {
	var cells []string
	add := func(name string, n int) { cells = append(cells, slices.Repeat([]string{name}, n)...) }
	add("often", 4000)
	add("also", 935)
	add("bytwenty", 20) // 20 rows, but under 0.5 %
	add("few", 5)
	for i := range 30 {
		add(fmt.Sprintf("once%d", i), 1)
	}
	add("", 10)
	c := fromColumn(t, cells, dataset.Options{})
	want := []profile.Bin{
		{Name: "00", Category: "often", Count: 4000}, {Name: "01", Category: "also", Count: 935},
		{Name: "other", Count: 25}, {Name: "unseen", Count: 30}, {Name: "missing", Count: 10},
	}
	if !slices.Equal(c.Bins, want) {
		t.Errorf("bins %v, want %v", c.Bins, want)
	}
	b, err := profile.NewBinner(c)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"often": "00", "also": "01", "few": "other", "once7": "other", "new": "unseen", "": "missing", "NA": "missing",
	} {
		if got := b.Names()[b.Category(name)]; got != want {
			t.Errorf("%q falls into %s, want %s", name, got, want)
		}
	}
}

func TestCategoryBinsAreAtMost30(t *testing.T) {
	var cells []string
	for i := range 40 {
		cells = append(cells, slices.Repeat([]string{fmt.Sprintf("c%02d", i)}, 100)...)
	}
	c := fromColumn(t, cells, dataset.Options{})
	if n := len(c.Bins); n != 33 || c.Bins[30].Count != 1000 || c.Bins[29].Category != "c29" {
		t.Errorf("%d bins, the last of a category %v, other %v", n, c.Bins[29], c.Bins[30])
	}
}

// More categories than a profile names are still known, by their hashes; what
// is beyond these will look unseen, and is counted so.
func TestManyCategories(t *testing.T) {
	var cells []string
	const n = profile.MaxCategories + profile.MaxSeen + 500
	for i := range n {
		cells = append(cells, fmt.Sprintf("user%06d", i), fmt.Sprintf("user%06d", i))
	}
	c := fromColumn(t, cells, dataset.Options{})
	if len(c.Categories) != profile.MaxCategories || c.Folded != 2*(n-profile.MaxCategories) {
		t.Errorf("%d categories, %d rows folded", len(c.Categories), c.Folded)
	}
	if unseen := c.Bins[1]; unseen.Name != profile.Unseen || unseen.Count != 2*500 {
		t.Errorf("%v, want the 1000 rows of forgotten categories", unseen)
	}
	b, err := profile.NewBinner(c)
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for i := range n {
		if b.Names()[b.Category(fmt.Sprintf("user%06d", i))] == profile.Other {
			known++
		}
	}
	if want := n - 500; known < want || known > want+2 {
		t.Errorf("%d categories are known, want %d", known, want)
	}
}

func TestRedactedCategories(t *testing.T) {
	cells := slices.Repeat([]string{"alice@example.com", "bob@example.com"}, 100)
	c := fromColumn(t, cells, dataset.Options{Redact: []string{"x"}})
	if name := c.Categories[0].Name; !strings.HasPrefix(name, "sha256:") || len(name) != 23 {
		t.Errorf("category %q, want a hash", name)
	}
	b, err := profile.NewBinner(c)
	if err != nil {
		t.Fatal(err)
	}
	if a, u := b.Category("alice@example.com"), b.Category("eve@example.com"); a > 1 || b.Names()[u] != profile.Unseen {
		t.Errorf("bins %d and %d", a, u)
	}
}

// The true of JSON is the True that others write into CSV files.
func TestTruthValues(t *testing.T) {
	c := fromColumn(t, append(slices.Repeat([]string{"True"}, 30), slices.Repeat([]string{"FALSE"}, 20)...), dataset.Options{})
	r := recorder(t, []profile.Column{c}, nil)
	r.Lock(noon)
	defer r.Unlock()
	if i, j := r.Feature(0).Bool(true), r.Feature(0).Bool(false); i != 0 || j != 1 || !c.Binary {
		t.Errorf("true in bin %d, false in %d, of %v", i, j, c.Bins)
	}
}

package profile_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// liveNumbers records numbers without a reference; NaN is missing.
func liveNumbers(tb testing.TB, values []float64) profile.Column {
	tb.Helper()
	r := recorder(tb, []profile.Column{{Name: "x", Type: profile.Number}}, nil)
	r.Lock(noon)
	for _, v := range values {
		r.AddRows(1)
		r.Feature(0).Number(v)
	}
	r.Unlock()
	return reread(tb, r.Profile(noon, noon)).Features[0]
}

// Shares from a sketch or from quantiles are those that counting gives: exact
// for up to 1024 values, and within 1/1024 below every edge for more, with
// values on the edges, point masses, infinities and missing ones among them.
func TestNumberShares(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for name, values := range samples() {
		if name == "extreme" || name == "adjacent" {
			continue // float32 can't tell these apart
		}
		reference := fromColumn(t, append(text(values), ""), dataset.Options{})
		binner, err := profile.NewBinner(reference)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 7, 1000, 20_000} {
			var data []float64
			for range n {
				v := values[rng.IntN(len(values))]
				switch rng.IntN(8) {
				case 0:
					v += 1
				case 1:
					v = -2*v - 1
				}
				data = append(data, v)
			}
			exact := make([]float64, len(reference.Bins))
			for _, v := range data {
				exact[binner.Number(v)] += 1 / float64(n+1)
			}
			exact[binner.Missing()] += 1 / float64(n+1)
			trained := fromColumn(t, append(text(data), ""), dataset.Options{})
			for kind, c := range map[string]profile.Column{"live": liveNumbers(t, append(data, math.NaN())), "training": trained} {
				_, shares, err := profile.Shares(reference, c)
				if err != nil {
					t.Fatal(err)
				}
				allowed := 1e-9
				if n > 1024 {
					allowed = 2.0/1024 + 1e-9 // an error at either edge
				}
				if n > 1024 && kind == "live" {
					allowed = 2 * 0.0054
				}
				for i := range shares {
					if math.Abs(shares[i]-exact[i]) > allowed {
						t.Errorf("%s, %s of %d: bin %s has %v, exactly %v", name, kind, n, reference.Bins[i].Name, shares[i], exact[i])
					}
				}
			}
		}
	}
}

func TestInfiniteValuesAreFarOut(t *testing.T) {
	reference := fromColumn(t, []string{"0.1", "0.2", "0.7"}, dataset.Options{})
	data := liveNumbers(t, []float64{math.Inf(1), math.Inf(-1), math.MaxFloat64, 0.1, 0.7})
	_, shares, err := profile.Shares(reference, data)
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{0.2, 0, 0.2, 0, 0, 0.2, 0.4, 0} // 00 01 02 under over far_under far_over missing
	for i := range want {
		if math.Abs(shares[i]-want[i]) > 1e-12 {
			t.Fatalf("shares %v, want %v", shares, want)
		}
	}
}

func TestCompareEnds(t *testing.T) {
	reference := trainText(t, "n,c\n1,a\n2,b\n2,b\n4,\n")
	for data, want := range map[string]float64{
		"n,c\n1,a\n2,b\n2,b\n4,\n":      0,
		"c,n\na,1\nb,2\nb,2\n,4\n":      0, // columns in another order
		"n,c\n99,z\n99,y\n99,w\n99,w\n": 1,
	} {
		d, err := profile.Compare(reference, trainText(t, data))
		if err != nil {
			t.Fatal(err)
		}
		// The reference expects one in four categories to be unseen.
		if d.Columns[0] != (profile.ColumnDistance{Name: "n", Distance: want}) || want == 0 && d.Mean != 0 {
			t.Errorf("%q: %+v, want %v", data, d, want)
		}
	}
}

func trainText(tb testing.TB, file string) *profile.Profile {
	tb.Helper()
	p, _, err := dataset.FromCSV("t.csv", strings.NewReader(file), dataset.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return reread(tb, p)
}

// The candidate's own memory of categories decides between other and unseen,
// whatever the data's own version knew.
func TestCategoryShares(t *testing.T) {
	var cells []string
	for name, n := range map[string]int{"a": 600, "b": 300, "rare": 4, "once": 1} {
		cells = append(cells, slices.Repeat([]string{name}, n)...)
	}
	reference := fromColumn(t, cells, dataset.Options{})
	r := recorder(t, []profile.Column{{Name: "x", Type: profile.Category}}, nil)
	r.Lock(noon)
	for name, n := range map[string]int{"b": 50, "rare": 20, "once": 10, "new": 15} {
		for range n {
			r.AddRows(1)
			r.Feature(0).Category(name)
		}
	}
	for range 5 {
		r.AddRows(1)
		r.Feature(0).Missing()
	}
	r.Unlock()
	ref, dat, err := profile.Shares(reference, reread(t, r.Profile(noon, noon)).Features[0])
	if err != nil {
		t.Fatal(err)
	}
	const n = 905.0
	for i, want := range [][2]float64{{600 / n, 0}, {300 / n, 0.5}, {4 / n, 0.3}, {1 / n, 0.15}, {0, 0.05}} { // 00 01 other unseen missing
		if math.Abs(ref[i]-want[0]) > 1e-12 || math.Abs(dat[i]-want[1]) > 1e-12 {
			t.Errorf("bin %s: %v and %v, want %v", reference.Bins[i].Name, ref[i], dat[i], want)
		}
	}
}

// Rows of folded categories are shared out as the others without a bin are.
func TestFoldedShares(t *testing.T) {
	cells := slices.Repeat([]string{"a"}, 1000)
	for i := range 900 {
		cells = append(cells, fmt.Sprint("known", i), fmt.Sprint("known", i))
	}
	reference := fromColumn(t, cells, dataset.Options{})
	r := recorder(t, []profile.Column{{Name: "x", Type: profile.Category}}, nil)
	r.Lock(noon)
	for i := range 1500 { // 750 known, 750 new, of which 1000 have names
		name := fmt.Sprint("known", i/2)
		if i%2 == 1 {
			name = fmt.Sprint("new", i/2)
		}
		r.AddRows(1)
		r.Feature(0).Category(name)
	}
	r.Unlock()
	c := reread(t, r.Profile(noon, noon)).Features[0]
	_, dat, err := profile.Shares(reference, c)
	if err != nil || c.Folded != 500 {
		t.Fatal(err, c.Folded)
	}
	if want := []float64{0, 0.5, 0.5, 0}; !slices.EqualFunc(dat, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
		t.Errorf("shares %v, want %v", dat, want)
	}
}

func TestCompareErrors(t *testing.T) {
	reference := trainText(t, "n,c\n1,a\n2,b\n")
	empty := recorder(t, reference.Features, nil).Profile(noon, noon)
	withoutBins := trainText(t, "n,c\n1,a\n2,b\n")
	withoutBins.Features[0].Bins = nil
	for _, test := range []struct {
		name            string
		reference, data *profile.Profile
		is              error
		want            string
	}{
		{"columns", reference, trainText(t, "n,d\n1,a\n"), profile.ErrSchema, `"c" is missing in the data, "d" is missing in the reference`},
		{"types", reference, trainText(t, "n,c\nx,a\n"), profile.ErrSchema, `"n" is a category in the data, a number in the reference`},
		{"no rows", reference, empty, profile.ErrEmpty, `column "n" of the data: no rows`},
		{"no reference", withoutBins, reference, nil, `column "n" has no bins`},
		{"no columns", empty, &profile.Profile{}, profile.ErrSchema, `"c" is missing in the data`},
	} {
		_, err := profile.Compare(test.reference, test.data)
		if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

// A redacted reference hashes the plain names of other data; the other way
// round there is nothing to compare.
func TestRedactedShares(t *testing.T) {
	cells := slices.Repeat([]string{"a", "a", "b", strings.Repeat("long", 50)}, 50)
	plain := fromColumn(t, cells, dataset.Options{})
	redacted := fromColumn(t, cells, dataset.Options{Redact: []string{"x"}})
	ref, dat, err := profile.Shares(redacted, plain)
	if err != nil || !slices.Equal(ref, dat) {
		t.Errorf("shares %v and %v, %v", ref, dat, err)
	}
	if _, _, err := profile.Shares(plain, redacted); !errors.Is(err, profile.ErrSchema) {
		t.Errorf("error %v", err)
	}
}

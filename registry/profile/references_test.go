package profile_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

// randomColumn has numbers or categories of some shape.
func randomColumn(tb testing.TB, r *rand.Rand, typ profile.Type, rows int, o dataset.Options) profile.Column {
	tb.Helper()
	var cells []string
	shift, kinds := r.NormFloat64(), 1+r.IntN(40)
	if r.IntN(3) == 0 {
		kinds = 3000 // beyond what a profile names: hashes
	}
	for range rows {
		switch {
		case r.IntN(20) == 0:
			cells = append(cells, "")
		case typ == profile.Number && r.IntN(5) == 0:
			cells = append(cells, "0")
		case typ == profile.Number:
			cells = append(cells, fmt.Sprint(r.NormFloat64()+shift))
		default:
			cells = append(cells, fmt.Sprint("k", int(math.Abs(r.NormFloat64())*float64(kinds))))
		}
	}
	o.Types = map[string]profile.Type{"x": typ}
	return fromColumn(tb, cells, o)
}

// What is made ready gives the very distances that Compare gives.
func TestReferencesAgreeWithCompare(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, typ := range []profile.Type{profile.Number, profile.Category} {
		for round := range 12 {
			var versions []*profile.Profile
			for k := range 6 {
				o := dataset.Options{}
				if k == 5 && typ == profile.Category {
					o.Redact = []string{"x"}
				}
				versions = append(versions, oneColumn(randomColumn(t, r, typ, 200+r.IntN(9000), o)))
			}
			versions = append(versions, versions[0]) // shares its bins
			datas := []*profile.Profile{versions[0], versions[1], traffic(t, r, versions[2], 3+r.IntN(20000)), traffic(t, r, nil, 1), traffic(t, r, versions[2], 5000)}
			datas[4].HideRare(versions[2])
			datas[4].HideRare(nil)
			var refs profile.References
			var ready []*profile.Reference
			for _, v := range versions {
				one, err := refs.Add(v)
				if err != nil {
					t.Fatal(err)
				}
				ready = append(ready, one)
			}
			for k, p := range datas {
				d, err := refs.Data(p)
				if err != nil {
					t.Fatal(err)
				}
				for i, got := range d.Compare(ready, time.Hour) {
					want, err := profile.Compare(versions[i], p)
					err2 := got.Err
					if (err == nil) != (err2 == nil) || errors.Is(err, profile.ErrSchema) != errors.Is(err2, profile.ErrSchema) {
						t.Fatalf("%s %d: version %d, data %d: %v, but ready %v", typ, round, i, k, err, err2)
					}
					if err == nil && (got.Mean.Distance != want.Mean || got.Columns[0].Distance != want.Columns[0].Distance) {
						t.Errorf("%s %d: version %d, data %d: %v, but ready %v", typ, round, i, k, want.Mean, got.Mean.Distance)
					}
				}
			}
		}
	}
}

// compareReady compares by way of References.
func compareReady(reference, data *profile.Profile) profile.Comparison {
	var refs profile.References
	r, err := refs.Add(reference)
	if err != nil {
		return profile.Comparison{Err: err}
	}
	d, err := refs.Data(data)
	if err != nil {
		return profile.Comparison{Err: err}
	}
	r.Tolerance(24 * time.Hour)
	for i := range data.Features {
		d.Change(r, i, 4) //nolint:errcheck // must not panic
	}
	return d.CompareOne(r, 24*time.Hour)
}

func oneColumn(c profile.Column) *profile.Profile {
	return &profile.Profile{Format: profile.Format, Rows: c.Rows, Features: []profile.Column{c}}
}

// traffic records rows like those of a column, some of them of another kind.
func traffic(tb testing.TB, r *rand.Rand, reference *profile.Profile, n int) *profile.Profile {
	tb.Helper()
	columns := []profile.Column{{Name: "x", Type: profile.Number}}
	if reference != nil {
		columns = reference.Features
	}
	rec := recorder(tb, columns, nil)
	rec.Lock(noon)
	for range n {
		rec.AddRows(1)
		if columns[0].Type == profile.Number {
			rec.Feature(0).Number(r.NormFloat64() * 1.5)
		} else {
			rec.Feature(0).Category(fmt.Sprint("k", int(math.Abs(r.NormFloat64())*50)))
		}
	}
	rec.Unlock()
	return rec.Profile(noon, noon)
}

// Of samples of a known process the interval holds the distance of the process
// in about 95% of the cases; with clustered rows it does so by their φ only.
func TestCompareIntervalCoverage(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	p := []float64{.1, .1, .1, .1, .1, .1, .1, .1, .1, .1}
	tests := []struct {
		name    string
		q       []float64
		n       int // rows
		cluster int // of equal rows
		phi     float64
		min     float64
		max     float64
	}{
		{"the same", p, 1000, 1, 1, 0.93, 1},
		{"near", []float64{.11, .09, .1, .1, .1, .12, .08, .1, .1, .1}, 1000, 1, 1, 0.93, 1},
		{"apart", []float64{.2, .05, .1, .02, .13, .1, .1, .1, .15, .05}, 1000, 1, 1, 0.93, 0.97},
		{"apart, few rows", []float64{.2, .05, .1, .02, .13, .1, .1, .1, .15, .05}, 100, 1, 1, 0.92, 0.98},
		{"far, new bins", []float64{0, 0, 0, 0, 0, .1, .2, .2, .25, .25}, 1000, 1, 1, 0.93, 0.97},
		{"clustered", []float64{.2, .05, .1, .02, .13, .1, .1, .1, .15, .05}, 5000, 20, 20, 0.92, 0.98},
		{"clustered, taken as independent", []float64{.2, .05, .1, .02, .13, .1, .1, .1, .15, .05}, 5000, 20, 1, 0, 0.6},
		{"clustered, as assumed", []float64{.2, .05, .1, .02, .13, .1, .1, .1, .15, .05}, 5000, 10, 0, 0.92, 0.98},
	}
	for _, tt := range tests {
		reference := tenBins(p, 1e6)
		if tt.phi > 0 {
			reference.Features[0].Clustering = map[string]float64{"24h": tt.phi}
		}
		var refs profile.References
		ref, err := refs.Add(reference)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := profile.Compare(reference, tenBins(tt.q, 1e6))
		if err != nil {
			t.Fatal(err)
		}
		const samples = 2000
		within, wide := 0, 0.0
		for range samples {
			counts := make([]float64, len(tt.q))
			for range tt.n / tt.cluster {
				u, k := r.Float64(), 0
				for ; k < len(tt.q)-1 && u >= tt.q[k]; k++ {
					u -= tt.q[k]
				}
				counts[k] += float64(tt.cluster)
			}
			d, err := refs.Data(tenBins(counts, 1))
			if err != nil {
				t.Fatal(err)
			}
			c := d.CompareOne(ref, 24*time.Hour)
			if c.Err != nil {
				t.Fatal(c.Err)
			}
			if c.Measured != (tt.phi > 0) {
				t.Fatalf("%s: measured %v", tt.name, c.Measured)
			}
			wide += (c.Mean.High - c.Mean.Low) / samples
			if c.Mean.Low <= whole.Mean && whole.Mean <= c.Mean.High {
				within++
			}
		}
		share := float64(within) / samples
		t.Logf("%s: distance %.3f, width %.3f: within in %.3f", tt.name, whole.Mean, wide, share)
		if share < tt.min || share > tt.max {
			t.Errorf("%s: within the interval in %v, want %v to %v", tt.name, share, tt.min, tt.max)
		}
	}
}

// tenBins is a profile of counts or shares in ten bins.
func tenBins(shares []float64, rows float64) *profile.Profile {
	p := described(nil)
	p.Features, p.Predictions = p.Features[:1], nil
	c := &p.Features[0]
	for i, s := range shares {
		c.Bins[i].Count = int64(math.Round(s * rows))
		c.Rows += c.Bins[i].Count
	}
	p.Rows = c.Rows
	return p
}

func TestTolerance(t *testing.T) {
	day := 24 * time.Hour
	p := tenBins([]float64{.1, .2, .3, .4}, 1000)
	p.Blocks = []profile.BlockDistances{
		{Window: "24h", Blocks: 60, Periods: 60, Distance: profile.Quantiles{P50: 0.1, P90: 0.2, P95: 0.3}, Factor: 2},
		{Window: "7d", Blocks: 50, Periods: 8, Distance: profile.Quantiles{P50: 0.01, P90: 0.02, P95: 0.03}, Factor: 1},
	}
	p.Features[0].Blocks = map[string]profile.Quantiles{"24h": {P95: 0.4}, "7d": {P95: 0.06}}
	var refs profile.References
	timed, err := refs.Add(p)
	if err != nil {
		t.Fatal(err)
	}
	untimed, err := refs.Add(tenBins([]float64{.1, .2, .3, .4}, 1000))
	if err != nil {
		t.Fatal(err)
	}
	half := math.Log(2) / math.Log(7)
	// Squares of a weekday's distance, in one, two and ten days (scipy's
	// jensenshannon, base 2).
	one, two, ten := 0.689391746743088, 0.508725674387316, 0.021321699494295
	fall := two / one
	mostly := (0.8*0.8 - 0.1*0.1) / one // of the column may be a weekday
	tests := []struct {
		name         string
		ref          *profile.Reference
		length       time.Duration
		ok           bool
		mean, column float64
		windows      int
	}{
		{"not measured", untimed, day, false, 0, 0, 0},
		{"no time", timed, 0, false, 0, 0, 0},
		{"a day", timed, day, true, 0.3, 0.8, 1},
		{"a week, not below what counts as a distance", timed, 7 * day, true, profile.MinTolerance, profile.MinColumnTolerance, 1},
		{"an hour: as a day", timed, time.Hour, true, 0.3, 0.8, 1},
		{"two days: between", timed, 2 * day, true, 0.3*(1-half) + 0.05*half, math.Sqrt(0.8*0.8*fall + 0.1*0.1*(1-fall)), 2},
		{"ten days: as a week, and three weekdays twice", timed, 10 * day, true, 0.05, math.Sqrt(0.1*0.1 + mostly*ten), 1},
		{"two weeks: as a week", timed, 14 * day, true, 0.05, 0.1, 1},
		{"longer: nothing is known", timed, 15 * day, false, 0, 0, 0},
	}
	for _, tt := range tests {
		got, ok := tt.ref.Tolerance(tt.length)
		if ok != tt.ok || math.Abs(got.Mean-tt.mean) > 1e-12 || len(got.Windows) != tt.windows {
			t.Errorf("%s: %+v, %v", tt.name, got, ok)
		} else if ok && math.Abs(got.Column(0)-tt.column) > 1e-9 {
			t.Errorf("%s: column %v, want %v", tt.name, got.Column(0), tt.column)
		}
	}
}

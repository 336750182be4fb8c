package registry_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// manyVersions makes versions of a model with columns of numbers and every fifth
// of categories, each with bins of its own, and a live profile of 20,000 rows
// that counts into the bins of the first.
func manyVersions(tb testing.TB, versions, columns int) ([]registry.Version, *profile.Profile) {
	tb.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var list []registry.Version
	var first *profile.Profile
	for n := range versions {
		p := madeUp(r, columns, 5000)
		if n == 0 {
			first = p
		}
		b, err := p.Encode()
		if err != nil {
			tb.Fatal(err)
		}
		packed, err := registry.Pack(b)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, registry.Version{Model: "churn", Number: int64(n + 1), Lifecycle: v1alpha1.Registered, Spec: v1alpha1.ModelVersionSpec{Profile: packed}})
	}
	rec, err := profile.NewRecorder(first.Features, nil)
	if err != nil {
		tb.Fatal(err)
	}
	at := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	rec.Lock(at)
	for range 20_000 {
		rec.AddRows(1)
		for i, c := range first.Features {
			if c.Type == profile.Number {
				rec.Feature(i).Number(r.NormFloat64())
			} else {
				rec.Feature(i).Category(fmt.Sprint("k", r.IntN(20)))
			}
		}
	}
	rec.Unlock()
	return list, lasting(rec.Profile(at, at), 10*24*time.Hour)
}

// madeUp is a training profile without the work of reading rows, and without
// quantiles: those of a reference are not asked.
func madeUp(r *rand.Rand, columns int, rows int64) *profile.Profile {
	p := &profile.Profile{Format: profile.Format, Rows: rows}
	near := profile.Quantiles{P50: 0.2, P90: 0.25, P95: 0.3}
	for _, window := range []string{"24h", "7d", "30d"} {
		p.Blocks = append(p.Blocks, profile.BlockDistances{Window: window, Blocks: 300, Periods: 8, Rows: 500, Distance: near, Factor: 1.5})
	}
	for i := range columns {
		c := profile.Column{Name: fmt.Sprintf("column%02d", i), Type: profile.Number, Rows: rows, Binning: fmt.Sprint(r.Uint64())}
		if i%5 == 4 {
			c.Type = profile.Category
			for k := range 20 {
				c.Categories = append(c.Categories, profile.CategoryCount{Name: fmt.Sprint("k", k), Count: rows / 20})
			}
			slices.SortFunc(c.Categories, func(a, b profile.CategoryCount) int { return slices.Compare([]byte(a.Name), []byte(b.Name)) })
			for k, one := range c.Categories {
				c.Bins = append(c.Bins, profile.Bin{Name: fmt.Sprintf("%02d", k), Category: one.Name, Count: one.Count})
			}
			c.Bins = append(c.Bins, profile.Bin{Name: profile.Other}, profile.Bin{Name: profile.Unseen}, profile.Bin{Name: profile.Missing})
		} else {
			shift := r.NormFloat64() / 4
			edges := []float64{-4 + shift}
			for k := 1; k < 10; k++ {
				edges = append(edges, -1.5+float64(k)*0.3+shift+r.Float64()/10)
			}
			edges = append(edges, 4+shift)
			for k := range 10 {
				c.Bins = append(c.Bins, profile.Bin{Name: fmt.Sprintf("%02d", k), Lower: new(edges[k]), Upper: new(edges[k+1]), Count: rows / 10})
			}
			low, high := edges[0]-8, edges[10]+8
			c.Bins = append(c.Bins,
				profile.Bin{Name: profile.Under, Lower: &low, Upper: &edges[0]}, profile.Bin{Name: profile.Over, Lower: &edges[10], Upper: &high},
				profile.Bin{Name: profile.FarUnder, Upper: &low}, profile.Bin{Name: profile.FarOver, Lower: &high}, profile.Bin{Name: profile.Missing})
		}
		c.Blocks = map[string]profile.Quantiles{"24h": near, "7d": near, "30d": near}
		c.Clustering = map[string]float64{"24h": 3, "7d": 5}
		p.Features = append(p.Features, c)
	}
	return p
}

// cpuTime is that of the process: what one core would have taken, however busy
// the machine is with other things.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The goal is 50 ms for 1,000 versions of 50 columns, 99% of the time, and 500 ms
// for 10,000.
func BenchmarkMatcher(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		var m *registry.Matcher
		var live *profile.Profile
		b.Run(fmt.Sprintf("versions=%d", n), func(b *testing.B) {
			if m == nil { // once, however often the benchmark is tried
				var versions []registry.Version
				versions, live = manyVersions(b, n, 50)
				var err error
				if m, err = registry.NewMatcher(versions); err != nil {
					b.Fatal(err)
				}
			}
			var took []time.Duration
			for b.Loop() {
				began := cpuTime(b)
				r, err := m.Match(live, registry.MatchOptions{})
				if err != nil || len(r.Candidates) != n {
					b.Fatal(len(r.Candidates), err)
				}
				took = append(took, cpuTime(b)-began)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "cpu-ms-p99")
			b.ReportMetric(float64(took[0].Microseconds())/1000, "cpu-ms-least")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "cpu-ms-median")
		})
	}
}

// The peer: the same versions compared one by one, their profiles read already.
func BenchmarkCompareOneByOne(b *testing.B) {
	versions, live := manyVersions(b, 100, 50)
	var profiles []*profile.Profile
	for _, v := range versions {
		p, _, err := v.Profile()
		if err != nil {
			b.Fatal(err)
		}
		profiles = append(profiles, p)
	}
	began, n := cpuTime(b), 0
	for b.Loop() {
		for _, p := range profiles {
			if _, err := profile.Compare(p, live); err != nil {
				b.Fatal(err)
			}
		}
		n += len(profiles)
	}
	b.ReportMetric(float64((cpuTime(b)-began).Microseconds())/float64(n), "cpu-ms-per-1000")
}

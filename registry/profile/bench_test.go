package profile_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leeway-dev/leeway/registry/dataset"
	"github.com/leeway-dev/leeway/registry/profile"
)

func BenchmarkBinner(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{2, 10, 1000} {
		var cells []string
		for range n {
			cells = append(cells, fmt.Sprint(rng.NormFloat64()))
		}
		binner, err := profile.NewBinner(fromColumn(b, cells, dataset.Options{}))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("bins=%d", len(binner.Names())), func(b *testing.B) {
			var values [1024]float64
			for i := range values {
				values[i] = rng.NormFloat64()
			}
			for i := 0; b.Loop(); i++ {
				binner.Number(values[i%1024])
			}
		})
	}
}

// Cells of a column of ten bins, in bulk.
func BenchmarkNumbers(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	var cells []string
	values := make([]float64, 4096)
	for i := range values {
		values[i] = rng.NormFloat64()
		cells = append(cells, fmt.Sprint(values[i]))
	}
	c := fromColumn(b, cells, dataset.Options{})
	r := recorder(b, []profile.Column{c}, nil)
	counts := make([]int64, len(c.Bins))
	now := noon
	for b.Loop() {
		now = now.Add(time.Millisecond)
		r.Lock(now)
		r.Feature(0).Numbers(values, 1, counts)
		r.Unlock()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(values)), "ns/cell")
}

func BenchmarkRecorder(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, columns := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("columns=%d", columns), func(b *testing.B) {
			var list []profile.Column
			for i := range columns {
				list = append(list, profile.Column{Name: fmt.Sprint("n", i), Type: profile.Number})
			}
			r := recorder(b, list, nil)
			now := noon
			for b.Loop() {
				now = now.Add(time.Millisecond)
				r.Lock(now)
				r.AddRows(1)
				for i := range columns {
					r.Feature(i).Number(rng.Float64())
				}
				r.Unlock()
			}
		})
	}
}

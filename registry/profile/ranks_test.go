package profile

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// The search gives what counting gives, however unevenly the values lie.
func TestRanks(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	inf := float32(math.Inf(1))
	shapes := map[string]func() float32{
		"normal":      func() float32 { return float32(r.NormFloat64()) },
		"one value":   func() float32 { return -3 },
		"few values":  func() float32 { return float32(r.IntN(4)) },
		"skewed":      func() float32 { return float32(math.Exp(8 * r.NormFloat64())) },
		"one far off": func() float32 { return max(float32(r.Float64()), float32(r.IntN(1000)-998)*1e30) },
		"whole range": func() float32 { return []float32{-math.MaxFloat32, 0, math.MaxFloat32}[r.IntN(3)] },
		"denormal":    func() float32 { return float32(r.IntN(9)) * math.SmallestNonzeroFloat32 },
	}
	for name, draw := range shapes {
		for _, n := range []int{1, 2, 3, 500, 3400} {
			items := make([]keptItem, n)
			var values int64
			for i := range items {
				items[i] = keptItem{draw(), 1 << r.IntN(3)}
				values += items[i].weight
			}
			slices.SortFunc(items, func(a, b keptItem) int {
				switch {
				case a.value < b.value:
					return -1
				case a.value > b.value:
					return 1
				}
				return 0
			})
			ranks, median := newRanks(items, values)
			xs := []float32{-inf, -math.MaxFloat32, 0, math.MaxFloat32, inf}
			for range 20 {
				x := items[r.IntN(n)].value
				xs = append(xs, x, math.Nextafter32(x, inf), math.Nextafter32(x, -inf), draw())
			}
			for len(xs) > 0 {
				some := xs[:min(len(xs), 13)]
				xs = xs[len(some):]
				got := make([]float64, len(some))
				ranks.of(got, some)
				for k, x := range some {
					var below int64
					for _, item := range items {
						if item.value < x {
							below += item.weight
						}
					}
					if want := float64(below) / float64(values) * float64(values); got[k] != want {
						t.Fatalf("%s, %d kept: %v below %v, want %v", name, n, got[k], x, want)
					}
				}
			}
			var sum int64
			at := slices.IndexFunc(items, func(item keptItem) bool { sum += item.weight; return 2*sum >= values })
			if want := decimal(items[at].value); median != want {
				t.Errorf("%s, %d kept: median %v, want %v", name, n, median, want)
			}
		}
	}
}

// Bit by bit, but where the compiler fuses operations.
func TestLogs(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	ds := []float64{0, 1e-300, 1.0 / (1 << 29), math.Nextafter(1.0/(1<<29), 0), 0.29289321881345243, 0.29289321881345248, 0.2928932188134525, 0.4142135623730950, 0.4142135623730951, 0.5, 1}
	for range 200_000 {
		ds = append(ds, r.Float64(), r.Float64()*0.3, math.Exp(-30*r.Float64()))
	}
	for _, d := range ds {
		for _, d := range []float64{d, -d} {
			down, up := logs(d)
			for _, one := range [][2]float64{{down, math.Log1p(-d)}, {up, math.Log1p(d)}} {
				got, want := one[0], one[1]
				if runtime.GOARCH != "amd64" && math.Abs(got-want) <= 1e-15*math.Abs(want) {
					continue
				}
				if math.Float64bits(got) != math.Float64bits(want) {
					t.Fatalf("of %v: %v, want %v", d, got, want)
				}
			}
		}
	}
}

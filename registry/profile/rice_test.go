package profile

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// What is packed comes out again, whatever it is, and takes as many bytes as was said. (Inside of the package, since
// nobody else sees packed keys.)
func TestKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	makers := map[string]func() uint32{
		"any":   rng.Uint32,
		"same":  func() uint32 { return 7 },
		"ends":  func() uint32 { return -rng.Uint32N(2) },
		"whole": func() uint32 { return ordered(float32(rng.IntN(1000))) },
		"signs": func() uint32 { return ordered(float32(rng.IntN(100) - 50)) },
		"few":   func() uint32 { return ordered(float32(rng.IntN(3)) / 3) },
		"far":   func() uint32 { return ordered(float32(math.Pow(rng.Float64(), 50))) },
		"usual": func() uint32 { return ordered(float32(rng.NormFloat64())) },
	}
	for name, value := range makers {
		for _, n := range []int{0, 1, 2, 3, 100, 3000} {
			keys := make([]uint32, n)
			for i := range keys {
				keys[i] = value()
			}
			slices.Sort(keys)
			behind := []byte{1, 2, 3}
			p := appendKeys(nil, keys)
			if len(p) != keysLen(keys) {
				t.Errorf("%s, %d: %d bytes, said %d", name, n, len(p), keysLen(keys))
			}
			rest, got := takeKeys(append(p, behind...), nil)
			if !slices.Equal(got, keys) || !slices.Equal(rest, behind) {
				t.Errorf("%s, %d: %v and %v behind, want %v", name, n, got, rest, keys)
			}
			if n == 3000 {
				t.Logf("%s: %.1f bits each", name, 8*float64(len(p))/float64(n))
			}
		}
	}
}

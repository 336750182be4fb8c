package protocol

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// A decimal number of six digits comes back from a float32 as it was, and anything else stays that float32. (Inside,
// because a float32 has four bytes, but a body to hold it many more.)
func TestDecimal(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 500_000 {
		digits, places := rng.IntN(1_000_000), rng.IntN(9)
		text := strconv.Itoa(digits) + "e-" + strconv.Itoa(places)
		want, _ := strconv.ParseFloat(text, 64)
		if want < 1e-5 && want > 0 {
			continue
		}
		if got := decimal(float32(want)); got != want {
			t.Fatalf("%s: %v, want %v", text, got, want)
		}
		if got := decimal(float32(-want)); got != -want {
			t.Fatalf("-%s: %v, want %v", text, got, -want)
		}
		v := math.Float32frombits(rng.Uint32())
		if got := decimal(v); v == v && float32(got) != v || v != v && got == got {
			t.Fatalf("%v: %v is another float32", v, got)
		}
	}
	for _, v := range []float32{0, float32(math.Inf(1)), float32(math.Inf(-1)), 1e-5, 9.99999e5, 16777217, math.MaxFloat32, math.SmallestNonzeroFloat32} {
		if got := decimal(v); float32(got) != v {
			t.Errorf("%v: %v", v, got)
		}
	}
}

package simulate

import (
	"math"
	"math/rand/v2"
)

// Random draws what counts are made of. All of it is exact: no normal
// approximations, which would be wrong just where false alarms are.
type Random struct{ *rand.Rand }

// NewRandom gives the same numbers for the same seeds.
func NewRandom(a, b uint64) Random { return Random{rand.New(rand.NewPCG(a, b))} }

// few is up to how many expected events are drawn one by one.
const few = 12

// Poisson counts events of which mean are expected: above a few by way of the
// time of the k-th (Ahrens and Dieter 1974).
func (r Random) Poisson(mean float64) int {
	n := 0
	for mean > few {
		k := int(mean * 7 / 8)
		at := r.Gamma(float64(k))
		if at > mean {
			return n + r.Binomial(k-1, mean/at)
		}
		n, mean = n+k, mean-at
	}
	for product, limit := r.Float64(), math.Exp(-mean); product > limit; product *= r.Float64() {
		n++
	}
	return n
}

// Binomial counts successes: above a few by way of the median of as many
// uniform numbers, which halves n (Relles 1972).
func (r Random) Binomial(n int, p float64) int {
	if p > 0.5 {
		return n - r.Binomial(n, 1-p)
	}
	count := 0
	for float64(n)*p > few {
		i := n/2 + 1
		x := r.Gamma(float64(i))
		x /= x + r.Gamma(float64(n+1-i))
		if p < x {
			n, p = i-1, p/x
			continue
		}
		count, n, p = count+i, n-i, (p-x)/(1-x)
		if p > 0.5 {
			return count + n - r.Binomial(n, 1-p)
		}
	}
	if n == 0 || p <= 0 {
		return count
	}
	// Failures between successes are geometric.
	for at, q := 0.0, math.Log1p(-p); ; count++ {
		at += math.Floor(math.Log(1-r.Float64())/q) + 1
		if at > float64(n) {
			return count
		}
	}
}

// Gamma of a shape, scale 1 (Marsaglia and Tsang 2000).
func (r Random) Gamma(shape float64) float64 {
	if shape < 1 {
		return r.Gamma(shape+1) * math.Pow(1-r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if u := 1 - r.Float64(); math.Log(u) < x*x/2+d*(1-v+math.Log(v)) {
			return d * v
		}
	}
}

// Multinomial spreads n rows over bins, adding to counts.
func (r Random) Multinomial(n int, shares, counts []float64) {
	left := 1.0
	for b, p := range shares {
		if n == 0 {
			return
		}
		k := n
		if b < len(shares)-1 {
			k = r.Binomial(n, min(p/left, 1))
		}
		counts[b] += float64(k)
		n, left = n-k, max(left-p, 1e-300)
	}
}

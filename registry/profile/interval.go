package profile

import "math"

// AssumedClustering stands in where no training rows told the clustering, as in
// the rules.
const AssumedClustering = 10

// moments are what the interval of a divergence is made of: of JS in nats, for a
// sample of one row.
type moments struct {
	bias, first, second float64
}

// divergence is jensenShannon with the moments of it as an estimate by the
// sample q (delta method to the second order, rows multinomial).
//
// With J(q) the divergence, ∂J/∂q = ½ ln(q/m) and ∂²J/∂q² = p/(2q(p+q)). Of n
// rows the bias is Σ p(1−q)/(4(p+q)) / n, and the variance that of ½ ln(q/m) over
// the rows / n, and 2 Σ (p/(4(p+q)))² / n² from the second order, which is all
// there is where p = q.
func divergence(p, q []float64) (distance float64, of moments) {
	var sum, mean, square float64
	for i := range p {
		if p[i] == 0 && q[i] == 0 {
			continue
		}
		m := (p[i] + q[i]) / 2
		var g float64
		switch {
		case p[i] == q[i]:
		case q[i] == 0:
			sum += m * 2 * math.Ln2
			continue // of what is not there nothing varies
		case p[i] == 0:
			sum += m * 2 * math.Ln2
			g = math.Ln2 / 2
		default:
			d := (q[i] - p[i]) / (q[i] + p[i])
			down, up := logs(d)
			sum += m * ((1-d)*down + (1+d)*up)
			g = up / 2
		}
		mean += q[i] * g
		square += q[i] * g * g
		w := p[i] / (8 * m)
		of.bias += w * (1 - q[i])
		of.second += 2 * w * w
	}
	of.first = max(square-mean*mean, 0)
	return math.Sqrt(min(max(sum/2/math.Ln2, 0), 1)), of
}

// normal95 is the two-sided 95% quantile of a normal distribution.
const normal95 = 1.959964

// interval is that of the distance of all rows, of which n independent ones were
// seen: the estimate less its bias, ± 1.96 standard deviations, as distances.
func (m moments) interval(distance, n float64) (low, high float64) {
	js := distance * distance * math.Ln2
	center := js - m.bias/n
	wide := normal95 * math.Sqrt(m.first/n+m.second/(n*n))
	at := func(v float64) float64 { return math.Sqrt(min(max(v/math.Ln2, 0), 1)) }
	return at(center - wide), at(center + wide)
}

package simulate

import (
	"math"
	"time"
)

// Quality is the rule about the share of wrong answers: over a window, more than
// Factor times a base that is known, and by so many standard errors, for a time.
type Quality struct {
	Window, Interval, For time.Duration
	MinLabels             float64
	Factor, Sigmas        float64
}

// Wrong is how long after a change the rule fires, on answers that come evenly,
// so many an hour, of which those before the first were wrong as often as the
// base says; 0 where it does not.
func (q Quality) Wrong(wrong []bool, change int, hourly, base float64) time.Duration {
	sums := make([]float64, len(wrong)+1)
	for i, w := range wrong {
		sums[i+1] = sums[i]
		if w {
			sums[i+1]++
		}
	}
	labels := hourly * q.Window.Hours()
	since := time.Duration(math.MaxInt64)
	for at := q.Interval; ; at += q.Interval {
		end := change + int(at.Hours()*hourly)
		if end > len(wrong) {
			return 0
		}
		begin := float64(end) - labels
		seen := sums[end] - sums[int(max(begin, 0))] + max(-begin, 0)*base
		share := seen / labels
		exceeds := labels >= q.MinLabels && share > q.Factor*base && share-base > q.Sigmas*math.Sqrt(share*(1-share)/labels)
		if !exceeds {
			since = math.MaxInt64
			continue
		}
		if since = min(since, at); at-since >= q.For {
			return at
		}
	}
}

// Package calibrate measures, from the history that a Prometheus keeps, what the
// rules have to know of the traffic of one installation: how clustered the rows
// of each column are, which windows hold enough of them, and what errors,
// latency and volume are like when nothing is wrong.
//
// The clustering φ is the rules' own: the median of G/df between a window and
// the same window a day before, over what independent rows would show. It is
// measured on windows of several lengths, because that tells more than one: where
// rows resemble each other for minutes or hours, φ stops growing once the window
// is longer than that. Where it still grows at a day, the column's memory is
// days, no window up to a day holds independent rows, and its state can't be told
// from φ: it is slow, and what a rule says of it unknown.
package calibrate

import (
	"math"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/rules"
)

// Windows of which φ is measured. Each is a day or a part of it.
func Windows() []rules.Duration { return []rules.Duration{hour, 6 * hour, 12 * hour, day} }

const (
	// hour is how finely history is read, day how far apart the windows are that are compared.
	day  = 24 * hour
	hour = rules.Duration(time.Hour)
	// minPairs is the fewest pairs of windows that a median is taken of, counted as
	// windows that don't overlap.
	minPairs = 3
	// growth, from windows of 6 h to such of a day, that tells a slow column. Over 30
	// days it was 1.0 for independent rows, 1.5 for a mix that wanders within 3 h,
	// 1.7 (at most 2.0 in 95 of 100) within 6 h, 2.3 in a day, 2.6 (at least 2.3) in
	// three days.
	growth = 2.1
)

// Column is a feature or an output of a version.
type Column struct {
	Output bool   `json:"output,omitempty"`
	Name   string `json:"name"`
	// Clustering φ by window; a window is missing where there was too little
	// history.
	Clustering map[rules.Duration]float64 `json:"clustering"`
	// Rows of a window, the median.
	Rows map[rules.Duration]float64 `json:"rows"`
	// Slow columns have a memory of days.
	Slow bool `json:"slow"`
}

// Effective rows of a window; 0 where that is not known.
func (c Column) Effective(window rules.Duration) float64 {
	phi, ok := c.Clustering[window]
	if !ok {
		return 0
	}
	return c.Rows[window] / phi
}

// Measure is what the hourly counts of a column's bins say. hours are in order,
// without gaps; an hour without samples has no counts. Every hour has the same
// bins.
func Measure(name string, output bool, hours [][]float64) Column {
	c := Column{Output: output, Name: name, Clustering: map[rules.Duration]float64{}, Rows: map[rules.Duration]float64{}}
	means := map[rules.Duration]float64{} // steadier than medians, which few days make jump
	for _, w := range Windows() {
		sums := windows(hours, int(w/hour))
		var rows, ratios []float64
		for i, now := range sums {
			if now == nil {
				continue
			}
			rows = append(rows, total(now))
			if before := i - int(day/hour); before >= 0 && sums[before] != nil {
				if ratio, ok := noiseRatio(now, sums[before]); ok {
					ratios = append(ratios, ratio)
				}
			}
		}
		if len(rows) > 0 {
			c.Rows[w] = median(rows)
		}
		if len(ratios) >= minPairs*int(w/hour) {
			c.Clustering[w] = max(median(ratios), 1)
			means[w] = total(ratios) / float64(len(ratios))
		}
	}
	quarter, whole := means[6*hour], means[day]
	c.Slow = quarter > 0 && whole > growth*max(quarter, 1)
	return c
}

// windows are the sums over n hours that end with each hour; nil where one of
// them has no samples.
func windows(hours [][]float64, n int) [][]float64 {
	sums := make([][]float64, len(hours))
	for i := n - 1; i < len(hours); i++ {
		var sum []float64
		for _, counts := range hours[i-n+1 : i+1] {
			if counts == nil {
				sum = nil
				break
			}
			if sum == nil {
				sum = make([]float64, len(counts))
			}
			for b, x := range counts {
				sum[b] += x
			}
		}
		sums[i] = sum
	}
	return sums
}

// noiseRatio is the two-sample G of two windows over df, divided by what its
// median is for independent rows.
func noiseRatio(a, b []float64) (float64, bool) {
	x := func(n float64) float64 {
		if n <= 0 {
			return 0
		}
		return n * math.Log(n)
	}
	sum, df := 0.0, -1.0
	for i := range a {
		if a[i]+b[i] > 0 {
			df++
		}
		sum += x(a[i]) + x(b[i]) - x(a[i]+b[i])
	}
	na, nb := total(a), total(b)
	if df < 1 || na <= 0 || nb <= 0 {
		return 0, false
	}
	g := 2 * (sum - x(na) - x(nb) + x(na+nb))
	return g / df / math.Pow(1-2/(9*df), 3), true
}

func total(counts []float64) (n float64) {
	for _, x := range counts {
		n += x
	}
	return n
}

func median(xs []float64) float64 { return quantile(xs, 0.5) }

func quantile(xs []float64, q float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(xs))
	at := q * float64(len(s)-1)
	low := int(at)
	if low+1 == len(s) {
		return s[low]
	}
	return s[low] + (at-float64(low))*(s[low+1]-s[low])
}

package simulate

import (
	"math"
	"time"
)

// Traffic is how the rows of a column come in. Its zero parts are not there:
// without any the rows are independent.
type Traffic struct {
	Name string
	Kind Kind
	// Hourly is the mean number of rows.
	Hourly float64
	// Session rows come together, of which all but the first are like the first
	// with probability Alike.
	Session int
	Alike   float64
	// Wander is the time in which the mix forgets itself, Sway how far (as a
	// share of the share) it goes.
	Wander time.Duration
	Sway   float64
	// Daily and Weekend move the mean of a number by so many standard deviations,
	// in the course of a day and at weekends; the volume goes with the day.
	Daily, Weekend float64
	// Moved moves the mean of a number by so many standard deviations, after the
	// first of MovedAfter.
	Moved      float64
	MovedAfter time.Duration
}

const (
	hour = time.Hour
	day  = 24 * hour
	week = 7 * day
)

// source lets the rows of one column come in.
type source struct {
	Random
	Traffic
	step   time.Duration
	edges  []float64   // of the bins of a number, in standard deviations
	cycle  [][]float64 // shares by hour of the week, where there are cycles
	moved  [][]float64 // the same after the change, where there is one
	volume []float64   // by hour
	sway   []float64   // by bin: a process of variance 1 and mean 0
	shares []float64
}

func newSource(r Random, t Traffic, step time.Duration) *source {
	bins := len(t.Kind.Shares)
	s := &source{Random: r, Traffic: t, step: step, sway: make([]float64, bins), shares: make([]float64, bins)}
	copy(s.shares, t.Kind.Shares)
	for b := range s.sway {
		s.sway[b] = r.NormFloat64()
	}
	if t.Daily != 0 || t.Weekend != 0 || t.Moved != 0 {
		s.cycle = s.cycles(0)
	}
	if t.Moved != 0 {
		s.moved = s.cycles(t.Moved)
	}
	return s
}

// cycles works out the shares of a week, one for each hour, when the mean is
// moved.
func (s *source) cycles(moved float64) (out [][]float64) {
	at := 0.0
	s.edges, s.volume = nil, nil
	for _, p := range s.Kind.Shares[:len(s.Kind.Shares)-1] {
		at += p
		s.edges = append(s.edges, normalQuantile(at))
	}
	for h := range 168 {
		phase := math.Sin(2 * math.Pi * float64(h%24) / 24)
		mean, volume := moved+s.Daily*phase, 1.0
		if s.Daily != 0 {
			volume += 0.6 * phase
		}
		if h >= 120 {
			mean += s.Weekend
		}
		shares := make([]float64, len(s.Kind.Shares))
		before := 0.0
		for b, e := range s.edges {
			below := normalTail(mean - e)
			shares[b], before = below-before, below
		}
		shares[len(shares)-1] = 1 - before
		out, s.volume = append(out, shares), append(s.volume, volume)
	}
	return out
}

// training draws the rows that the version was trained on: of all times alike.
func (s *source) training(rows int) *Column {
	shares := s.Kind.Shares
	if s.cycle != nil {
		shares = make([]float64, len(shares))
		for h, c := range s.cycle {
			for b, p := range c {
				shares[b] += p * s.volume[h] / 168
			}
		}
	}
	counts := make([]float64, len(shares))
	s.Multinomial(rows, shares, counts)
	return s.Kind.column(counts)
}

// next adds the rows of the step that ends at a time.
func (s *source) next(at time.Duration, counts []float64) {
	rows, base := s.Hourly*s.step.Hours(), s.Kind.Shares
	if s.cycle != nil {
		h := int(at/hour) % 168
		rows, base = rows*s.volume[h], s.cycle[h]
		if s.moved != nil && at > s.MovedAfter {
			base = s.moved[h]
		}
	}
	copy(s.shares, base)
	if s.Wander > 0 {
		keep := math.Exp(-float64(s.step) / float64(s.Wander))
		fresh, sum := math.Sqrt(1-keep*keep), 0.0
		for b := range s.sway {
			s.sway[b] = keep*s.sway[b] + fresh*s.NormFloat64()
			s.shares[b] *= math.Exp(s.Sway * s.sway[b])
			sum += s.shares[b]
		}
		for b := range s.shares {
			s.shares[b] /= sum
		}
	}
	if s.Session > 1 {
		s.sessions(rows, counts)
		return
	}
	for b, p := range s.shares {
		counts[b] += float64(s.Poisson(rows * p))
	}
}

// sessions counts by bin those that begin there, the rows that are like the
// first, and the others.
func (s *source) sessions(rows float64, counts []float64) {
	others := 0
	for b, p := range s.shares {
		n := s.Poisson(rows * p / float64(s.Session))
		alike := s.Binomial(n*(s.Session-1), s.Alike)
		others += n*(s.Session-1) - alike
		counts[b] += float64(n + alike)
	}
	s.Multinomial(others, s.shares, counts)
}

func normalTail(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 }

func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

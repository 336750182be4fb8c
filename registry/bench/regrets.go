package main

import (
	"math"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/atlas"
)

// rules in the order of the table.
var ruleNames = []string{
	"stay with any, random", "newest", "closest", "best on average", "atlas", "labels of the window", "labels and atlas", "all past", "retrain now",
}

// regrets of one scope and kind of window, by rule and block.
type regrets struct {
	sum map[string][]float64 // by block
	n   map[string][]float64
	// gated is what the rule does with data sets enough, early what it proposes
	// with fewer: a person's tolerance, which lets it act, is not asked.
	gated, early switches
}

func newRegrets(blocks int) *regrets {
	r := &regrets{sum: map[string][]float64{}, n: map[string][]float64{}}
	for _, name := range ruleNames {
		r.sum[name], r.n[name] = make([]float64, blocks), make([]float64, blocks)
	}
	return r
}

func (r *regrets) decided(k *known) *switches {
	if k.atlas.Gate == atlas.NoGate {
		return &r.early
	}
	return &r.gated
}

func (r *regrets) add(rule string, block int, regret float64) {
	r.sum[rule][block] += regret
	r.n[rule][block]++
}

// mean over the blocks of their means, and its standard error.
func (r *regrets) mean(rule string) (mean, se float64, ok bool) {
	var xs []float64
	for b, n := range r.n[rule] {
		if n > 0 {
			xs = append(xs, r.sum[rule][b]/n)
		}
	}
	return moments(xs)
}

func moments(xs []float64) (mean, se float64, ok bool) {
	if len(xs) < 2 {
		return math.NaN(), math.NaN(), false
	}
	for _, x := range xs {
		mean += x / float64(len(xs))
	}
	for _, x := range xs {
		se += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(se / float64(len(xs)-1) / float64(len(xs))), true
}

// switches counts what the rule as shipped does, for every live version.
type switches struct {
	pairs, switched, worse, gain float64
	halves                       [2]half // even and odd blocks
	gates                        map[atlas.Gate]int
	r2                           []float64
}

// half of the blocks. How many data sets like today's the rule asks, and how near
// ones, was chosen on the odd ones, so that the even ones judge it.
type half struct{ switched, worse float64 }

// worse is how much more error is worse.
const worse = 1.005

// decide does what the product would, for each version that might be live: with
// the gate open by predicted error, closed nothing; without a gate it proposes by
// distance.
// Whether a version fits is not asked.
func (s *switches) decide(m *measured, k *known, w window, p atlas.Prediction, errors []float64) {
	nearer := func(i, live int, factor float64) bool {
		return w.distance[k.versions[i]] <= factor*w.distance[k.versions[live]]
	}
	closest := m.closest(k, w)
	for live := range k.versions {
		choice := -1
		switch k.atlas.Gate {
		case atlas.Open:
			choice = p.Best(func(int) bool { return true })
			if !p.Better(live, choice) || !nearer(choice, live, registry.NearerFactor) {
				choice = -1
			}
		case atlas.NoGate:
			if nearer(closest, live, registry.BetterFactor) {
				choice = closest
			}
		}
		if live == closest && k.atlas.Gate == atlas.NoGate {
			continue
		}
		s.pairs++
		if choice < 0 {
			continue
		}
		s.switched++
		s.halves[w.block%2].switched++
		s.gain += 100 * (1 - errors[choice]/errors[live])
		if errors[choice] > worse*errors[live] {
			s.worse++
			s.halves[w.block%2].worse++
		}
	}
}

package main

import (
	"io"
	"slices"

	"github.com/leeway-dev/leeway/registry/atlas"
)

// scope is what a registry holds when a window of block b comes: candidates are
// versions by block, and with retrained also those of all blocks up to one.
type scope struct {
	name      string
	from      int // the first block with a window
	retrained bool
	block     func(v, b int) bool
}

var scopes = []scope{
	{"R", 0, false, func(int, int) bool { return true }},
	{"N", 0, false, func(v, b int) bool { return v != b }},
	{"P", 3, false, func(v, b int) bool { return v < b }},
	{"C+X", 3, true, func(v, b int) bool { return v <= b }},
	{"P+X", 3, true, func(v, b int) bool { return v < b }},
}

func (s scope) candidate(v, b, blocks int) bool {
	if v < blocks {
		return s.block(v, b)
	}
	return s.retrained && v > blocks && s.block(v-blocks, b)
}

// measured is a target with the models trained and what they predict.
type measured struct {
	*split
	target    int
	predicted [][]float64 // by version, by row
	error     [][]float64 // by version and block, on the rows held out
}

func measure(p *split, t int) *measured {
	m := &measured{split: p, target: t}
	for v := range 2 * p.blocks {
		one := train(p.stream, p.trainingRows(v), t)
		said := make([]float64, len(p.rows))
		for b := range p.blocks {
			for _, list := range [][]int{p.test[b], p.held[b]} {
				for _, i := range list {
					said[i] = one.predict(&p.rows[i])
				}
			}
		}
		m.predicted = append(m.predicted, said)
		var errors []float64
		for b := range p.blocks {
			errors = append(errors, m.judge(v, p.held[b]))
		}
		m.error = append(m.error, errors)
	}
	return m
}

func (m *measured) judge(v int, rows []int) float64 {
	return judge(m.targets[m.target].loss, m.predicted[v], m.rows, m.target, rows)
}

// known is the atlas of a scope when a window of block b comes.
type known struct {
	atlas, plain *atlas.Atlas
	versions     []int // those of the table
	datasets     []int
}

func (m *measured) learn(s scope, b int) (*known, error) {
	k := &known{}
	for v := range 2 * m.blocks {
		if s.candidate(v, b, m.blocks) {
			k.versions = append(k.versions, v)
		}
		if v < m.blocks && s.block(v, b) {
			k.datasets = append(k.datasets, v)
		}
	}
	var t, plain atlas.Table
	for _, v := range k.versions {
		var errors []float64
		var trained []bool
		for _, j := range k.datasets {
			errors = append(errors, m.error[v][j])
			trained = append(trained, j == v || v >= m.blocks && j <= v-m.blocks)
		}
		t.Error, t.Trained = append(t.Error, errors), append(t.Trained, trained)
	}
	for _, j := range k.datasets {
		var apart []float64
		for _, other := range k.datasets {
			apart = append(apart, m.apart[j][other])
		}
		t.Apart = append(t.Apart, apart)
		plain.Apart = append(plain.Apart, make([]float64, len(k.datasets)))
	}
	plain.Error, plain.Trained = t.Error, t.Trained
	var err error
	if k.atlas, err = atlas.Fit(t); err != nil {
		return nil, err
	}
	k.plain, err = atlas.Fit(plain) // all data sets alike: the best on average
	return k, err
}

// study prints the regrets of every target and split of a stream, and adds what
// the rule did to the goals.
func study(out io.Writer, s *stream, g *goals) error {
	for t, target := range s.targets {
		results := map[string]*regrets{}
		for _, name := range []string{"half", "even-odd"} {
			p, err := newSplit(s, name)
			if err != nil {
				return err
			}
			if err := measure(p, t).all(results); err != nil {
				return err
			}
		}
		s.print(out, target.name, results)
		g.add(s.name+" "+target.name, results)
	}
	return nil
}

func (m *measured) all(results map[string]*regrets) error {
	for _, s := range scopes {
		for b := s.from; b < m.blocks; b++ {
			k, err := m.learn(s, b)
			if err != nil {
				return err
			}
			for _, w := range m.windows {
				if w.block != b {
					continue
				}
				key := s.name + " " + w.kind + " " + m.name
				if results[key] == nil {
					results[key] = newRegrets(m.blocks)
				}
				if err := m.window(results[key], s, k, w); err != nil {
					return err
				}
			}
			for _, kind := range []string{"s", "d", "L"} {
				if r := results[s.name+" "+kind+" "+m.name]; r != nil {
					r.decided(k).state(k.atlas)
				}
			}
		}
	}
	return nil
}

func (s *switches) state(a *atlas.Atlas) {
	if s.gates == nil {
		s.gates = map[atlas.Gate]int{}
	}
	s.gates[a.Gate]++
	s.r2 = append(s.r2, a.R2)
}

// window lets every rule choose, and judges it.
func (m *measured) window(r *regrets, s scope, k *known, w window) error {
	errors, labels := make([]float64, len(k.versions)), make([]float64, len(k.versions))
	for i, v := range k.versions {
		errors[i], labels[i] = m.judge(v, w.judged), max(m.judge(v, w.rows), 1e-9)
	}
	best := slices.Min(errors)
	regret := func(e float64) float64 { return 100 * (e/best - 1) }
	for _, e := range errors {
		r.add("stay with any, random", w.block, regret(e))
	}
	if i := slices.Index(k.versions, w.block-1); i >= 0 {
		r.add("newest", w.block, regret(errors[i]))
	}
	r.add("closest", w.block, regret(errors[m.closest(k, w)]))
	near := make([]float64, len(k.datasets))
	for i, j := range k.datasets {
		near[i] = w.distance[j]
	}
	shipped, err := k.atlas.Predict(near, nil)
	if err != nil {
		return err
	}
	plain, err := k.plain.Predict(make([]float64, len(near)), nil)
	if err != nil {
		return err
	}
	blended, err := k.atlas.Predict(near, &atlas.Labels{Rows: int64(len(w.rows)), Span: atlas.MinSpan, Error: labels})
	if err != nil {
		return err
	}
	all := func(int) bool { return true }
	for _, p := range []struct {
		name string
		at   int
	}{
		{"best on average", plain.Best(all)}, {"atlas", shipped.Best(all)}, {"labels and atlas", blended.Best(all)},
		{"labels of the window", slices.Index(labels, slices.Min(labels))},
	} {
		if p.at >= 0 {
			r.add(p.name, w.block, regret(errors[p.at]))
		}
	}
	if w.block > 0 {
		r.add("all past", w.block, regret(m.judge(m.blocks+w.block-1, w.judged)))
	}
	r.add("retrain now", w.block, regret(m.judge(m.blocks+w.block, w.judged)))
	r.decided(k).decide(m, k, w, shipped, errors)
	return nil
}

func (m *measured) closest(k *known, w window) int {
	at := 0
	for i, v := range k.versions {
		if w.distance[v] <= w.distance[k.versions[at]] {
			at = i
		}
	}
	return at
}

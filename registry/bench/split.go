package main

import (
	"math/rand/v2"

	"github.com/leeway-dev/leeway/registry/profile"
)

// mostRows is what a version that is trained on several blocks gets at most.
const mostRows = 40_000

// split is a stream with the rows of each block told apart. Rows are indices
// into the stream's.
type split struct {
	*stream
	name              string
	train, held, test [][]int // by block
	// versions: first one a block, then one for the blocks up to each.
	profiles []*profile.Profile
	apart    [][]float64 // of the blocks: what atlas.Table wants
	windows  []window
}

// window is rows of a block without labels, and those that a choice is judged by.
type window struct {
	block       int
	kind        string // s, d or L
	rows        []int
	judged      []int
	distance    []float64 // from each version's training rows
	description *profile.Profile
}

// newSplit trains on the first half of each block's days, or on every second.
// Every fifth day of those is held out for the table of errors.
func newSplit(s *stream, name string) (*split, error) {
	p := parts(s, name)
	return p, p.compare()
}

func parts(s *stream, name string) *split {
	p := &split{stream: s, name: name, train: make([][]int, s.blocks), held: make([][]int, s.blocks), test: make([][]int, s.blocks)}
	days := make([]int, s.blocks)
	for _, r := range s.rows {
		days[r.block] = max(days[r.block], r.day+1)
	}
	for i, r := range s.rows {
		training, nth := r.day < days[r.block]/2, r.day
		if name == "even-odd" {
			training, nth = r.day%2 == 0, r.day/2
		}
		switch {
		case !training:
			p.test[r.block] = append(p.test[r.block], i)
		case nth%5 == 4:
			p.held[r.block] = append(p.held[r.block], i)
		default:
			p.train[r.block] = append(p.train[r.block], i)
		}
	}
	for b := range s.blocks {
		p.cut(b)
	}
	return p
}

// trainingRows of a version.
func (p *split) trainingRows(v int) []row {
	from, to := v, v
	if v >= p.blocks {
		from, to = 0, v-p.blocks
	}
	var all []int
	for b := from; b <= to; b++ {
		all = append(all, p.train[b]...)
	}
	if len(all) > mostRows {
		r := rand.New(rand.NewPCG(uint64(v), 40))
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:mostRows]
	}
	return p.pick(all)
}

// cut makes the windows of a block: shuffled rows, single days that are judged by
// the next three, and ten days that are judged by what is left.
func (p *split) cut(b int) {
	test := p.test[b]
	r := rand.New(rand.NewPCG(uint64(b), 7))
	for range 12 {
		at := r.Perm(len(test))
		w := window{block: b, kind: "s", judged: test}
		for _, k := range at[:min(p.shuffled, len(at))] {
			w.rows = append(w.rows, test[k])
		}
		p.windows = append(p.windows, w)
	}
	var days [][]int
	for _, k := range test {
		if len(days) == 0 || p.rows[days[len(days)-1][0]].day != p.rows[k].day {
			days = append(days, nil)
		}
		days[len(days)-1] = append(days[len(days)-1], k)
	}
	join := func(list [][]int) (out []int) {
		for _, d := range list {
			out = append(out, d...)
		}
		return out
	}
	for d := 0; d+4 <= len(days); d++ {
		p.windows = append(p.windows, window{block: b, kind: "d", rows: days[d], judged: join(days[d+1 : d+4])})
	}
	for d := 0; d+13 <= len(days); d++ {
		p.windows = append(p.windows, window{block: b, kind: "L", rows: join(days[d : d+10]), judged: join(days[d+10 : d+13])})
	}
}

// compare profiles everything and measures the distances.
func (p *split) compare() error {
	for v := range 2 * p.blocks {
		one, err := p.describe(p.trainingRows(v))
		if err != nil {
			return err
		}
		p.profiles = append(p.profiles, one)
	}
	for j := range p.blocks {
		row := make([]float64, p.blocks)
		for k := range p.blocks {
			d, err := profile.Compare(p.profiles[j], p.profiles[k])
			if err != nil {
				return err
			}
			row[k] = d.Mean
		}
		p.apart = append(p.apart, row)
	}
	for i := range p.windows {
		w := &p.windows[i]
		var err error
		if w.description, err = p.describe(p.pick(w.rows)); err != nil {
			return err
		}
		for _, one := range p.profiles {
			d, err := profile.Compare(one, w.description)
			if err != nil {
				return err
			}
			w.distance = append(w.distance, d.Mean)
		}
	}
	return nil
}

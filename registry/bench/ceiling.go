package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/leeway-dev/leeway/registry/profile"
)

// What the table of ceilings looks at.
const (
	ceilingLength = 10 * day
	ceilingStep   = 2 // days from one block of the training rows to the next
)

// ceiling says how well windows of ten days of a version's own regime can be told
// from those of another at all: by other statistics of the same distances, and by
// a classifier that was trained on rows of both regimes, which no registry has of
// a regime that is new.
func ceiling(out io.Writer, s *stream) error {
	for _, g := range s.groups() {
		var names []string
		var all []excess
		for _, t := range g.trials {
			if len(t.novel[ceilingLength]) == 0 || len(t.own[ceilingLength]) == 0 {
				continue
			}
			c, ok, err := s.newContest(t)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			tests, err := c.tests()
			if err != nil {
				return err
			}
			for i, test := range tests {
				if len(all) <= i {
					names, all = append(names, test.name), append(all, excess{})
				}
				if err := all[i].add(c, test); err != nil {
					return err
				}
			}
		}
		if len(all) == 0 {
			continue
		}
		fmt.Fprintf(out, "\n### %s, %s: windows of 10 days, own and novel told apart, in %%\n\n", s.name, g.name)
		fmt.Fprintf(out, "| test | own that fit | novel refused | novel refused, the threshold set so that 95 %% of own fit | that by version | novel above own |\n| --- | --- | --- | --- | --- | --- |\n")
		for i := range all {
			fmt.Fprintf(out, "| %s | %s |\n", names[i], all[i])
		}
	}
	return nil
}

// test gives a window a number: above 0 it is refused.
type test struct {
	name   string
	refuse func(rows []int) (float64, error)
}

// excess are the numbers of the windows of all versions, those of novel ones by
// version as well.
type excess struct {
	own, novel []float64
	versions   [][]float64
}

func (e *excess) add(c *contest, t test) error {
	for _, side := range []struct {
		windows [][]int
		into    *[]float64
	}{{c.trial.own[ceilingLength], &e.own}, {c.trial.novel[ceilingLength], &e.novel}} {
		for _, rows := range side.windows {
			x, err := t.refuse(rows)
			if err != nil {
				return err
			}
			*side.into = append(*side.into, x)
		}
	}
	e.versions = append(e.versions, e.novel[len(e.novel)-len(c.trial.novel[ceilingLength]):])
	return nil
}

// String has the shares, and the probability that a novel window is refused by a
// threshold that lets an own one pass (the area under the curve).
func (e excess) String() string {
	above := func(list []float64, limit float64) float64 {
		n := 0.0
		for _, x := range list {
			if x > limit {
				n++
			}
		}
		return n / float64(len(list))
	}
	area := 0.0
	for _, x := range e.own {
		area += above(e.novel, x) / float64(len(e.own))
	}
	limit := share(e.own, 0.95)
	versions := make([]string, len(e.versions))
	for i, list := range e.versions {
		versions[i] = fmt.Sprintf("%.0f", 100*above(list, limit))
	}
	return fmt.Sprintf("%.1f | %.1f | %.1f | %s | %.1f", 100*(1-above(e.own, 0)), 100*above(e.novel, 0), 100*above(e.novel, limit), strings.Join(versions, ", "), 100*area)
}

// share is the least value that so many are at or below.
func share(list []float64, q float64) float64 {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[int(math.Ceil(q*float64(len(list))))-1]
}

// contest is one version with blocks of its training rows.
type contest struct {
	*stream
	trial     trial
	profile   *profile.Profile
	binners   []*profile.Binner
	tolerance profile.Tolerance
	blocks    []block
}

type block struct {
	from, to int64 // days
	rows     *profile.Profile
	apart    []float64 // by column, from the rest of the training rows
}

func (s *stream) newContest(t trial) (c *contest, ok bool, err error) {
	c = &contest{stream: s, trial: t}
	if c.profile, c.binners, err = s.timed(s.pick(t.train)); err != nil {
		return nil, false, err
	}
	var refs profile.References
	ref, err := refs.Add(c.profile)
	if err != nil {
		return nil, false, err
	}
	if c.tolerance, ok = ref.Tolerance(ceilingLength); !ok {
		return nil, false, nil
	}
	return c, true, c.cut()
}

// cut makes the blocks, with what lies in them and in the rest.
func (c *contest) cut() error {
	dayOf := func(i int) int64 { return c.rows[i].at.Unix() / int64(day.Seconds()) }
	length := int64(ceilingLength / day)
	first, last := dayOf(c.trial.train[0]), int64(0)
	for _, i := range c.trial.train {
		first, last = min(first, dayOf(i)), max(last, dayOf(i))
	}
	for from := first; from+length-1 <= last; from += ceilingStep {
		var in, rest []int
		for _, i := range c.trial.train {
			if d := dayOf(i); from <= d && d < from+length {
				in = append(in, i)
			} else {
				rest = append(rest, i)
			}
		}
		if len(in) < 100 || len(in) > len(rest) {
			continue
		}
		b := block{from: from, to: from + length, rows: c.count(in)}
		var err error
		if b.apart, err = columns(c.count(rest), b.rows); err != nil {
			return err
		}
		c.blocks = append(c.blocks, b)
	}
	return nil
}

// count is the version's profile with other rows in its bins.
func (c *contest) count(rows []int) *profile.Profile {
	p := &profile.Profile{Rows: int64(len(rows)), Features: slices.Clone(c.profile.Features)}
	for i := range p.Features {
		p.Features[i].Rows, p.Features[i].Bins = p.Rows, slices.Clone(p.Features[i].Bins)
		for k := range p.Features[i].Bins {
			p.Features[i].Bins[k].Count = 0
		}
	}
	bins := make([]uint8, len(c.binners))
	for _, i := range rows {
		c.bin(c.binners, &c.rows[i], bins)
		for k, b := range bins {
			p.Features[k].Bins[b].Count++
		}
	}
	return p
}

func columns(a, b *profile.Profile) ([]float64, error) {
	d, err := profile.Compare(a, b)
	out := make([]float64, len(d.Columns))
	for i := range d.Columns {
		out[i] = d.Columns[i].Distance
	}
	return out, err
}

// knowing is a classifier of rows of both regimes, of the time of the training
// rows; a window is refused by the mean of its rows' log odds.
func (c *contest) knowing() test {
	s := *c.stream
	s.targets = []target{{"novel", logarithmic}}
	var rows []row
	for novel, list := range [][]int{c.trial.train, c.trial.seen} {
		list = slices.Clone(list)
		rand.New(rand.NewPCG(uint64(novel), 3)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for _, r := range c.pick(list[:min(len(list), mostRows/2)]) {
			r.y = []float64{float64(novel)}
			rows = append(rows, r)
		}
	}
	m := train(&s, rows, 0)
	return test{"a classifier that knows both regimes", func(rows []int) (float64, error) {
		sum := 0.0
		for _, i := range rows {
			p := min(max(m.predict(&c.rows[i]), 1e-4), 1-1e-4)
			sum += math.Log(p / (1 - p))
		}
		return sum / float64(len(rows)), nil
	}}
}

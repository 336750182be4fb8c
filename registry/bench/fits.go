package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
)

const day = 24 * time.Hour

// trial is a version with windows of its own regime that came after its training
// rows, and windows of a regime that it never saw. Rows are indices.
type trial struct {
	train      []int
	own, novel map[time.Duration][][]int
}

var lengths = []time.Duration{day, 10 * day, 30 * day}

// fits says how often a version fits windows of its own regime, and how often it
// is refused for others, within the tolerance that blocks of its training rows
// give for a window of that length.
func fits(out io.Writer, s *stream) error {
	for _, g := range s.groups() {
		fmt.Fprintf(out, "\n### %s, %s: windows that fit, in %%\n\n| window | own regime, later; by the mean alone | novel regime; by the mean alone | distance own, median | novel, median | tolerance, median | versions without a tolerance |\n| --- | --- | --- | --- | --- | --- | --- |\n", s.name, g.name)
		for _, length := range lengths {
			var own, novel tally
			var tolerances []float64
			unknown := 0
			for _, t := range g.trials {
				ok, err := s.try(t, length, &own, &novel, &tolerances)
				if err != nil {
					return err
				}
				if !ok {
					unknown++
				}
			}
			fmt.Fprintf(out, "| %.0f d | %s | %s | %s | %s | %s | %d of %d |\n", length.Hours()/24, own, novel,
				median(own.distances), median(novel.distances), median(tolerances), unknown, len(g.trials))
			if len(own.refused) > 0 {
				fmt.Fprintf(os.Stderr, "%s, %.0f d: own windows that a column alone refused: %v\n", s.name, length.Hours()/24, own.refused)
			}
		}
	}
	return nil
}

// tally counts windows, and means over versions, since windows of one version
// are alike.
type tally struct {
	windows, fit float64
	byVersion    []float64
	distances    []float64
	byMean       float64        // windows whose mean is within its tolerance
	refused      map[string]int // windows that a column alone refuses, by column
}

// String is the share that fits, with the standard error over the versions.
func (t tally) String() string {
	if t.windows == 0 {
		return "-"
	}
	_, se, ok := moments(t.byVersion)
	if !ok {
		return fmt.Sprintf("%.0f of %.0f; %.0f", t.fit, t.windows, t.byMean)
	}
	return fmt.Sprintf("%.1f (%.1f) of %.0f; %.1f", 100*t.fit/t.windows, 100*se, t.windows, 100*t.byMean/t.windows)
}

func median(xs []float64) string {
	if len(xs) == 0 {
		return "-"
	}
	slices.Sort(xs)
	return fmt.Sprintf("%.3f", xs[len(xs)/2])
}

func (s *stream) try(t trial, length time.Duration, own, novel *tally, tolerances *[]float64) (bool, error) {
	p, err := s.timed(s.pick(t.train))
	if err != nil {
		return false, err
	}
	var refs profile.References
	ref, err := refs.Add(p)
	if err != nil {
		return false, err
	}
	tolerance, ok := ref.Tolerance(length)
	if !ok {
		return false, nil
	}
	*tolerances = append(*tolerances, tolerance.Mean)
	for _, side := range []struct {
		windows [][]int
		into    *tally
	}{{t.own[length], own}, {t.novel[length], novel}} {
		n, fit := 0.0, 0.0
		for _, rows := range side.windows {
			w, err := s.describe(s.pick(rows))
			if err != nil {
				return false, err
			}
			data, err := refs.Data(w)
			if err != nil {
				return false, err
			}
			c := data.Compare([]*profile.Reference{ref}, length)[0]
			if c.Err != nil {
				return false, c.Err
			}
			n++
			if c.Mean.Distance <= tolerance.Mean {
				side.into.byMean++
				if outside := columnsOutside(c, tolerance); len(outside) == 0 {
					fit++
				} else {
					side.into.blame(s, outside)
				}
			}
			side.into.distances = append(side.into.distances, c.Mean.Distance)
		}
		side.into.windows, side.into.fit = side.into.windows+n, side.into.fit+fit
		if n > 0 {
			side.into.byVersion = append(side.into.byVersion, fit/n)
		}
	}
	return true, nil
}

// columnsOutside are the columns that are further than their tolerance.
func columnsOutside(c profile.Comparison, t profile.Tolerance) (out []int) {
	for i, column := range c.Columns {
		if column.Distance > t.Columns[i] {
			out = append(out, i)
		}
	}
	return out
}

func (t *tally) blame(s *stream, columns []int) {
	if t.refused == nil {
		t.refused = map[string]int{}
	}
	for _, i := range columns {
		t.refused[s.columns[i].name]++
	}
}

// timed is a profile that knows its rows' time.
func (s *stream) timed(rows []row) (*profile.Profile, error) {
	p, err := s.describe(rows)
	if err != nil {
		return nil, err
	}
	var binners []*profile.Binner
	for _, c := range p.Features {
		b, err := profile.NewBinner(c)
		if err != nil {
			return nil, err
		}
		binners = append(binners, b)
	}
	blocks := profile.NewBlocks(p)
	bins := make([]uint8, len(binners))
	for _, r := range rows {
		for i, b := range binners {
			switch x := r.x[i]; {
			case x != x:
				bins[i] = uint8(b.Missing())
			case s.columns[i].categories != nil:
				bins[i] = uint8(b.Category(s.columns[i].categories[int(x)]))
			default:
				bins[i] = uint8(b.Number(x))
			}
		}
		blocks.Add(r.at, bins)
	}
	blocks.Apply(p)
	return p, nil
}

func (s *stream) pick(at []int) []row {
	out := make([]row, len(at))
	for i, k := range at {
		out[i] = s.rows[k]
	}
	return out
}

// group is trials of one kind.
type group struct {
	name   string
	trials []trial
}

// groups of a stream. Where regimes are known: trained on the first eight blocks
// of a regime, judged on those after. Bikes: trained on three months of the
// first year, judged on the same months of the second, and on those opposite; or
// trained on all of the first year, which leaves nothing novel. Flights: there is
// one year, so trained on the first half of one month or of three and judged on
// the second half of the same, and on those half a year away.
func (s *stream) groups() []group {
	switch {
	case s.regimes != nil:
		return []group{{"trained on eight months of a regime", s.regimeTrials()}}
	case s.blocks == 24:
		year := make([]int, 12)
		for b := range year {
			year[b] = b
		}
		return []group{
			{"trained on three months of 2011, own: the same months of 2012", s.seasonTrials(3, 12, 12, 31, 0)},
			{"trained on 2011, own: 2012", []trial{s.trial(year, add(year, 12), nil, 31, 0)}},
		}
	}
	return []group{
		{"trained on half a month, own: the other half", s.seasonTrials(1, 12, 0, 15, 15)},
		{"trained on the first halves of three months, own: the other halves", s.seasonTrials(3, 10, 0, 15, 15)},
	}
}

func (s *stream) regimeTrials() (out []trial) {
	for g := range 4 {
		var mine, others []int
		for b, regime := range s.regimes {
			if regime == g {
				mine = append(mine, b)
			}
		}
		for b := mine[7] + 1; b < s.blocks; b++ {
			if s.regimes[b] != g {
				others = append(others, b)
			}
		}
		out = append(out, s.trial(mine[:8], mine[8:], others, 31, 0))
	}
	return out
}

// seasonTrials train on so many months from each of the first ones; the windows
// are so many months later, and half a year from those.
func (s *stream) seasonTrials(span, begins, later, last, begin int) (out []trial) {
	for m := range begins {
		var train, novel []int
		for i := range span {
			train = append(train, (m+i)%12)
			novel = append(novel, later+(m+i+6)%12)
		}
		out = append(out, s.trial(train, add(train, later), novel, last, begin))
	}
	return out
}

func add(list []int, n int) []int {
	out := slices.Clone(list)
	for i := range out {
		out[i] += n
	}
	return out
}

// trial trains on the days before last of some blocks, and makes windows of the
// days from begin on of others. Where a block has less than 30 such days, a
// window of 30 is of two blocks.
func (s *stream) trial(train, own, novel []int, last, begin int) trial {
	days := s.days()
	t := trial{own: map[time.Duration][][]int{}, novel: map[time.Duration][][]int{}}
	for _, b := range train {
		for d := 0; d < min(last, len(days[b])); d++ {
			t.train = append(t.train, days[b][d]...)
		}
	}
	for _, side := range []struct {
		blocks []int
		into   map[time.Duration][][]int
	}{{own, t.own}, {novel, t.novel}} {
		for i, b := range side.blocks {
			here := days[b][min(begin, len(days[b])):]
			for _, rows := range here {
				side.into[day] = append(side.into[day], rows)
			}
			for d := 0; d+10 <= len(here); d += 5 {
				side.into[10*day] = append(side.into[10*day], slices.Concat(here[d:d+10]...))
			}
			if i+1 < len(side.blocks) && begin > 0 {
				here = append(slices.Clone(here), days[side.blocks[i+1]][begin:]...)
			}
			if len(here) >= 28 {
				side.into[30*day] = append(side.into[30*day], slices.Concat(here[:min(30, len(here))]...))
			}
		}
	}
	return t
}

// days are the rows of every day of every block; days without rows are left out.
func (s *stream) days() [][][]int {
	out := make([][][]int, s.blocks)
	last := ""
	for i, r := range s.rows {
		if at := strconv.Itoa(r.block) + " " + strconv.Itoa(r.day); at != last {
			out[r.block], last = append(out[r.block], nil), at
		}
		list := out[r.block]
		list[len(list)-1] = append(list[len(list)-1], i)
	}
	return out
}

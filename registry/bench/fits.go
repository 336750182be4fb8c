package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/leeway-dev/leeway/registry/profile"
)

const day = 24 * time.Hour

var lengths = []time.Duration{day, 10 * day, 30 * day}

// fits says how often a version fits windows of its own regime, and how often it
// is refused for others, within the tolerance that blocks of its training rows
// give for a window of that length, and adds that to the goals.
func fits(out io.Writer, s *stream, goal *goals) error {
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
			goal.addFits(s.name+", "+g.name, length, &own, &novel)
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
	p, _, err := s.timed(s.pick(t.train))
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
			c := data.CompareOne(ref, length)
			if c.Err != nil {
				return false, c.Err
			}
			n++
			if c.Mean.Distance <= tolerance.Mean {
				side.into.byMean++
				if outside := columnsOutside(c, tolerance.Column); len(outside) == 0 {
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
func columnsOutside(c profile.Comparison, tolerance func(i int) float64) (out []int) {
	for i, column := range c.Columns {
		if column.Distance > tolerance(i) {
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

// timed is a profile that knows its rows' time, and what puts rows into its bins.
func (s *stream) timed(rows []row) (*profile.Profile, []*profile.Binner, error) {
	p, err := s.describe(rows)
	if err != nil {
		return nil, nil, err
	}
	var binners []*profile.Binner
	for _, c := range p.Features {
		b, err := profile.NewBinner(c)
		if err != nil {
			return nil, nil, err
		}
		binners = append(binners, b)
	}
	blocks := profile.NewBlocks(p)
	bins := make([]uint8, len(binners))
	for i := range rows {
		s.bin(binners, &rows[i], bins)
		blocks.Add(rows[i].at, bins)
	}
	blocks.Apply(p)
	return p, binners, nil
}

// bin puts a row into bins.
func (s *stream) bin(binners []*profile.Binner, r *row, bins []uint8) {
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
}

func (s *stream) pick(at []int) []row {
	out := make([]row, len(at))
	for i, k := range at {
		out[i] = s.rows[k]
	}
	return out
}

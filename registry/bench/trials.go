package main

import (
	"slices"
	"strconv"
	"time"
)

// trial is a version with windows of its own regime that came after its training
// rows, and windows of a regime that it never saw. Rows are indices.
type trial struct {
	train      []int
	own, novel map[time.Duration][][]int
	// seen are rows of that regime from the time of the training rows: only the
	// ceiling knows them.
	seen []int
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
			{"trained on 2011, own: 2012", []trial{s.trial(year, add(year, 12), nil, nil, 31, 0)}},
		}
	}
	return []group{
		{"trained on half a month, own: the other half", s.seasonTrials(1, 12, 0, 15, 15)},
		{"trained on the first halves of three months, own: the other halves", s.seasonTrials(3, 10, 0, 15, 15)},
	}
}

func (s *stream) regimeTrials() (out []trial) {
	for g := range 4 {
		var mine, others, seen []int
		for b, regime := range s.regimes {
			if regime == g {
				mine = append(mine, b)
			}
		}
		for b, regime := range s.regimes {
			switch {
			case regime == g:
			case b < mine[7]:
				seen = append(seen, b)
			default:
				others = append(others, b)
			}
		}
		out = append(out, s.trial(mine[:8], mine[8:], others, seen, 31, 0))
	}
	return out
}

// seasonTrials train on so many months from each of the first ones; the windows
// are so many months later, and half a year from those.
func (s *stream) seasonTrials(span, begins, later, last, begin int) (out []trial) {
	for m := range begins {
		var train, opposite []int
		for i := range span {
			train = append(train, (m+i)%12)
			opposite = append(opposite, (m+i+6)%12)
		}
		out = append(out, s.trial(train, add(train, later), add(opposite, later), opposite, last, begin))
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
func (s *stream) trial(train, own, novel, seen []int, last, begin int) trial {
	days := s.days()
	t := trial{own: map[time.Duration][][]int{}, novel: map[time.Duration][][]int{}}
	for _, side := range []struct {
		blocks []int
		into   *[]int
	}{{train, &t.train}, {seen, &t.seen}} {
		for _, b := range side.blocks {
			for d := 0; d < min(last, len(days[b])); d++ {
				*side.into = append(*side.into, days[b][d]...)
			}
		}
	}
	for _, side := range []struct {
		blocks []int
		into   map[time.Duration][][]int
	}{{own, t.own}, {novel, t.novel}} {
		for i, b := range side.blocks {
			here := days[b][min(begin, len(days[b])):]
			side.into[day] = append(side.into[day], here...)
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

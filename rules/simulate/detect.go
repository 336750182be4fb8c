package simulate

import (
	"math"
	"time"
)

// ChangedRows are the rows of a column that were kept, rather than their counts: they
// come evenly, so many an hour, and some time among them there is a change.
type ChangedRows struct {
	Hourly float64
	// Bins are those of the rows, in order.
	Bins []int
	// Change is the first row after it.
	Change int
	// Past are the shares of the bins in all that came before the first row, of
	// which only counts are drawn.
	Past []float64
}

// Alarm is when a rung fires first: 0 where it does not.
type Alarm struct {
	// False is before the change, as time until it, True after.
	False, True time.Duration
}

// watched is the part of the time before a change in which alarms are looked
// for: there the counts are as fine as the evaluations.
const watched = hour

// Detect lets rows pass through the rules of the windows of a ladder, for a
// column of a model of so many. Rows are taken to be independent (clustering 1),
// and there is no last week.
func Detect(r Random, ladder []Clocked, c *Column, columns int, rows ChangedRows) []Alarm {
	p := &detection{Random: r, rows: rows, step: make([]float64, len(rows.Past))}
	out := make([]Alarm, len(ladder))
	verdicts := make([]*verdict, len(ladder))
	since := make([]time.Duration, len(ladder))
	longest := time.Duration(0)
	for i, k := range ladder {
		longest = max(longest, k.Window+watched)
		verdicts[i], since[i] = newVerdict(k.Rung, columns), math.MaxInt64
	}
	g := &grid{times: []time.Duration{-longest}, counts: [][]float64{make([]float64, len(rows.Past))}}
	now := make([]float64, len(rows.Past))
	end := p.at(len(rows.Bins))
	for at := -longest; at < end; {
		next := at + fineness(at)
		p.between(at, next)
		at = g.add(next, p.step)
		if at <= -watched {
			continue
		}
		for i, k := range ladder {
			if out[i].True > 0 || at%k.Step != 0 {
				continue
			}
			g.window(k.Window, now)
			if !verdicts[i].exceeds(c, now, independent) {
				since[i] = math.MaxInt64
				continue
			}
			since[i] = min(since[i], at)
			if at-since[i] < time.Duration(k.Hold)*k.Step {
				continue
			}
			if at <= 0 {
				out[i].False = max(out[i].False, -at, 1)
			} else {
				out[i].True = at
			}
		}
	}
	return out
}

// detection counts rows by time.
type detection struct {
	Random
	rows ChangedRows
	next int       // row
	step []float64 // counts
}

// at is when a row comes.
func (p *detection) at(row int) time.Duration {
	return time.Duration(float64(row-p.rows.Change) / p.rows.Hourly * float64(hour))
}

// between counts what comes from a time on until before another.
func (p *detection) between(from, to time.Duration) {
	clear(p.step)
	if known := min(p.at(0), to); known > from {
		for b, share := range p.rows.Past {
			p.step[b] = float64(p.Poisson((known - from).Hours() * p.rows.Hourly * share))
		}
	}
	for ; p.next < len(p.rows.Bins) && p.at(p.next) < to; p.next++ {
		p.step[p.rows.Bins[p.next]]++
	}
}

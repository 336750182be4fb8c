package profile

import (
	"math"
	"time"
)

// Blocks counts training rows by their time. From that come how far parts of
// them lie from the rest, and how clustered they are: a live window is not a
// random sample of rows, but the rows of some hours or days.
//
// The same rows give the same result, in whatever order they are added and
// however they are divided between several Blocks that are merged. Memory is
// bounded by 64 MiB, whatever the span of time: where rows of 50 columns come
// from more than about 5,000 hours, or days, some of these are sampled by their
// index. It is not safe for concurrent use.
type Blocks struct {
	offsets  []int // where each column's bins begin in a cell; the last is their number
	from, to time.Time
	some     bool
	hours    *timeline
	days     *timeline // of the rows that are not in hours

	// The cell of the row before, for rows come mostly in order of time.
	hour int64
	here *timeCell
}

const (
	hourSeconds = 3600
	dayHours    = 24
	noHour      = math.MinInt64 // the index of no hour
)

// NewBlocks makes one for the rows that a profile describes, whose bins are
// final.
func NewBlocks(p *Profile) *Blocks {
	b := &Blocks{hour: noHour}
	width := 0
	for _, list := range [][]Column{p.Features, p.Predictions} {
		for i := range list {
			b.offsets = append(b.offsets, width)
			width += len(list[i].Bins)
		}
	}
	b.offsets = append(b.offsets, width)
	b.hours = newTimeline(hourSeconds, hourGroup, width)
	b.days = newTimeline(hourSeconds*dayHours, dayGroup, width)
	b.hours.letGo = b.toDay
	return b
}

// Add counts a row: its time, and for each feature and then each prediction the
// index of its bin in Column.Bins. The slice is not kept.
func (b *Blocks) Add(t time.Time, bins []uint8) {
	b.span(t, t)
	if hour := floorDiv(t.Unix(), hourSeconds); hour != b.hour {
		b.hour, b.here = hour, b.find(hour)
	}
	if b.here == nil {
		return
	}
	b.here.rows++
	counts, offsets := b.here.counts, b.offsets[:len(bins)]
	for i, bin := range bins {
		counts[offsets[i]+int(bin)]++
	}
}

func (b *Blocks) span(from, to time.Time) {
	if !b.some {
		b.from, b.to, b.some = from, to, true
		return
	}
	if from.Before(b.from) {
		b.from = from
	}
	if to.After(b.to) {
		b.to = to
	}
}

// find is the cell that counts the rows of an hour: the hour's, else that of
// its day where the hour is not in the sample, else nil.
func (b *Blocks) find(hour int64) *timeCell {
	if c := b.hours.at(hour); c != nil {
		return c
	}
	return b.days.at(floorDiv(hour, dayHours))
}

func (b *Blocks) toDay(hour int64, c *timeCell) {
	if into := b.days.at(floorDiv(hour, dayHours)); into != nil {
		into.add(c)
	}
}

// Merge adds the rows of another, which was made for the same profile and stays
// as it is.
func (b *Blocks) Merge(o *Blocks) {
	if !o.some {
		return
	}
	b.span(o.from, o.to)
	b.hour, b.here = noHour, nil
	b.hours.merge(o.hours)
	b.days.merge(o.days)
}

// allDays are the days of all rows.
func (b *Blocks) allDays() *timeline {
	l := newTimeline(b.days.length, b.days.size, b.days.width)
	l.merge(b.days)
	b.hours.each(func(hour int64, c *timeCell) {
		if into := l.at(floorDiv(hour, dayHours)); into != nil {
			into.add(c)
		}
	})
	return l
}

package profile

import "time"

// Slices are fine at first, and are merged into coarser ones as they age. Each
// coarser width begins at a boundary of its own, so slices never overlap.
const (
	fine      = 5 * time.Second
	minutes   = time.Minute
	quarters  = 15 * time.Minute
	keepFine  = time.Minute
	lateRead  = 15 * time.Second // more for who asked Boundary and reads a moment later, or by another clock
	keepMins  = time.Hour
	retention = 24 * time.Hour
)

// slice holds what was counted from start for a width.
type slice struct {
	start time.Time
	width time.Duration
	rows  int64
	parts []packed // in the order of Recorder.all
}

func (s *slice) end() time.Time { return s.start.Add(s.width) }

// ended is a slice as it was counted.
type ended struct {
	start time.Time
	width time.Duration
	rows  int64
	parts []part
}

// maxEnded is how many slices may wait for Tidy: each takes as much memory as
// the open one.
const maxEnded = 3

// pack makes a slice of e, if it has counted anything.
func (e *ended) pack() (slice, bool) {
	s := slice{start: e.start, width: e.width, rows: e.rows}
	counted := e.rows > 0
	for i := range e.parts {
		p := e.parts[i].pack()
		s.parts = append(s.parts, p)
		counted = counted || p.rows > 0
	}
	return s, counted
}

// open is the slice that is being counted.
func (r *Recorder) open() *ended {
	e := &ended{start: r.start, width: r.width, rows: r.rows}
	for _, s := range r.all() {
		e.parts = append(e.parts, s.open)
	}
	return e
}

// advance puts the open slice aside and begins another.
func (r *Recorder) advance(start time.Time) {
	r.ended = append(r.ended, *r.open())
	for _, s := range r.all() {
		s.open = part{bins: make([]int64, len(s.open.bins)), numbers: s.spare, room: r.names}
		if s.spare = nil; s.open.numbers == nil {
			s.open.numbers = &filler{tight: r.names != nil}
		}
		s.open.numbers.scratch = &r.scratch
	}
	if r.names != nil {
		*r.names = r.allowed
	}
	r.rows, r.start = 0, start
}

// Tidy packs what has ended and lets old slices age. It takes milliseconds, and
// holds up who reads profiles, not who counts.
func (r *Recorder) Tidy() {
	r.aging.Lock()
	defer r.aging.Unlock()
	r.tidy()
}

func (r *Recorder) tidy() {
	r.mu.Lock()
	list, closed, start := r.ended, r.closed, r.start
	r.mu.Unlock()
	if len(list) == 0 {
		return
	}
	for i := range list {
		for _, p := range list[i].parts {
			p.numbers.scratch = &r.packing
		}
		if s, ok := list[i].pack(); ok {
			closed = append(closed, s)
		}
	}
	closed, young := coarsen(closed, minutes, start.Add(-keepFine-lateRead))
	closed, old := coarsen(closed, quarters, start.Add(-keepMins).Truncate(quarters))
	for len(closed) > 0 && !closed[0].end().After(start.Add(-retention)) {
		closed = closed[1:]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = closed
	r.folded += young + old
	r.ended = append([]ended(nil), r.ended[len(list):]...)
	if r.names != nil {
		return // a learner's next slice begins tomorrow
	}
	for i, s := range r.all() {
		s.spare = list[0].parts[i].numbers
		s.spare.reset()
	}
}

// coarsen merges slices that began before a time into slices of a width, the
// last of which may grow to that later. It also returns how many rows of
// categories lost their names by that.
func coarsen(list []slice, width time.Duration, before time.Time) (out []slice, folded int64) {
	for len(list) > 0 {
		s := list[0]
		if s.width >= width || !s.start.Before(before) {
			out = append(out, s)
			list = list[1:]
			continue
		}
		start, n := s.start.Truncate(width), 1
		for n < len(list) && list[n].width < width && list[n].start.Before(before) && list[n].start.Truncate(width).Equal(start) {
			n++
		}
		joined, lost := join(list[:n], start)
		out, folded = append(out, joined), folded+lost
		list = list[n:]
	}
	return out, folded
}

// join merges slices into one from start to their end. Categories whose names
// there is no room for are folded.
func join(list []slice, start time.Time) (joined slice, folded int64) {
	joined = slice{start: start, width: list[len(list)-1].end().Sub(start)}
	for _, s := range list {
		joined.rows += s.rows
	}
	if len(list) == 1 {
		joined.parts = list[0].parts
		return joined, 0
	}
	numbers := new(filler)
	for i := range list[0].parts {
		m := sum(list, i, numbers)
		p := m.pack()
		joined.parts = append(joined.parts, p)
		folded += p.folded - m.folded
	}
	return joined, folded
}

// sum adds up the i-th part of slices. Those from before a column was learned
// lack it. It is done with once the next is asked for with the same sketch.
func sum(list []slice, i int, numbers *filler) *merger {
	numbers.reset()
	m := &merger{empty: numbers}
	for _, s := range list {
		if i < len(s.parts) {
			m.addPacked(s.parts[i])
		}
	}
	return m
}

// Boundary is the first time at or after from at which a slice begins, as seen
// at now: a live profile from there on holds no row from before.
func Boundary(from, now time.Time) time.Time {
	size := quarters
	switch age := now.Sub(from); {
	case age < keepFine:
		size = fine
	case age < keepMins:
		size = minutes
	}
	if t := from.Truncate(size); t.Before(from) {
		return t.Add(size)
	}
	return from
}

// Profile describes the rows from a time up to another, rounded outward to slices; From and To
// say to what, within the time that the recorder has seen. It takes the lock
// itself, and holds it only to copy the open slice.
func (r *Recorder) Profile(from, to time.Time) *Profile {
	if !to.After(from) {
		to = from.Add(1) // the slice that holds this instant
	}
	seen := r.overlap(from, to)

	p := &Profile{Format: Format}
	from, to = bounds(seen.slices, from, to, seen.begun, seen.latest)
	p.From, p.To = utc(&from), utc(&to)
	for _, s := range seen.slices {
		p.Rows += s.rows
	}
	numbers := new(filler)
	for i, series := range seen.series {
		c := sum(seen.slices, i, numbers).column(&series.definition)
		p.Rows = max(p.Rows, c.Rows)
		if i < seen.features {
			p.Features = append(p.Features, c)
		} else {
			p.Predictions = append(p.Predictions, c)
		}
	}
	return p
}

// overlap is what a recorder has of some time.
type overlap struct {
	slices        []slice
	series        []*Series // those of a learner grow
	features      int       // of series
	begun, latest time.Time // when the first and the last row were seen
}

// overlap lists the slices that a time overlaps.
func (r *Recorder) overlap(from, to time.Time) overlap {
	r.aging.Lock()
	defer r.aging.Unlock()
	r.tidy() // most of it without the lock
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := overlap{series: r.all(), features: len(r.features), begun: r.begun, latest: r.latest}
	add := func(s slice) {
		if s.start.Before(to) && s.end().After(from) {
			seen.slices = append(seen.slices, s)
		}
	}
	for _, s := range r.closed {
		add(s)
	}
	for _, e := range append(r.ended[:len(r.ended):len(r.ended)], *r.open()) {
		if s, ok := e.pack(); ok {
			add(s)
		}
	}
	return seen
}

// bounds is the time that slices hold: from the wanted times outward to the
// slices that these fall into, but not before the first row, nor after the
// last one unless that was wanted.
func bounds(list []slice, from, to, begun, latest time.Time) (time.Time, time.Time) {
	if len(list) > 0 {
		if first := list[0].start; first.Before(from) {
			from = first
		}
		if last := list[len(list)-1].end(); last.After(to) {
			if latest.Before(last) {
				last = latest
			}
			to = *later(&to, &last)
		}
	}
	if from.Before(begun) {
		from = begun
	}
	if to.Before(from) {
		to = from // nothing was seen by then
	}
	return from, to
}

package profile

import "time"

// Slices are fine at first, and are merged into coarser ones as they age. Each
// coarser width begins at a boundary of its own, so slices never overlap.
const (
	fine      = 5 * time.Second
	minutes   = time.Minute
	quarters  = 15 * time.Minute
	keepFine  = time.Minute
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

// advance closes the open slice, begins another, and lets old ones age.
func (r *Recorder) advance(start time.Time) {
	if s, ok := r.snapshot(); ok {
		r.closed = append(r.closed, s)
	}
	for _, s := range r.all() {
		s.open = part{bins: make([]int64, len(s.open.bins)), room: r.names}
		s.numbers.reset()
	}
	if r.names != nil {
		*r.names = r.allowed
	}
	r.rows, r.start = 0, start
	r.closed = coarsen(r.closed, minutes, start.Add(-keepFine).Truncate(minutes))
	r.closed = coarsen(r.closed, quarters, start.Add(-keepMins).Truncate(quarters))
	for len(r.closed) > 0 && !r.closed[0].end().After(start.Add(-retention)) {
		r.closed = r.closed[1:]
	}
}

// snapshot is the open slice as it is now, if it has counted anything.
func (r *Recorder) snapshot() (slice, bool) {
	s := slice{start: r.start, width: r.width, rows: r.rows}
	counted := r.rows > 0
	for _, series := range r.all() {
		p, err := series.open.pack()
		if err != nil {
			panic("profile: " + err.Error()) // float32 always serialises
		}
		p.sketch = series.numbers.pack()
		s.parts = append(s.parts, p)
		counted = counted || p.rows > 0
	}
	return s, counted
}

// coarsen merges slices that began before a boundary into slices of a width.
func coarsen(list []slice, width time.Duration, before time.Time) []slice {
	var out []slice
	for len(list) > 0 {
		s := list[0]
		if s.width >= width || !s.start.Before(before) {
			out = append(out, s)
			list = list[1:]
			continue
		}
		start, n := s.start.Truncate(width), 1
		for n < len(list) && list[n].width < width && list[n].start.Truncate(width).Equal(start) {
			n++
		}
		out = append(out, join(list[:n], start, width))
		list = list[n:]
	}
	return out
}

// join merges slices into one.
func join(list []slice, start time.Time, width time.Duration) slice {
	joined := slice{start: start, width: width}
	for _, s := range list {
		joined.rows += s.rows
	}
	if len(list) == 1 {
		joined.parts = list[0].parts
		return joined
	}
	for i := range list[0].parts {
		m := sum(list, i)
		p, err := m.pack()
		if err != nil {
			panic("profile: " + err.Error()) // float32 always serialises
		}
		joined.parts = append(joined.parts, p)
	}
	return joined
}

// sum adds up the i-th part of slices. Those from before a column was learned
// lack it.
func sum(list []slice, i int) *merger {
	m := new(merger)
	for _, s := range list {
		if i >= len(s.parts) {
			continue
		}
		if err := m.addPacked(s.parts[i]); err != nil {
			panic("profile: " + err.Error()) // the bytes are our own
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
	r.mu.Lock()
	var list []slice
	for _, s := range r.closed {
		if s.start.Before(to) && s.end().After(from) {
			list = append(list, s)
		}
	}
	if open, ok := r.snapshot(); ok && open.start.Before(to) && open.end().After(from) {
		list = append(list, open)
	}
	all, features := r.all(), len(r.features) // those of a learner grow
	begun, latest := r.begun, r.latest
	r.mu.Unlock()

	p := &Profile{Format: Format}
	from, to = bounds(list, from, to, begun, latest)
	p.From, p.To = utc(&from), utc(&to)
	for _, s := range list {
		p.Rows += s.rows
	}
	for i, series := range all {
		c, err := sum(list, i).column(&series.definition)
		if err != nil {
			panic("profile: " + err.Error()) // float32 always serialises
		}
		p.Rows = max(p.Rows, c.Rows)
		if i < features {
			p.Features = append(p.Features, c)
		} else {
			p.Predictions = append(p.Predictions, c)
		}
	}
	return p
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

package simulate

import (
	"math"
	"slices"
	"time"
)

// Clocked is a rung in time, with what it knows of the past.
type Clocked struct {
	Rung
	Window, Step time.Duration
	// History measures clustering against yesterday, over windows of this length.
	// Zero: rows are taken to be independent.
	History time.Duration
	// Profile is the clustering of the training rows in such windows. Zero: not known.
	Profile float64
	// LastWeek drops what looks like the same window last week.
	LastWeek bool
}

// What the rules assume of clustering before it is known, how long it takes to
// be known, how often it is measured, and the share of a window's rows that last
// week must have had; see rules/week.go.
const (
	enough   = 0.2
	assumed  = 10
	measured = 1290 * time.Minute
	between  = 10 * time.Minute
)

// Outcome is what a rung did over time.
type Outcome struct {
	Alarms     int     // that began after the first eight days
	Days       float64 // of those
	Clustering float64 // at the end
	// Seen is the time from the change to the first alarm after it; 0: none.
	Seen time.Duration
}

// Stream lets time pass: the traffic of one column that does not drift, through
// the rule of one window, for so many days after the eight in which a past
// comes together.
func Stream(r Random, rung Clocked, t Traffic, training, days int) Outcome {
	src := newSource(r, t, rung.Step)
	s := newStream(rung, src.training(training), 1)
	counts := make([]float64, s.bins)
	out := Outcome{Days: float64(days)}
	run := 0
	for at := rung.Step; at <= time.Duration(days)*day+8*day; at += rung.Step {
		src.next(at, counts)
		s.add(counts)
		if !s.fires(at) {
			run = 0
			continue
		}
		if run++; run == s.Hold+1 && at > 8*day {
			out.Alarms++
			if t.Moved != 0 && out.Seen == 0 && at > t.MovedAfter {
				out.Seen = at - t.MovedAfter
			}
		}
	}
	out.Clustering = s.clustering.all
	return out
}

type stream struct {
	rung Clocked
	*verdict
	column     *Column
	bins       int
	past       []float64 // cumulated counts, a ring of steps
	passed     int       // steps
	now, then  []float64
	noise      past // G over its degrees of freedom, from yesterday
	moves      past // square of the deviate of the mean rank, from yesterday
	clustering clusterings
	effective  float64 // rows of the last window
}

// past is what was measured in a week.
type past struct{ sorted, order []float64 }

// add takes a measurement, and drops the one before so many others.
func (p *past) add(x float64, most int) {
	if len(p.order) == most {
		at, _ := slices.BinarySearch(p.sorted, p.order[0])
		p.sorted, p.order = slices.Delete(p.sorted, at, at+1), p.order[1:]
	}
	at, _ := slices.BinarySearch(p.sorted, x)
	p.sorted, p.order = slices.Insert(p.sorted, at, x), append(p.order, x)
}

func (p *past) median() float64 {
	return (p.sorted[(len(p.sorted)-1)/2] + p.sorted[len(p.sorted)/2]) / 2
}

func newStream(rung Clocked, c *Column, columns int) *stream {
	s := &stream{rung: rung, verdict: newVerdict(rung.Rung, columns), column: c, bins: len(c.reference), clustering: independent}
	switch {
	case rung.Profile > 0:
		s.clustering = clusterings{rung.Profile, rung.Profile}
	case rung.History > 0:
		s.clustering = clusterings{assumed, assumed}
	}
	s.past = make([]float64, s.bins*(s.steps(week+max(rung.Window, rung.History))+2))
	s.now, s.then = make([]float64, s.bins), make([]float64, s.bins)
	return s
}

func (s *stream) steps(d time.Duration) int { return int(d / s.rung.Step) }

func (s *stream) add(counts []float64) {
	s.passed++
	copy(s.past[s.passed*s.bins%len(s.past):], counts)
}

// window fills in the counts of a window that ended some steps ago; false when
// there was none.
func (s *stream) window(length, ago time.Duration, counts []float64) bool {
	end := s.passed - s.steps(ago)
	begin := end - s.steps(length)
	if begin < 0 {
		return false
	}
	a, b := s.past[end*s.bins%len(s.past):], s.past[begin*s.bins%len(s.past):]
	for i := range counts {
		counts[i] = a[i] - b[i]
	}
	return true
}

func (s *stream) fires(at time.Duration) bool {
	// The profile's goes before that of another window.
	own := s.rung.History == s.rung.Window || s.rung.Profile == 0
	if s.rung.History > 0 && own && at%max(between, s.rung.Step) == 0 {
		s.measure()
	}
	s.effective = 0
	if !s.window(s.rung.Window, 0, s.now) {
		return false
	}
	s.effective = total(s.now) / s.clustering.all
	if !s.exceeds(s.column, s.now, s.clustering) {
		return false
	}
	if !s.rung.LastWeek || !s.window(s.rung.Window, week, s.then) || total(s.then) <= enough*total(s.now) {
		return true
	}
	_, df := s.column.G(s.now, s.clustering.all)
	g, _ := Between(s.now, s.then)
	parts := s.parts(s.column)
	return plainZ(g/s.clustering.all, df, parts) > s.z ||
		s.ranks(s.column, total(s.now)/s.clustering.rank) && plainZ(s.column.RankBetween(s.now, s.then)/s.clustering.rank, 1, parts) > s.z
}

// measure takes the clustering from the same window yesterday: the median of a
// week, over what independent rows show.
func (s *stream) measure() {
	if !s.window(s.rung.History, 0, s.now) || !s.window(s.rung.History, day, s.then) {
		return
	}
	g, df := Between(s.now, s.then)
	if df <= 0 {
		return
	}
	step := max(between, s.rung.Step)
	s.noise.add(g/df, int(week/step))
	s.moves.add(s.column.RankBetween(s.now, s.then), int(week/step))
	if len(s.noise.order) < int(measured/step) {
		return
	}
	_, df = s.column.G(s.now, 1)
	s.clustering.all = max(s.noise.median()/math.Pow(1-2/(9*df), 3), 1)
	s.clustering.rank = max(s.moves.median()/medianOfSquare, 1)
}

// medianOfSquare, as in rules/rank.go, is that of the square of a normal deviate.
const medianOfSquare = 0.454936423119572

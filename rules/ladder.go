package rules

import (
	"slices"
	"time"
)

const (
	// lookback is how far an instant query looks back for a sample in Prometheus
	// and its kin, unless told otherwise.
	lookback = Duration(5 * time.Minute)
	// slidingHours is the longest window that is added up of hours back from now.
	// Longer ones are added up of whole hours of the day, which costs less and
	// changes once an hour.
	slidingHours = 4 * hour
)

// Rung is one window of the ladder that an enabled clock looks through, and how
// it is evaluated.
type Rung struct {
	Clock
	// Name of the clock: page, act, slow.
	Name string
	// Window is the rung's own, one of the clock's.
	Window Duration
	// Interval between evaluations, and For, a twelfth of the window in whole
	// intervals: a window that slides is then worth some two and a half tests.
	Interval, For Duration
	// shorter is the longest shorter window whose clustering is measured.
	shorter Duration
	// last says that this is the longest window of the clock.
	last bool
}

// Ladder lists the windows of the enabled clocks: page, act, slow.
func (v Values) Ladder() []Rung {
	var out []Rung
	for _, k := range []struct {
		name string
		Clock
	}{{"page", v.Clocks.Page}, {"act", v.Clocks.Act}, {"slow", v.Clocks.Slow}} {
		if !k.Enabled {
			continue
		}
		for _, w := range k.Windows {
			r := Rung{Clock: k.Clock, Name: k.name, Window: w, last: w == slices.Max(k.Windows)}
			r.Interval = interval(w, v.ScrapeInterval)
			r.For = (w/12 + r.Interval - 1) / r.Interval * r.Interval
			out = append(out, r)
		}
	}
	for i := range out {
		for _, other := range out {
			if other.History && other.Window < out[i].Window {
				out[i].shorter = max(out[i].shorter, other.Window)
			}
		}
	}
	return out
}

// interval is 30 evaluations to a window, in whole scrapes, but at least once
// in a look-back, so that every instant query sees the result. Windows of days
// are for patience: once an hour.
func interval(window, scrape Duration) Duration {
	if window > day {
		return hour
	}
	return min(max(window/30/scrape*scrape, scrape), lookback)
}

// Steps is how many different values a window of the rung goes through, and
// Hold how many of them For lasts.
func (r Rung) Steps() (steps, hold int) {
	step := r.Interval
	if r.Window > slidingHours {
		step = hour
	}
	return int(r.Window / step), int((r.For + step - 1) / step)
}

// Promised are the false alarms in one window of a rung, when all rungs of the
// ladder get the same share of the budget.
func (r Rung) Promised(b Budget, rungs int) float64 {
	return b.FalseAlarms * r.Window.Seconds() / (float64(rungs) * b.Per.Seconds())
}

// covered is the part of a window that increase() has counts of: between the
// first scrape and the last. It makes up for the rest in the counts, but not in
// what they tell.
func covered(window, scrape Duration) float64 {
	return 1 - scrape.Seconds()/min(window, hour).Seconds()
}

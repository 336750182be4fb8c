package decide

import (
	"maps"
	"slices"
	"time"
)

// Track returns the active stay with the alerts of this round noted in LastAlert
// and LongestQuiet. It changes nothing in e.
func Track(e Evidence, now time.Time) Served {
	s := activeStay(e)
	s.LastAlert = maps.Clone(s.LastAlert)
	s.LongestQuiet = maps.Clone(s.LongestQuiet)
	if since := e.Unwatched; !since.IsZero() { // that nobody has looked is no good news: what went on went on
		for cause, last := range s.LastAlert {
			if since.Sub(last) <= GoesOn {
				s.LastAlert[cause] = now
			}
		}
		if e.RulesSince.After(since) {
			s = beginAnew(s, since, now)
		}
	}
	first := map[AlertCause]time.Time{}
	for _, a := range e.Alerts {
		if !a.Firing || a.Estimated || !shows(a, e, now) {
			continue
		}
		if t, seen := first[a.Cause]; !seen || a.ActiveAt.Before(t) {
			first[a.Cause] = a.ActiveAt
		}
	}
	if s.LastAlert == nil {
		s.LastAlert = map[AlertCause]time.Time{}
	}
	if _, ok := Upstream(e, now); ok && e.Blind == "" {
		s.LastAlert[correlatedAlert] = now
	}
	if e.Blind != "" { // no data is not good news: what went on goes on
		for cause, last := range s.LastAlert {
			if now.Sub(last) <= GoesOn {
				s.LastAlert[cause] = now
			}
		}
	}
	for cause, at := range first {
		if s.LongestQuiet == nil {
			s.LongestQuiet = map[AlertCause]time.Duration{}
		}
		s.LongestQuiet[cause] = longestQuiet(s, cause, at)
		s.LastAlert[cause] = now
	}
	return s
}

// beginAnew is a stay after a time in which no rules were evaluated either: what is
// quiet since is so anew.
func beginAnew(s Served, since, now time.Time) Served {
	if s.SettledAt.IsZero() {
		return s
	}
	if s.LongestQuiet == nil {
		s.LongestQuiet = map[AlertCause]time.Duration{}
	}
	s.SeenSince = maps.Clone(s.SeenSince)
	for cause, seen := range s.SeenSince { // of others there was nothing to judge by
		from := slices.MaxFunc([]time.Time{s.SettledAt, seen, s.LastAlert[cause]}, time.Time.Compare)
		if quiet := since.Sub(from); quiet > s.LongestQuiet[cause] {
			s.LongestQuiet[cause] = quiet
		}
		if now.After(from) {
			s.SeenSince[cause] = now
		}
	}
	return s
}

// shows says that an alert is eligible, or is not only because its version has not
// been settled for long enough. Nothing rests on it then; but the time was not quiet.
func shows(a Alert, e Evidence, now time.Time) bool {
	if ok, _ := Eligible(a, e, now); ok {
		return true
	}
	return foreign(a, e) == "" && !e.RollingOut && !e.SettledAt.IsZero() && !a.ActiveAt.Before(e.RolloutSince)
}

// GoesOn is how long ago an alert may have been seen last for it to be taken to go on
// while nothing can be seen, or nobody looks: longer than the times of alerts are kept
// apart.
const GoesOn = 30 * time.Second

// activeStay is the stay of the active version, as far as it is known.
func activeStay(e Evidence) Served {
	if len(e.History) > 0 && e.History[0].Version == e.Active && e.History[0].ReplacedAt.IsZero() {
		s := e.History[0]
		if s.SettledAt.IsZero() {
			s.SettledAt = e.SettledAt
		}
		return s
	}
	return Served{Version: e.Active, SettledAt: e.SettledAt}
}

// predecessor is the stay before the active one, which may be of the same
// version. Stays that showed nothing are passed over: never wholly rolled out,
// without alerts, and not left by Leeway.
func predecessor(e Evidence) (Served, bool) {
	for i, s := range e.History {
		if i == 0 && s.Version == e.Active && s.ReplacedAt.IsZero() {
			continue
		}
		if s.SettledAt.IsZero() && len(s.LastAlert) == 0 && s.LeftFor == None {
			continue
		}
		return s, true
	}
	return Served{}, false
}

// longestQuiet is the longest time that the stay was without alerts of the
// cause, given that one has been active since activeAt.
func longestQuiet(s Served, cause AlertCause, activeAt time.Time) time.Duration {
	longest := s.LongestQuiet[cause]
	if s.SettledAt.IsZero() {
		return longest
	}
	from := s.SettledAt
	if seen := s.SeenSince[cause]; seen.After(from) {
		from = seen
	}
	if last := s.LastAlert[cause]; last.After(from) {
		if _, tracked := s.LongestQuiet[cause]; tracked && !last.Before(activeAt) {
			return longest // this alert has been noted already
		}
		if last.Before(activeAt) {
			from = last
		}
	}
	return max(longest, activeAt.Sub(from))
}

// neverClean says that the stay never was without the alert for one whole
// window. A quarter of the window is the time that scrapes and evaluations may
// take to show what was there from the start.
func neverClean(s Served, a Alert) bool {
	return longestQuiet(s, a.Cause, a.ActiveAt) < a.Window+a.Window/4
}

// showed says that there ever was something in the stay to judge by: labels for
// quality, requests for all else. Without, it had no alerts because nothing was seen.
func showed(s Served, cause AlertCause) bool {
	if cause != AlertQuality {
		cause = AlertErrors
	}
	return !s.SeenSince[cause].IsZero()
}

// lastWindowClean says that a stay which is over showed something, had no alert of
// the cause in its last window, and was settled for that long at all.
func lastWindowClean(s Served, cause AlertCause, window time.Duration) bool {
	if !showed(s, cause) || s.SettledAt.IsZero() || s.ReplacedAt.IsZero() || s.ReplacedAt.Sub(s.SettledAt) < window {
		return false
	}
	last := s.LastAlert[cause]
	return last.IsZero() || s.ReplacedAt.Sub(last) >= window
}

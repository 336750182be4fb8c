package decide

import (
	"cmp"
	"slices"
	"time"
)

// view is the evidence with its alerts sorted out, so that each row of the
// table is a few lines.
type view struct {
	Evidence
	policy Policy
	now    time.Time
	stay   Served
	// Eligible alerts. Those of the page clock stand apart, pending or firing.
	firing, pending, page map[AlertCause][]Alert
	// garbled alerts look back on rows that came in while input was broken.
	garbled []Alert
	// clouded alerts look back on rows that came in while the inputs of several
	// models changed at once.
	clouded []Alert
	// estimated alerts fire on an error that is only expected.
	estimated []Alert
	// settling counts alerts on the active version that don't count yet.
	settling int
}

func look(e Evidence, p Policy, now time.Time) view {
	v := view{
		Evidence: e, policy: p, now: now, stay: activeStay(e),
		firing: map[AlertCause][]Alert{}, pending: map[AlertCause][]Alert{}, page: map[AlertCause][]Alert{},
	}
	for _, a := range sorted(e.Alerts) {
		if ok, _ := Eligible(a, e, now); !ok {
			if a.Namespace == e.Namespace && a.Model == e.Model && a.Version == e.Active {
				v.settling++
			}
			continue
		}
		switch {
		case v.looksBackOn(a, AlertBrokenInput):
			v.garbled = append(v.garbled, a)
		case v.looksBackOn(a, correlatedAlert):
			v.clouded = append(v.clouded, a)
		case a.Estimated:
			if a.Firing {
				v.estimated = append(v.estimated, a)
			}
		case a.Clock == Page:
			v.page[a.Cause] = append(v.page[a.Cause], a)
		case a.Firing:
			v.firing[a.Cause] = append(v.firing[a.Cause], a)
		default:
			v.pending[a.Cause] = append(v.pending[a.Cause], a)
		}
	}
	return v
}

// looksBackOn says that an alert's window reaches back to broken input, or to what
// came upon several models at once: a column that was missing for a minute looks
// like drift for as long as the window is, and nothing may be rolled back or
// trained for that.
func (v view) looksBackOn(a Alert, trouble AlertCause) bool {
	switch a.Cause {
	case AlertInputDrift, AlertPredictionDrift, AlertQuality:
		last := v.stay.LastAlert[trouble]
		return !last.IsZero() && v.now.Sub(last) < a.Window
	}
	return false
}

// sorted puts alerts in an order of their own, so that a decision does not
// depend on the order in which they were listed.
func sorted(alerts []Alert) []Alert {
	s := slices.Clone(alerts)
	slices.SortStableFunc(s, func(a, b Alert) int {
		return cmp.Or(
			cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Clock, b.Clock), a.ActiveAt.Compare(b.ActiveAt), cmp.Compare(a.Window, b.Window),
			cmp.Compare(a.Value, b.Value), cmp.Compare(a.Summary, b.Summary), cmp.Compare(firingFirst(a), firingFirst(b)))
	})
	return s
}

func firingFirst(a Alert) int {
	if a.Firing {
		return 0
	}
	return 1
}

// subjects of alerts, each once, in order.
func subjects(alerts []Alert) []string {
	var names []string
	for _, a := range alerts {
		if a.Subject != "" {
			names = append(names, a.Subject)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// earliest is when the first of the alerts became active.
func earliest(alerts []Alert) time.Time {
	var first time.Time
	for _, a := range alerts {
		if first.IsZero() || a.ActiveAt.Before(first) {
			first = a.ActiveAt
		}
	}
	return first
}

// known is what the registry knows of a version.
func (e Evidence) known(version string) (Known, bool) {
	for _, k := range e.Versions {
		if k.Version == version {
			return k, true
		}
	}
	return Known{}, false
}

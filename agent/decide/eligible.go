package decide

import "time"

// Eligible says whether an alert counts for the workload of the evidence, and
// if not, why not. Alerts of the page clock are eligible: they inform the
// diagnosis, but Diagnose rests no act on them.
func Eligible(a Alert, e Evidence, now time.Time) (bool, string) { return false, "" }

// Track returns the active stay with the alerts of this round noted. It changes
// nothing in e.
func Track(e Evidence, now time.Time) Served { return Served{} }

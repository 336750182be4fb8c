package decide

import (
	"fmt"
	"time"
)

// What a new version must have answered, and for how long, before its errors
// and its latency count while it is still being rolled out.
const (
	rolloutRequests     = 100
	rolloutLatencyAfter = 30 * time.Second
)

// Eligible says whether an alert counts for the workload of the evidence, and
// if not, why not. Alerts of the page clock are eligible: they inform the
// diagnosis, but Diagnose rests no act on them.
func Eligible(a Alert, e Evidence, now time.Time) (bool, string) {
	if why := foreign(a, e); why != "" {
		return false, why
	}
	if countsInRollout(a, e, now) {
		return true, ""
	}
	switch {
	case e.RollingOut:
		return false, "a rollout is under way"
	case e.SettledAt.IsZero():
		return false, "version " + e.Active + " is not wholly rolled out"
	case now.Sub(e.SettledAt) <= a.Window:
		return false, fmt.Sprintf("version %s has been settled for %s, and the alert looks back %s",
			e.Active, span(now.Sub(e.SettledAt)), span(a.Window))
	}
	return true, ""
}

// foreign says why an alert is not about the version that is active, and seen to
// be: empty where it is.
func foreign(a Alert, e Evidence) string {
	switch {
	case e.Blind != "":
		return "nothing can be seen: " + string(e.Blind)
	case a.Namespace != e.Namespace || a.Model != e.Model:
		return fmt.Sprintf("is about model %s/%s", a.Namespace, a.Model)
	case e.Active == "" || a.Version != e.Active:
		return fmt.Sprintf("is about version %s, and version %s is active", a.Version, e.Active)
	case a.ActiveAt.IsZero():
		return "does not say since when it is active"
	}
	return ""
}

// countsInRollout lets errors and latency of the new version count before it
// has settled, and in the first window after. What was active before the rollout
// began can't be the new version's doing: it is left over from an earlier stay.
func countsInRollout(a Alert, e Evidence, now time.Time) bool {
	if e.RolloutSince.IsZero() || a.ActiveAt.Before(e.RolloutSince) || !(e.RolloutRequests >= rolloutRequests) {
		return false
	}
	switch a.Cause {
	case AlertErrors:
		return true
	case AlertLatency:
		return now.Sub(e.RolloutSince) >= rolloutLatencyAfter
	}
	return false
}

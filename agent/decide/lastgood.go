package decide

import "time"

// LastGood returns the version to go back to from a release that is bad by the
// cause, with ReasonLastGood; or why there is none.
//
// It is the latest registered version, not rejected, that was settled for
// goodAfter, was seen to serve, and had no eligible alert of the cause in its last
// goodAfter before it was replaced. Only the latest stay of a version is asked: a
// version that was good once and bad when last seen is not good.
func LastGood(e Evidence, p Policy, cause AlertCause, now time.Time) (string, Reason) {
	asked := map[string]bool{e.Active: true}
	for _, s := range e.History {
		if asked[s.Version] || s.ReplacedAt.IsZero() {
			continue
		}
		if s.SettledAt.IsZero() && s.LeftFor != BadRelease && s.LastAlert[cause].IsZero() {
			continue // it never got as far as to show anything
		}
		asked[s.Version] = true
		if exchangeable(e, s.Version) && wasClean(s, p, cause) {
			return s.Version, ReasonLastGood
		}
	}
	if len(e.Versions) <= 1 {
		return "", ReasonFirstVersion
	}
	return "", ReasonNoGoodVersion
}

// exchangeable says that a version may stand in for the active one at all.
func exchangeable(e Evidence, version string) bool {
	k, ok := e.known(version)
	if !ok || k.Rejected || k.Retired || version == e.Active {
		return false
	}
	active, ok := e.known(e.Active)
	return ok && k.Compat == active.Compat && k.Schema == active.Schema
}

// wasClean says that a stay which is over lasted goodAfter, and that its last
// goodAfter had no alert of the cause.
func wasClean(s Served, p Policy, cause AlertCause) bool {
	return s.LeftFor != BadRelease && lastWindowClean(s, cause, p.GoodAfter)
}

// proven says that a version passed a gate, or was live and clean when it was
// last in service. Quality and predictions that went with drifting inputs don't
// count against it: that is what it was left for, and why it may be wanted back.
// Live without anybody seeing its requests is not clean.
func proven(e Evidence, p Policy, version string) bool {
	if k, ok := e.known(version); ok && k.Gated {
		return true
	}
	for _, s := range e.History {
		if s.Version != version || s.ReplacedAt.IsZero() || s.SettledAt.IsZero() {
			continue
		}
		clean := wasClean(s, p, AlertErrors) && wasClean(s, p, AlertLatency)
		if s.LeftFor != InputDrift && wasClean(s, p, AlertInputDrift) {
			clean = clean && wasClean(s, p, AlertPredictionDrift) &&
				(!showed(s, AlertQuality) || wasClean(s, p, AlertQuality)) // many models have no labels
		}
		return clean
	}
	return false
}

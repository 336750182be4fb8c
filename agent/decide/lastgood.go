package decide

import "time"

// LastGood returns the version to go back to from a release that is bad by the
// cause: ReasonLastGood, or why there is none.
func LastGood(e Evidence, p Policy, cause AlertCause, now time.Time) (string, Reason) {
	return "", ReasonNoGoodVersion
}

package decide

import "time"

// Name of a decision. Whoever decides the same on the same trouble comes to the
// same name, so creating the object is the lock.
func Name(guard string, cause Cause, version string, settled time.Time, attempt int) string {
	return ""
}

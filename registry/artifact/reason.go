package artifact

import "errors"

// The words for what Check found, as a match shows them of versions that it
// leaves out.
const (
	ReasonMissing     = "artifact_missing"
	ReasonWrongDigest = "artifact_digest"
	// ReasonUnreachable: nothing is known. It is no verdict on the artifact.
	ReasonUnreachable = "artifact_unreachable"
	// ReasonForbidden: the artifact is not among those that may be read.
	ReasonForbidden = "artifact_not_allowed"
)

// Reason is the word for an error of Check, "" for none.
func Reason(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrMissing):
		return ReasonMissing
	case errors.Is(err, ErrDigest):
		return ReasonWrongDigest
	case errors.Is(err, ErrScheme): // ErrForbidden too
		return ReasonForbidden
	}
	return ReasonUnreachable
}

package decide

import (
	"fmt"
	"time"
)

// Sample is what a version showed over one window. Requests, Errors, Labels and
// sums are counts over the window; NaN and zero are both "not known".
type Sample struct {
	Requests, Errors float64
	// P99 is in seconds.
	P99 float64
	// Labels are labelled rows; ErrorSum and ErrorSquares add up each row's error
	// (absolute, or 0 and 1 for a class) and its square.
	Labels, ErrorSum, ErrorSquares float64
	// PredictionZ and PredictionJS (a √JS distance) compare predictions with the
	// version's own reference; PredictionCritical is the rule's critical z, zero
	// when the comparison is not known.
	PredictionZ, PredictionCritical, PredictionJS float64
	// Ready says that it is wholly rolled out, and no pod of it broken; ReadySince
	// when it first was, UnreadySince since when it is not any more.
	Ready                    bool
	ReadySince, UnreadySince time.Time
	// Crashing says of pods that were ready how they end again and again.
	Crashing string
}

// Outcome of a verification.
type Outcome string

// The outcomes.
const (
	Pending      Outcome = "pending"
	OK           Outcome = "ok"
	Worse        Outcome = "worse"
	Inconclusive Outcome = "inconclusive"
)

// Witness is what a verdict rests on.
type Witness string

// The witnesses, strongest first.
const (
	ByLabels      Witness = "labels"
	ByPredictions Witness = "predictions"
	ByTraffic     Witness = "traffic"
)

// Verdict is the outcome of a verification.
type Verdict struct {
	Outcome Outcome
	By      Witness
	Reason  Reason
	Message string
}

// The floors are those of the rules: what is not worth an alert is not worth
// undoing a change for.
const (
	minLabels        = 200
	minRequests      = 100  // for the error ratio
	minTail          = 1000 // for p99: ten requests beyond it
	errorFloor       = 0.01 // percentage points
	latencyFactor    = 1.5
	latencyFloor     = 0.010 // seconds
	predictionFloor  = 0.05
	confident        = 3.09 // standard errors: one-sided 99.9%, for an undo puts back what was left for a reason
	risk             = 0.05 // of errors, which count from a percentage point on
	beyondDoubt      = 1e-4 // likewise, for what is asked again and again
	progressDeadline = 10 * time.Minute
)

// Verify compares a version after a change, applied at started, with the last
// window of the version before. It is pending until VerifyFor has passed since
// the version was ready; only crash loops and errors beyond doubt end it sooner. A
// pod that is not ready later on has as long as the rollout had: nodes are drained
// and autoscalers scale whatever the version is.
//
// That the alert cleared which led to the change is no witness: the version was
// chosen for that.
func Verify(before, after Sample, p Policy, started, now time.Time) Verdict {
	switch {
	case after.Crashing != "":
		return Verdict{Worse, ByTraffic, ReasonWorse, "it was rolled out, and then: " + after.Crashing}
	case !after.Ready:
		if v := notReady(after, p, started, now); v.Outcome == Worse || !overdue(after, p, now) {
			return v
		}
	}
	if v, failing := moreErrors(before, after, beyondDoubt); failing {
		return v
	}
	from := started
	if after.ReadySince.After(from) {
		from = after.ReadySince
	}
	if now.Sub(from) < p.VerifyFor {
		return pendingVerdict("it is watched, %s of %s", span(now.Sub(from)), span(p.VerifyFor))
	}
	return Compare(before, after)
}

// Compare is the verdict of Verify when its time has passed, which rests on the two
// samples alone. Errors beyond doubt come first, as they do while it is watched; then
// the strongest witness that has something to say, but for traffic that is worse,
// which is heard before predictions.
func Compare(before, after Sample) Verdict {
	if v, failing := moreErrors(before, after, beyondDoubt); failing {
		return v
	}
	if v, speaks := byLabels(before, after); speaks {
		return v
	}
	predictions, predicts := byPredictions(after)
	traffic, answers := byTraffic(before, after)
	switch {
	case answers && traffic.Outcome == Worse:
		return traffic
	case predicts: // also when worse
		return predictions
	case answers:
		return traffic
	}
	return Verdict{Inconclusive, "", ReasonInconclusive,
		fmt.Sprintf("%.0f requests and %.0f labels are too few to tell: nothing is undone", known(after.Requests), known(after.Labels))}
}

// notReady judges a version that is not wholly rolled out, or was.
func notReady(after Sample, p Policy, started, now time.Time) Verdict {
	within := readyWithin(p)
	what, was := "it is being rolled out", "it was not wholly rolled out within "+span(within)
	if !after.ReadySince.IsZero() {
		what, was = "pods of it are not ready any more", "pods of it were not ready any more for "+span(within)
	}
	for _, t := range []time.Time{after.ReadySince, after.UnreadySince} {
		if t.After(started) {
			started = t
		}
	}
	if now.Sub(started) < within {
		return pendingVerdict("%s, %s of at most %s", what, span(now.Sub(started)), span(within))
	}
	return Verdict{Worse, ByTraffic, ReasonNotReady, was}
}

func readyWithin(p Policy) time.Duration {
	if p.ReadyWithin > 0 {
		return p.ReadyWithin
	}
	return max(progressDeadline, p.VerifyFor)
}

// overdue says that pods which come and go have put off a verdict for long enough.
func overdue(after Sample, p Policy, now time.Time) bool {
	return !after.ReadySince.IsZero() && now.Sub(after.ReadySince) >= p.VerifyFor+readyWithin(p)
}

func pendingVerdict(format string, args ...any) Verdict {
	return Verdict{Pending, "", ReasonVerifying, fmt.Sprintf(format, args...)}
}

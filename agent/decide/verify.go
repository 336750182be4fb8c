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
	// Ready says that it is wholly rolled out, ReadySince since when.
	Ready      bool
	ReadySince time.Time
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
	confident        = 1.645 // standard errors: one-sided 95%
	risk             = 0.05  // the same as a probability
	beyondDoubt      = 1e-4  // likewise, for what is asked again and again
	progressDeadline = 10 * time.Minute
)

// Verify compares a version after a change, applied at started, with the last
// window of the version before. It is pending until VerifyFor has passed since
// the version was ready; only errors beyond doubt end it sooner.
//
// That the alert cleared which led to the change is no witness: the version was
// chosen for that.
func Verify(before, after Sample, p Policy, started, now time.Time) Verdict {
	if !after.Ready {
		within := p.ReadyWithin
		if within <= 0 {
			within = max(progressDeadline, p.VerifyFor)
		}
		if now.Sub(started) < within {
			return pendingVerdict("it is being rolled out, %s of at most %s", span(now.Sub(started)), span(within))
		}
		return Verdict{Worse, ByTraffic, ReasonNotReady,
			fmt.Sprintf("it was not wholly rolled out within %s", span(within))}
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
		fmt.Sprintf("%.0f requests and %.0f labels in %s are too few to tell: nothing is undone",
			known(after.Requests), known(after.Labels), span(now.Sub(from)))}
}

func pendingVerdict(format string, args ...any) Verdict {
	return Verdict{Pending, "", ReasonVerifying, fmt.Sprintf(format, args...)}
}

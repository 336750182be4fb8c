package decide

import "time"

// Sample is what a version showed over one window. Requests, Errors, Labels and
// sums are counts over the window; NaN and absent are both "not known".
type Sample struct {
	Requests, Errors float64
	// P99 is in seconds.
	P99 float64
	// Labels are labelled rows; ErrorSum and ErrorSquares add up each row's error
	// (absolute, or 0 and 1 for a class) and its square.
	Labels, ErrorSum, ErrorSquares float64
	// PredictionZ and PredictionJS compare predictions with the version's own
	// reference; PredictionCritical is the rule's critical z, zero when unknown.
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

// Verify compares a version after a change, applied at started, with the last
// window of the version before.
func Verify(before, after Sample, p Policy, started, now time.Time) Verdict { return Verdict{} }

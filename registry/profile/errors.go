package profile

import "math"

// BinError is the measured error of the rows in a prediction's bin whose truth
// is known. With the live shares of the bins it tells what error to expect
// without labels.
type BinError struct {
	// Rows whose truth is known.
	Rows int64 `json:"rows"`
	// Rate is the share of wrong answers of a classification.
	Rate *float64 `json:"rate,omitempty"`
	// MAE and RMSE are a regression's mean absolute and root mean squared
	// error, in the unit of the prediction.
	MAE  *float64 `json:"mae,omitempty"`
	RMSE *float64 `json:"rmse,omitempty"`
}

// Errors adds up how wrong one column of predictions was, by its bins. The same
// rows give the same result in any order, and however they are divided between
// several Errors that are merged. It is not safe for concurrent use.
type Errors struct {
	bins []binErrors
	// other says that a label was neither 0 nor 1: it is no classification.
	other bool
	// answers says that labels were answers, not numbers.
	answers bool
}

type binErrors struct {
	rows, wrong      int64
	absolute, square exactSum
}

// NewErrors makes one for a column of predictions, whose bins are final.
func NewErrors(c Column) *Errors { return &Errors{bins: make([]binErrors, len(c.Bins))} }

// Number counts a row of a column of numbers: the index of its bin, what was
// predicted and what was true. Rows of which one is missing (NaN) or infinite
// count nothing.
func (e *Errors) Number(bin uint8, predicted, actual float64) {
	deviation := math.Abs(predicted - actual)
	if square := deviation * deviation; !(square <= math.MaxFloat64) {
		return
	}
	b := &e.bins[bin]
	b.rows++
	b.absolute.add(deviation)
	b.square.add(deviation * deviation)
	if actual != 0 && actual != 1 {
		e.other = true
	}
	if (predicted >= decision) != (actual >= decision) {
		b.wrong++
	}
}

// decision is the probability from which on the answer is yes.
const decision = 0.5

// Answer counts a row of a classification by the index of its bin: in a column
// of categories, or in that of the highest of the classes' probabilities.
func (e *Errors) Answer(bin uint8, right bool) {
	e.answers = true
	b := &e.bins[bin]
	b.rows++
	if !right {
		b.wrong++
	}
}

// Merge adds the rows of another that was made for the same column.
func (e *Errors) Merge(o *Errors) {
	e.other = e.other || o.other
	e.answers = e.answers || o.answers
	for i := range e.bins {
		b, add := &e.bins[i], &o.bins[i]
		b.rows += add.rows
		b.wrong += add.wrong
		b.absolute.merge(&add.absolute)
		b.square.merge(&add.square)
	}
}

// Apply writes the errors into the bins of the column. A probability, or a
// column of two values, whose labels are all 0 or 1 is the answer yes from 0.5
// on; other numbers are a regression.
func (e *Errors) Apply(c *Column) {
	rate := e.answers || !e.other && (c.Probability || c.Binary)
	for i := range e.bins {
		b := &e.bins[i]
		if b.rows == 0 {
			continue
		}
		out := &BinError{Rows: b.rows}
		if rate {
			out.Rate = new(float64(b.wrong) / float64(b.rows))
		} else {
			out.MAE, out.RMSE = new(b.absolute.over(b.rows)), new(math.Sqrt(b.square.over(b.rows)))
		}
		c.Bins[i].Error = out
	}
}

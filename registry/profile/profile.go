package profile

import (
	"errors"
	"time"
)

// Format is what a profile's field "format" says.
const Format = "leeway.dev/profile/v1"

// Bounds of a profile. Parse refuses what lies beyond them.
const (
	MaxBytes      = 16 << 20 // of an encoded profile
	MaxColumns    = 1000     // features and predictions together
	MaxColumn     = 1 << 20  // bytes of one encoded column
	MaxName       = 256      // bytes of a column's name
	MaxCategory   = 128      // bytes of a category's name; Key shortens longer ones
	MaxCategories = 1000     // category names kept in a column; rows of others are Folded
	MaxSeen       = 50_000   // further categories of a training column, kept as hashes
	MaxBins       = 64       // interior bins of a column
	MaxRows       = 1_000_000_000_000_000
	QuantileCount = 1025 // quantiles of a training column: ranks 0, 1/1024, … 1
)

// Names of the bins that are not numbered.
const (
	Under    = "under"     // below the reference's minimum
	Over     = "over"      // above its maximum
	FarUnder = "far_under" // below it by more than the width of the range
	FarOver  = "far_over"  // above it by more than the width of the range
	Missing  = "missing"   // NaN, null or absent
	Other    = "other"     // a category that the reference has seen but that has no bin
	Unseen   = "unseen"    // a category that the reference has not seen
)

// Errors that callers test with errors.Is.
var (
	// ErrSchema: two profiles don't have the same columns with the same types.
	ErrSchema = errors.New("schemas differ")
	// ErrEmpty: a profile or column has no rows, so it has no shares.
	ErrEmpty = errors.New("no rows")
	// ErrFormat: bytes that are no valid profile.
	ErrFormat = errors.New("not a valid profile")
)

// Type says how the values of a column are read.
type Type string

// The types of a column.
const (
	Number   Type = "number"
	Category Type = "category"
)

// Profile describes rows of data.
type Profile struct {
	Format string `json:"format"`
	// Source is empty for training data and what a sidecar has observed, and
	// Live for a reference that Adopt made of the latter.
	Source string     `json:"source,omitempty"`
	Rows   int64      `json:"rows"`
	From   *time.Time `json:"from,omitempty"`
	To     *time.Time `json:"to,omitempty"`
	// Blocks say how far parts of the training rows lie from the rest, where
	// their time is known, by the length of the part, shortest first.
	Blocks      []BlockDistances `json:"blocks,omitempty"`
	Features    []Column         `json:"features"`
	Predictions []Column         `json:"predictions,omitempty"`
}

// Length is that of the time that the rows are of, 0 where it is not said.
func (p *Profile) Length() time.Duration {
	if p.From == nil || p.To == nil {
		return 0
	}
	return p.To.Sub(*p.From)
}

// Column describes the values of one feature or prediction.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	// Rows counts all rows of the column, those without a value included.
	Rows    int64 `json:"rows"`
	Missing int64 `json:"missing"`
	// Probability: values from 0 to 1, in 20 bins instead of 10, and up to 10 more
	// where these would be wide.
	Probability bool `json:"probability,omitempty"`
	// Binary: the training rows hold just two values.
	Binary bool `json:"binary,omitempty"`
	// Redacted: names of categories are hashes.
	Redacted bool `json:"redacted,omitempty"`

	// Binning identifies the definition of the bins, known categories
	// included. Columns with the same binning have comparable Bins.
	Binning string `json:"binning,omitempty"`
	// Bins lists every bin in the order of export, with exact counts: 00, 01,
	// …, then for numbers under, over, far_under, far_over, missing, and for
	// categories other, unseen, missing. A live column counts into the bins
	// of its version's reference, and has none without a reference.
	Bins []Bin `json:"bins,omitempty"`

	// Quantiles of a training column of numbers: QuantileCount values, where
	// the i-th is the smallest value with at least i/1024 of the values at or
	// below it.
	Quantiles []float64 `json:"quantiles,omitempty"`
	// Sketch of a live column of numbers: a KLL sketch of float32 values with
	// k = 1024, as Apache DataSketches serialises it.
	Sketch []byte `json:"sketch,omitempty"`

	// Categories are the most frequent categories, most frequent first, at
	// most MaxCategories.
	Categories []CategoryCount `json:"categories,omitempty"`
	// Folded counts the rows of categories beyond these.
	Folded int64 `json:"folded,omitempty"`
	// Seen holds the hashes of the training column's categories beyond these,
	// four bytes each, ascending, at most MaxSeen.
	Seen []byte `json:"seen,omitempty"`

	// Clustering says by window ("1h", "24h", …) how much more than
	// independent rows the rows of a window resemble each other (φ ≥ 1), where
	// the training rows are ordered in time.
	Clustering map[string]float64 `json:"clustering,omitempty"`
	// Blocks are the distances of Profile.Blocks of this column, by window.
	Blocks map[string]Quantiles `json:"blocks,omitempty"`

	// Importance of the feature to the model, in whatever unit its maker has;
	// nil where it was not said.
	Importance *float64 `json:"importance,omitempty"`
}

// Bin counts the rows whose value lies in [Lower, Upper) or is Category. The
// last numbered bin includes Upper, the reference's maximum; so does over; a
// missing bound is infinite.
type Bin struct {
	Name     string   `json:"name"`
	Lower    *float64 `json:"lower,omitempty"`
	Upper    *float64 `json:"upper,omitempty"`
	Category string   `json:"category,omitempty"`
	Count    int64    `json:"count"`
	// Error of the rows of a prediction's bin, as far as their truth is known.
	Error *BinError `json:"error,omitempty"`
	// Excess of a prediction's bin beside the highest of classes' probabilities:
	// the share of wrong answers that its rows add to the error of the bin of the
	// highest, from -1 to 1.
	Excess *float64 `json:"excess,omitempty"`
}

// CategoryCount counts the rows of one category.
type CategoryCount struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// Distance is how far data lies from a reference: 0 for the same shares in
// every bin, 1 for no bin in common.
type Distance struct {
	Mean    float64          `json:"mean"`
	Columns []ColumnDistance `json:"columns"`
}

// ColumnDistance is the distance of one column.
type ColumnDistance struct {
	Name     string  `json:"name"`
	Distance float64 `json:"distance"`
}

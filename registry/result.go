package registry

import (
	"encoding/json"
	"time"
)

// Result is the answer of a match. Its JSON is an API: "leeway match -o json"
// prints it.
type Result struct {
	Model string
	// Live is the version in service, "" (null in JSON) when there is none. It
	// is among the candidates where it has a profile, and never Best.
	Live string
	// Candidates, nearest first; of equal distances the newer is first.
	Candidates []Candidate
	// Best is the nearest version that fits and is better than live, "" (null)
	// when there is none.
	Best string
	// Excluded versions, newest first.
	Excluded []Excluded

	// Rule says what ranked, and Trust in one sentence how far that is to be
	// trusted.
	Rule  Rule
	Trust string
	// ProposeOnly says that nothing is to be switched by this match without asking
	// a person: inputs are known not to predict quality for this model; or whether
	// they do is not known, and no tolerance was given.
	ProposeOnly bool
	// Forecast is what evaluations say, nil where there are none.
	Forecast *Forecast

	// Rows of the live profile, and the length of its time, 0 where it does not
	// say. They are not in the JSON.
	Rows   int64
	Length time.Duration
}

// Candidate is one version as the match ranked it.
type Candidate struct {
	Version string `json:"version"`
	// Distance is the mean of the columns', from 0 to 1.
	Distance  float64 `json:"distance"`
	Tolerance float64 `json:"tolerance"`
	// Fits says that the distance and each column's is within its tolerance.
	Fits bool `json:"fits"`
	// Better says that the distance is at most Margin times live's; or, by
	// RulePredicted and RuleLabels, that the predicted error is lower than
	// live's by enough to switch, and the lowest of all not at odds with distance.
	Better bool `json:"better"`
	// Columns, the one that differs most first.
	Columns []Column `json:"columns"`

	// Interval in which the distance of all such data lies with 95%.
	Interval *Interval `json:"interval,omitempty"`
	// Basis says where the tolerances are from, and Windows of which length the
	// blocks were, where they are from blocks: one, or two that it is between.
	Basis   Basis    `json:"basis,omitempty"`
	Windows []string `json:"windows,omitempty"`
	// PredictedError is that on data like this, from evaluations; nil where too
	// little was measured of the version.
	PredictedError *float64 `json:"predictedError,omitempty"`
	// Margin is BetterFactor, or ShortBetterFactor where windows of this length
	// differ much from each other already.
	Margin float64 `json:"margin,omitempty"`
}

// Interval is a range of distances; profile.Data.Compare says how it is found.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Clustering says whether that of the rows was measured on training rows, or
	// assumed.
	Clustering string `json:"clustering"`
}

// Whether the clustering of an interval is known.
const (
	ClusteringMeasured = "measured"
	ClusteringAssumed  = "assumed"
)

// Basis is the word for what a tolerance is from.
type Basis string

// What a tolerance is from.
const (
	// BasisGiven: somebody said it.
	BasisGiven Basis = "given"
	// BasisBlocks: blocks of the version's own training rows.
	BasisBlocks Basis = "blocks"
	// BasisFallback: nothing; it is AutoTolerance, good for proposing only.
	BasisFallback Basis = "fallback"
)

// Calibrated says whether the tolerance is good enough to act on.
func (c Candidate) Calibrated() bool { return c.Basis == BasisGiven || c.Basis == BasisBlocks }

// Within says that the distance and each column's is within its tolerance.
func (c Candidate) Within() bool {
	within := c.Distance <= c.Tolerance
	for _, one := range c.Columns {
		within = within && one.Distance <= one.Tolerance
	}
	return within
}

// Nearer says that the distance is less than live's by the margin.
func (c Candidate) Nearer(live float64) bool {
	return c.Distance <= c.Margin*live && c.Distance < live
}

// Column is the distance of one feature.
type Column struct {
	Name      string  `json:"name"`
	Distance  float64 `json:"distance"`
	Tolerance float64 `json:"tolerance"`
	// Change says how it differs, of the columns that differ most.
	Change *Change `json:"change,omitempty"`
}

// Change says how a column differs.
type Change struct {
	// Bins whose shares of the rows differ most, at most four.
	Bins []BinChange `json:"bins,omitempty"`
	// Median of numbers.
	Median *Shift `json:"median,omitempty"`
}

// BinChange is how the share of the rows in a bin differs.
type BinChange struct {
	Bin string `json:"bin"`
	// Values are the bin's bounds, or its category.
	Values string `json:"values,omitempty"`
	Shift
}

// Shift is a number in the version's training data and in the live data.
type Shift struct {
	Version float64 `json:"version"`
	Data    float64 `json:"data"`
}

// Exclusion is the word for why a version is no candidate.
type Exclusion string

// Why a version is no candidate.
const (
	ExcludedRejected  Exclusion = "rejected"
	ExcludedRetired   Exclusion = "retired"
	ExcludedSchema    Exclusion = "schema"
	ExcludedCompat    Exclusion = "compat"
	ExcludedNoProfile Exclusion = "no_profile"
	// ExcludedArtifact: its artifact is not there.
	ExcludedArtifact Exclusion = "artifact_missing"
	// ExcludedDigest: its artifact is not the one that was registered.
	ExcludedDigest Exclusion = "artifact_digest"
	// ExcludedForbidden: its artifact may not be read, so nothing is known of it.
	ExcludedForbidden Exclusion = "artifact_not_allowed"
)

// Excluded is a version that is no candidate.
type Excluded struct {
	Version string    `json:"version"`
	Reason  Exclusion `json:"reason"`
	// Detail is for people.
	Detail string `json:"detail,omitempty"`
}

// wire is a Result as JSON: absent versions are null there.
type wire struct {
	Model      string      `json:"model"`
	Live       *string     `json:"live"`
	Candidates []Candidate `json:"candidates"`
	Best       *string     `json:"best"`
	Excluded   []Excluded  `json:"excluded"`

	Rule        Rule      `json:"rule,omitempty"`
	Trust       string    `json:"trust,omitempty"`
	ProposeOnly bool      `json:"proposeOnly,omitempty"`
	Forecast    *Forecast `json:"forecast,omitempty"`
}

// MarshalJSON writes the form that the command line promises.
func (r Result) MarshalJSON() ([]byte, error) {
	w := wire{Model: r.Model, Candidates: r.Candidates, Excluded: r.Excluded, Rule: r.Rule, Trust: r.Trust, ProposeOnly: r.ProposeOnly, Forecast: r.Forecast}
	if r.Live != "" {
		w.Live = &r.Live
	}
	if r.Best != "" {
		w.Best = &r.Best
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Result) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*r = Result{Model: w.Model, Candidates: w.Candidates, Excluded: w.Excluded, Rule: w.Rule, Trust: w.Trust, ProposeOnly: w.ProposeOnly, Forecast: w.Forecast}
	if w.Live != nil {
		r.Live = *w.Live
	}
	if w.Best != nil {
		r.Best = *w.Best
	}
	return nil
}

package registry

import "encoding/json"

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

	// Auto says that the tolerance is no person's and no measurement's, but
	// AutoTolerance: good for proposing only. It is not in the JSON.
	Auto bool
	// Rows of the live profile. They are not in the JSON.
	Rows int64
}

// Candidate is one version as the match ranked it.
type Candidate struct {
	Version string `json:"version"`
	// Distance is the mean of the columns', from 0 to 1.
	Distance  float64 `json:"distance"`
	Tolerance float64 `json:"tolerance"`
	// Fits says that the distance and each column's is within its tolerance.
	Fits bool `json:"fits"`
	// Better says that the distance is at most 0.7 of live's.
	Better bool `json:"better"`
	// Columns, the one that differs most first.
	Columns []Column `json:"columns"`
}

// Column is the distance of one feature.
type Column struct {
	Name      string  `json:"name"`
	Distance  float64 `json:"distance"`
	Tolerance float64 `json:"tolerance"`
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
)

// Excluded is a version that is no candidate.
type Excluded struct {
	Version string    `json:"version"`
	Reason  Exclusion `json:"reason"`
	// Detail is for people. It is not in the JSON.
	Detail string `json:"-"`
}

// wire is a Result as JSON: absent versions are null there.
type wire struct {
	Model      string      `json:"model"`
	Live       *string     `json:"live"`
	Candidates []Candidate `json:"candidates"`
	Best       *string     `json:"best"`
	Excluded   []Excluded  `json:"excluded"`
}

// MarshalJSON writes the form that the command line promises.
func (r Result) MarshalJSON() ([]byte, error) {
	w := wire{Model: r.Model, Candidates: r.Candidates, Excluded: r.Excluded}
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
	*r = Result{Model: w.Model, Candidates: w.Candidates, Excluded: w.Excluded}
	if w.Live != nil {
		r.Live = *w.Live
	}
	if w.Best != nil {
		r.Best = *w.Best
	}
	return nil
}

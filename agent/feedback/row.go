package feedback

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/leeway-dev/leeway/registry/receipt"
)

// Row is the truth about one prediction.
type Row struct {
	Namespace string
	Model     string
	Version   string
	Receipt   string // empty when the prediction was not named by one
	Predicted Outcome
	Actual    Outcome
	// Time of the prediction; zero when it was not said.
	Time time.Time
	// Weight is how many predictions the row stands for.
	Weight float64
}

// Outcome is a number or a class.
type Outcome struct {
	Number float64
	Class  string
	// IsClass tells the empty class from a number.
	IsClass bool
}

const (
	// maxName bounds every string of a row.
	maxName = 128
	// maxWeight bounds how much one row can move.
	maxWeight = 1000
)

var (
	errNeither  = errors.New("is neither a number nor a string")
	errMissing  = errors.New("is missing")
	errNotText  = errors.New("is not UTF-8")
	errTime     = errors.New("is neither RFC 3339 nor seconds since 1970")
	errMismatch = errors.New("the receipt is of another prediction")
)

// rawRow is a row as it is sent.
type rawRow struct {
	Namespace string          `json:"namespace"`
	Model     string          `json:"model"`
	Version   json.RawMessage `json:"version"`
	Receipt   string          `json:"receipt"`
	Predicted json.RawMessage `json:"predicted"`
	Actual    json.RawMessage `json:"actual"`
	Time      json.RawMessage `json:"time"`
	Weight    *float64        `json:"weight"`
}

// parseRow reads one row of JSON and says what is wrong with it.
func parseRow(raw []byte) (Row, error) {
	var in rawRow
	if err := json.Unmarshal(raw, &in); err != nil {
		return Row{}, fmt.Errorf("not a row: %w", err)
	}
	row := Row{Namespace: in.Namespace, Model: in.Model, Receipt: in.Receipt, Weight: 1}
	var err error
	if row.Version, err = parseVersion(in.Version); err != nil {
		return Row{}, fmt.Errorf("version: %w", err)
	}
	if row.Time, err = parseTime(in.Time); err != nil {
		return Row{}, fmt.Errorf("time: %w", err)
	}
	if err := row.identify(); err != nil {
		return Row{}, err
	}
	if row.Predicted, err = parseOutcome(in.Predicted); err != nil {
		return Row{}, fmt.Errorf("predicted: %w", err)
	}
	if row.Actual, err = parseOutcome(in.Actual); err != nil {
		return Row{}, fmt.Errorf("actual: %w", err)
	}
	if in.Weight != nil {
		row.Weight = *in.Weight
	}
	return row, row.check()
}

// identify takes from the receipt what it says, and wants the prediction named.
func (r *Row) identify() error {
	if r.Receipt != "" {
		named, err := receipt.Parse(r.Receipt)
		if err != nil {
			return fmt.Errorf("receipt: %w", err)
		}
		if r.Model != "" && r.Model != named.Model || r.Version != "" && r.Version != named.Version {
			return fmt.Errorf("%w: it says %.64s version %.64s", errMismatch, named.Model, named.Version)
		}
		r.Model, r.Version, r.Time = named.Model, named.Version, named.Time
	}
	for _, f := range []struct{ name, value string }{
		{"namespace", r.Namespace}, {"model", r.Model}, {"version", r.Version},
	} {
		switch {
		case f.value == "":
			return fmt.Errorf("%s %w", f.name, errMissing)
		case len(f.value) > maxName:
			return fmt.Errorf("%s is longer than %d bytes", f.name, maxName)
		case !utf8.ValidString(f.value): // a metric's label has to be
			return fmt.Errorf("%s %w", f.name, errNotText)
		}
	}
	return nil
}

// check looks at what can only be seen in the whole row.
func (r *Row) check() error {
	if r.Predicted.IsClass != r.Actual.IsClass {
		return errors.New("one of predicted and actual is a number and the other a class")
	}
	if !(r.Weight > 0 && r.Weight <= maxWeight) {
		return fmt.Errorf("weight: %g is not more than 0 and at most %d", r.Weight, maxWeight)
	}
	return nil
}

// parseVersion takes 3 and "3" for the same.
func parseVersion(raw json.RawMessage) (string, error) {
	if len(raw) == 0 {
		return "", nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil { // null leaves it empty
		return s, nil
	}
	var n float64
	if json.Unmarshal(raw, &n) != nil {
		return "", errNeither
	}
	return string(raw), nil
}

func parseOutcome(raw json.RawMessage) (Outcome, error) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || bytes.Equal(raw, []byte("null")):
		return Outcome{}, errMissing
	case raw[0] == '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return Outcome{}, err
		}
		return class(s)
	case raw[0] == 't' || raw[0] == 'f':
		return Outcome{Class: string(raw), IsClass: true}, nil
	}
	var n float64
	if err := json.Unmarshal(raw, &n); err != nil {
		return Outcome{}, errNeither
	}
	return number(n)
}

func class(s string) (Outcome, error) {
	if s == "" || len(s) > maxName {
		return Outcome{}, fmt.Errorf("a class has 1 to %d bytes", maxName)
	}
	if !utf8.ValidString(s) {
		return Outcome{}, errNotText
	}
	return Outcome{Class: s, IsClass: true}, nil
}

func number(n float64) (Outcome, error) {
	if math.Abs(n) > 1e70 { // the fourth power of a difference, weighted and added up, is still a number
		return Outcome{}, fmt.Errorf("%g is out of range", n)
	}
	return Outcome{Number: n}, nil
}

// parseTime reads RFC 3339 or seconds since 1970.
func parseTime(raw json.RawMessage) (time.Time, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return time.Time{}, nil
	}
	var seconds float64
	if json.Unmarshal(raw, &seconds) == nil {
		return sinceEpoch(seconds)
	}
	var at time.Time
	if err := json.Unmarshal(raw, &at); err != nil {
		return time.Time{}, errTime
	}
	return at, nil
}

func sinceEpoch(seconds float64) (time.Time, error) {
	if math.Abs(seconds) > 1e11 {
		return time.Time{}, fmt.Errorf("%g is not in seconds since 1970", seconds)
	}
	return time.UnixMilli(int64(seconds * 1000)), nil
}

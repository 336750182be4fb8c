package feedback

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Row is the truth about one prediction.
type Row struct {
	Namespace string
	Model     string
	Version   string
	Predicted Outcome
	Actual    Outcome
	// Time of the prediction; zero when it was not said.
	Time time.Time
}

// Outcome is a number or a class.
type Outcome struct {
	Number float64
	Class  string
	// IsClass tells the empty class from a number.
	IsClass bool
}

// maxName bounds every string of a row.
const maxName = 128

// rawRow is a row as it is sent.
type rawRow struct {
	Namespace string          `json:"namespace"`
	Model     string          `json:"model"`
	Version   json.RawMessage `json:"version"`
	Predicted json.RawMessage `json:"predicted"`
	Actual    json.RawMessage `json:"actual"`
	Time      json.RawMessage `json:"time"`
}

// parseRow reads one row and says what is wrong with it.
func parseRow(raw []byte) (Row, error) {
	var in rawRow
	if err := json.Unmarshal(raw, &in); err != nil {
		return Row{}, fmt.Errorf("not a row: %w", err)
	}
	row := Row{Namespace: in.Namespace, Model: in.Model, Version: strings.Trim(string(in.Version), `"`)}
	for _, f := range []struct{ name, value string }{
		{"namespace", row.Namespace}, {"model", row.Model}, {"version", row.Version},
	} {
		switch {
		case f.value == "" || f.value == "null":
			return Row{}, fmt.Errorf("%s is missing", f.name)
		case len(f.value) > maxName:
			return Row{}, fmt.Errorf("%s is longer than %d bytes", f.name, maxName)
		}
	}
	var err error
	if row.Predicted, err = parseOutcome(in.Predicted); err != nil {
		return Row{}, fmt.Errorf("predicted: %w", err)
	}
	if row.Actual, err = parseOutcome(in.Actual); err != nil {
		return Row{}, fmt.Errorf("actual: %w", err)
	}
	if row.Predicted.IsClass != row.Actual.IsClass {
		return Row{}, errors.New("one of predicted and actual is a number and the other a class")
	}
	if row.Time, err = parseTime(in.Time); err != nil {
		return Row{}, fmt.Errorf("time: %w", err)
	}
	return row, nil
}

func parseOutcome(raw json.RawMessage) (Outcome, error) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || bytes.Equal(raw, []byte("null")):
		return Outcome{}, errors.New("is missing")
	case raw[0] == '"':
		var class string
		if err := json.Unmarshal(raw, &class); err != nil {
			return Outcome{}, err
		}
		if class == "" || len(class) > maxName {
			return Outcome{}, fmt.Errorf("a class has 1 to %d bytes", maxName)
		}
		return Outcome{Class: class, IsClass: true}, nil
	case raw[0] == 't' || raw[0] == 'f':
		return Outcome{Class: string(raw), IsClass: true}, nil
	}
	var n float64
	if err := json.Unmarshal(raw, &n); err != nil {
		return Outcome{}, errors.New("is neither a number nor a string")
	}
	if math.Abs(n) > 1e150 { // its square is still a number
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
		if math.Abs(seconds) > 1e11 {
			return time.Time{}, fmt.Errorf("%g is not in seconds since 1970", seconds)
		}
		return time.UnixMilli(int64(seconds * 1000)), nil
	}
	var at time.Time
	if err := json.Unmarshal(raw, &at); err != nil {
		return time.Time{}, errors.New("is neither RFC 3339 nor seconds since 1970")
	}
	return at, nil
}

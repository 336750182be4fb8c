package mlflow

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// What the server sends and takes: https://mlflow.org/docs/latest/rest-api.html,
// those parts that are used.

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type modelVersion struct {
	Name    string   `json:"name"`
	Version number   `json:"version"`
	Created number   `json:"creation_timestamp"` // milliseconds
	Source  string   `json:"source"`
	RunID   string   `json:"run_id"`
	Status  string   `json:"status"`
	Tags    []tag    `json:"tags"`
	Aliases []string `json:"aliases"` // lists leave them out
}

type alias struct {
	Alias   string `json:"alias"`
	Version number `json:"version"`
}

type registeredModel struct {
	Name    string         `json:"name"`
	Latest  []modelVersion `json:"latest_versions"`
	Aliases []alias        `json:"aliases"`
}

type experiment struct {
	ID        string `json:"experiment_id"`
	Name      string `json:"name"`
	Lifecycle string `json:"lifecycle_stage"`
	Tags      []tag  `json:"tags"`
}

type run struct {
	Info struct {
		ID        string `json:"run_id"`
		Lifecycle string `json:"lifecycle_stage"`
	} `json:"info"`
	Data struct {
		Params []tag `json:"params"`
	} `json:"data"`
	Inputs struct {
		Datasets []datasetInput `json:"dataset_inputs"`
	} `json:"inputs"`
}

type datasetInput struct {
	Tags    []tag   `json:"tags"`
	Dataset dataset `json:"dataset"`
}

type dataset struct {
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	SourceType string `json:"source_type"`
	Source     string `json:"source"`
	Schema     string `json:"schema,omitempty"`
	Profile    string `json:"profile,omitempty"`
}

type metric struct {
	Key       string  `json:"key"`
	Value     float64 `json:"value"`
	Timestamp int64   `json:"timestamp"`
	Step      int64   `json:"step"`
}

// number is a whole number that servers write as one or as a string.
type number int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	if len(b) > 1 && b[0] == '"' {
		b = b[1 : len(b)-1]
	}
	var i int64
	if err := json.Unmarshal(b, &i); err != nil {
		return fmt.Errorf("%.40q is not a whole number", b)
	}
	*n = number(i)
	return nil
}

func value(tags []tag, key string) (string, bool) {
	for _, t := range tags {
		if t.Key == key {
			return t.Value, true
		}
	}
	return "", false
}

package mlflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/leeway-dev/leeway/registry"
	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/registry/v1alpha1"
)

// contextTag is how MLflow marks what a run was trained on.
var contextTag = tag{"mlflow.data.context", "training"}

// profileField is the JSON in a data set's profile field. MLflow shows it as it
// is; its own profiles begin with num_rows too.
type profileField struct {
	Rows   int64             `json:"num_rows,omitempty"`
	Leeway *v1alpha1.Profile `json:"leeway,omitempty"`
}

// encodeDataset makes the data set that a version's run gets as its input. MLflow
// keeps one data set per experiment, name and digest, and what was logged first
// stays: so the digest is of all that is in it.
func encodeDataset(spec v1alpha1.ModelVersionSpec) (*datasetInput, error) {
	if spec.Profile == nil && spec.Dataset == (v1alpha1.Dataset{}) {
		return nil, nil
	}
	d := dataset{Name: cut(spec.Dataset.Name, maxName)}
	if d.Name == "" {
		d.Name = "training"
	}
	field, err := json.Marshal(profileField{Rows: spec.Dataset.Rows, Leeway: spec.Profile})
	if err != nil {
		return nil, err
	}
	if len(field) > maxField {
		return nil, fmt.Errorf("%w: the profile of a version of %s takes %d bytes compressed, MLflow takes %d: keep this model's versions in a registry s3://bucket/prefix, or profile fewer columns",
			registry.ErrTooLarge, spec.Model, len(field), maxField)
	}
	d.Profile = string(field)
	if d.SourceType, d.Source, err = encodeSource(spec.Dataset); err != nil {
		return nil, err
	}
	if spec.Profile != nil {
		d.Schema = schema(*spec.Profile)
	}
	all, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	d.Digest = hash(all)[:digestLen]
	return &datasetInput{Dataset: d, Tags: []tag{contextTag}}, nil
}

// encodeSource says where the rows are, in the forms that MLflow's own client
// reads: it knows s3 and http.
func encodeSource(d v1alpha1.Dataset) (kind, source string, err error) {
	kind = "leeway"
	m := map[string]string{"uri": withoutPassword(d.URI)}
	switch scheme, _, _ := strings.Cut(d.URI, "://"); scheme {
	case "s3":
		kind = "s3"
	case "http", "https":
		kind = "http"
		m = map[string]string{"url": withoutPassword(d.URI)}
	}
	for k, v := range map[string]string{"md5": d.MD5, "commit": d.Commit} {
		if v != "" {
			m[k] = v
		}
	}
	b, err := json.Marshal(m)
	return kind, string(b), err
}

// schema lists a profile's columns as MLflow shows them, or nothing.
func schema(packed v1alpha1.Profile) string {
	b, err := registry.Unpack(packed)
	if err != nil {
		return ""
	}
	p, err := profile.Parse(b)
	if err != nil { // whoever reads it will be told
		return ""
	}
	type column struct {
		Type     string `json:"type"`
		Name     string `json:"name"`
		Required bool   `json:"required"`
	}
	var columns []column
	for _, c := range p.Features {
		kind := "double"
		if c.Type == profile.Category {
			kind = "string"
		}
		columns = append(columns, column{kind, c.Name, c.Missing == 0})
	}
	s, err := json.Marshal(map[string]any{"mlflow_colspec": columns})
	if err != nil || len(s) > maxSchema {
		return ""
	}
	return string(s)
}

// decodeDataset finds the profile among a run's inputs.
func decodeDataset(inputs []datasetInput, digest string) (*v1alpha1.Profile, error) {
	for _, in := range inputs {
		var f profileField
		if len(in.Dataset.Profile) > maxField || json.Unmarshal([]byte(in.Dataset.Profile), &f) != nil {
			continue // somebody else's
		}
		if f.Leeway != nil && f.Leeway.Digest == digest {
			return f.Leeway, nil
		}
	}
	return nil, errors.New("none of its data sets holds the profile " + digest)
}

// cut shortens a text at the end of a character.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

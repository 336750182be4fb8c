package rules

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"time"

	"go.yaml.in/yaml/v3"
)

// Files are the shipped rules: what Render gives for the default values.
//
//go:embed *.yaml
var Files embed.FS

// DefaultValues is the commented values file that Defaults reads: the thing to
// print for a person who wants to change something.
//
//go:embed defaults/values.yaml
var DefaultValues []byte

// maxValues bounds a values file: the shipped one is 5 kB.
const maxValues = 1 << 20

// Defaults are the values of the shipped rules.
func Defaults() Values {
	var v Values
	if err := decode(DefaultValues, &v); err != nil {
		panic("the embedded default values: " + err.Error()) // a test reads them
	}
	return v
}

// ParseValues reads a values file over the defaults, after the fast preset
// when the file asks for it. Unknown fields and values that make no sense are
// errors that name the line or the field.
func ParseValues(data []byte) (Values, error) {
	if len(data) > maxValues {
		return Values{}, fmt.Errorf("values: %d bytes, more than the %d allowed", len(data), maxValues)
	}
	var asked struct {
		Fast bool           `yaml:"fast"`
		Rest map[string]any `yaml:",inline"`
	}
	if err := yaml.Unmarshal(data, &asked); err != nil {
		return Values{}, fmt.Errorf("values: %w", err)
	}
	v := Defaults()
	if asked.Fast {
		v = Fast(v)
	}
	if err := decode(data, &v); err != nil {
		return Values{}, fmt.Errorf("values: %w", err)
	}
	if err := v.Validate(); err != nil {
		return Values{}, fmt.Errorf("values: %w", err)
	}
	return v, nil
}

// Fast sets the preset for agents that scrape every second: errors over 10 s,
// latency over 30 s, silence after 15 s. Drift windows stay: they need rows,
// not scrapes.
func Fast(v Values) Values {
	second := Duration(time.Second)
	v.Fast = true
	v.ScrapeInterval = second
	v.Errors.Window, v.Errors.For, v.Errors.Interval = 10*second, second, second
	v.Latency.Window, v.Latency.For, v.Latency.Interval = 30*second, 10*second, second
	v.NoData.Window, v.NoData.For, v.NoData.Interval = 15*second, 5*second, second
	return v
}

func decode(data []byte, v *Values) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := dec.Decode(new(Values)); !errors.Is(err, io.EOF) {
		return errors.New("more than one YAML document: keep one")
	}
	return nil
}

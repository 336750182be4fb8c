package rules

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Duration is a length of time as Prometheus writes it: 10s, 5m, 1h, 7d.
type Duration time.Duration

const (
	day  = Duration(24 * time.Hour)
	hour = Duration(time.Hour)
)

// String gives the form that PromQL, labels and the names of recorded series
// use. One unit, never a mix, and 24h rather than 1d: the window of an alert
// and the window of a profile's clustering must be the same word.
func (d Duration) String() string {
	t := time.Duration(d)
	switch {
	case t == 0:
		return "0s"
	case d > day && d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case t%time.Hour == 0:
		return strconv.FormatInt(int64(t/time.Hour), 10) + "h"
	case t%time.Minute == 0:
		return strconv.FormatInt(int64(t/time.Minute), 10) + "m"
	case t%time.Second == 0:
		return strconv.FormatInt(int64(t/time.Second), 10) + "s"
	}
	return strconv.FormatInt(t.Milliseconds(), 10) + "ms"
}

// UnmarshalYAML reads what String writes, and every other form that Prometheus
// reads.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := model.ParseDuration(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %q is not a duration: write 10s, 5m, 1h or 7d", node.Line, node.Value)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalYAML writes the form of String.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// MarshalText writes the form of String, also for the keys of JSON objects.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Seconds is the length as PromQL counts it.
func (d Duration) Seconds() float64 { return time.Duration(d).Seconds() }

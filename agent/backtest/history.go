package backtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Sink takes one sample; t is in milliseconds since 1970.
type Sink func(series labels.Labels, t int64, v float64) error

// Query says which samples are wanted.
type Query struct {
	// Metrics are names. A History that makes its samples itself may give more.
	Metrics []string
	// Namespace and Model; empty: all.
	Namespace, Model string
}

// selector of one metric, as PromQL.
func (q Query) selector(metric string) string {
	parts := []string{fmt.Sprintf("__name__=%q", metric)}
	if q.Namespace != "" {
		parts = append(parts, fmt.Sprintf("namespace=%q", q.Namespace))
	}
	if q.Model != "" {
		parts = append(parts, fmt.Sprintf("model_name=%q", q.Model))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// History gives samples of the past.
type History interface {
	// Metrics are the names of those of Leeway that there are.
	Metrics(ctx context.Context) ([]string, error)
	// Read gives the samples after from and up to to, those of a series in the
	// order of time. It is called with one part after another.
	Read(ctx context.Context, q Query, from, to time.Time, sink Sink) error
	// Part is how much time to read at once. Zero: one step of the evaluation.
	Part() time.Duration
}

// Model is one that history has samples of.
type Model struct{ Namespace, Name string }

// Span is what a history is about.
type Span struct {
	From, To time.Time
	Models   []Model
}

// add takes a model into the span.
func (s *Span) add(m Model) {
	if m.Name != "" && !slices.Contains(s.Models, m) {
		s.Models = append(s.Models, m)
	}
}

// infoMetric is exported by every sidecar, whatever it is able to see.
const infoMetric = "leeway_model_info"

// judging are the metrics that decisions rest on, beside those of the rules.
func judging() []string {
	return []string{
		infoMetric, "leeway_request_duration_seconds_count", "leeway_request_duration_seconds_bucket", "leeway_feature_observations_total",
		"leeway_feedback_rows_total", "leeway_feedback_outcomes_total", "leeway_feedback_absolute_error_total", "leeway_feedback_squared_error_total",
	}
}

// Errors that callers test with errors.Is.
var (
	// ErrNoHistory says that there is nothing to replay.
	ErrNoHistory = errors.New("no history")
	// ErrUnreachable says that a server did not answer as one that has history.
	ErrUnreachable = errors.New("unreachable")
)

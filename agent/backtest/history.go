package backtest

import (
	"context"
	"errors"
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

// History gives samples of the past.
type History interface {
	// Span is from when to when there are samples. The error wraps ErrNoHistory
	// when there are none.
	Span(ctx context.Context, q Query) (from, to time.Time, err error)
	// Read gives the samples after from and up to to, those of a series in the
	// order of time. It is called with one part after another.
	Read(ctx context.Context, q Query, from, to time.Time, sink Sink) error
	// Part is how much time to read at once. Zero: one step of the evaluation.
	Part() time.Duration
}

// ErrNoHistory says that there is nothing to replay.
var ErrNoHistory = errors.New("no history")

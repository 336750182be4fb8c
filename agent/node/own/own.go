// Package own writes the metrics of the running program into storages, as if it
// had scraped itself.
//
// Both roles use it: what an agent says about itself (its lag, its decisions,
// the feedback it counted) must be where the rules and the dashboards look, in
// every controller's TSDB, without anything connecting to the agent. A counter
// that appears is written with the time of its creation, so that the TSDB puts a
// zero before it: `increase` over a first value would else see nothing. A series
// that ends is marked stale.
package own

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"go.uber.org/zap"
)

// Config of a Writer.
type Config struct {
	Gatherer prometheus.Gatherer
	To       []storage.AppendableV2
	// Labels are put on every series; where the series has the label already, the
	// series' own stays: a controller speaks of models in other namespaces.
	Labels map[string]string
	// Interval of the writes; 0 is 15 s.
	Interval time.Duration
	// Keep says which metrics are written; nil is KeepLeeway.
	Keep   func(name string) bool
	Logger *zap.Logger // nil: silent
}

// KeepLeeway keeps Leeway's own metrics and what the process costs, not the
// hundreds that the libraries export: those are on /metrics.
func KeepLeeway(name string) bool {
	return strings.HasPrefix(name, "leeway_") || strings.HasPrefix(name, "process_")
}

// Writer remembers which series it wrote last. It belongs to one goroutine.
type Writer struct {
	cfg    Config
	series map[uint64]labels.Labels
}

// New makes a Writer.
func New(cfg Config) *Writer {
	cfg.Interval = cmp.Or(cfg.Interval, 15*time.Second)
	if cfg.Keep == nil {
		cfg.Keep = KeepLeeway
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	return &Writer{cfg: cfg, series: map[uint64]labels.Labels{}}
}

// Run writes every interval until ctx ends, and once more then.
func (w *Writer) Run(ctx context.Context) error {
	tick := time.NewTicker(w.cfg.Interval)
	defer tick.Stop()
	failed := false
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return w.Write(context.WithoutCancel(ctx), time.Now())
		case now = <-tick.C:
		}
		if err := w.Write(ctx, now); (err != nil) != failed {
			if failed = err != nil; failed {
				w.cfg.Logger.Warn("own metrics were not stored", zap.Error(err))
			}
		}
	}
}

// Write gathers and stores once. One storage that fails does not keep the others
// from their samples.
func (w *Writer) Write(ctx context.Context, now time.Time) error {
	families, err := w.cfg.Gatherer.Gather()
	var errs []error
	if err != nil {
		errs = append(errs, fmt.Errorf("gather: %w", err)) // what was gathered is still written
	}
	var samples []Sample
	for _, f := range families {
		if w.cfg.Keep(f.GetName()) {
			samples = appendFamily(samples, f, w.cfg.Labels)
		}
	}
	current := make(map[uint64]labels.Labels, len(samples))
	for i := range samples {
		hash := samples[i].Labels.Hash()
		current[hash] = samples[i].Labels
		if _, known := w.series[hash]; known {
			samples[i].Created = 0
		}
	}
	for hash, ls := range w.series {
		if _, ok := current[hash]; !ok {
			samples = append(samples, Sample{Labels: ls, Value: math.Float64frombits(value.StaleNaN)})
		}
	}
	w.series = current
	for _, to := range w.cfg.To {
		if err := store(ctx, to, samples, now.UnixMilli()); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func store(ctx context.Context, to storage.AppendableV2, samples []Sample, t int64) error {
	app := to.AppenderV2(ctx)
	for _, s := range samples {
		_, err := app.Append(0, s.Labels, s.Created, t, s.Value, nil, nil, storage.AOptions{MetricFamilyName: s.Family, Metadata: s.Metadata})
		if err != nil && !errors.Is(err, storage.ErrDuplicateSampleForTimestamp) {
			return errors.Join(fmt.Errorf("store %s: %w", s.Labels, err), app.Rollback())
		}
	}
	return app.Commit()
}

package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/leeway-dev/leeway/rules"
)

// filler writes what the rules read.
type filler struct {
	db      *tsdb.DB
	now     time.Time
	columns int
	scrape  time.Duration
	refs    map[string][]storage.SeriesRef
}

func (f *filler) labels(name string, column int, more ...string) labels.Labels {
	return labels.FromStrings(append([]string{
		"__name__", name, "namespace", "ml", "model_name", fmt.Sprintf("m%04d", column/costColumns), "model_version", "1",
		"feature", fmt.Sprintf("f%03d", column%costColumns),
	}, more...)...)
}

// write appends one sample to each series of a metric, made by each.
func (f *filler) write(ctx context.Context, at time.Time, n int, key string, each func(i int) (func() labels.Labels, float64)) error {
	if f.refs == nil {
		f.refs = map[string][]storage.SeriesRef{}
	}
	refs := f.refs[key]
	if refs == nil {
		refs = make([]storage.SeriesRef, n)
		f.refs[key] = refs
	}
	app := f.db.AppenderV2(ctx)
	for i := range n {
		name, value := each(i)
		var series labels.Labels
		if refs[i] == 0 {
			series = name()
		}
		ref, err := app.Append(refs[i], series, 0, at.UnixMilli(), value, nil, nil, storage.AppendV2Options{})
		if err != nil {
			_ = app.Rollback()
			return fmt.Errorf("%s at %s: %w", key, at, err)
		}
		refs[i] = ref
		if i%100_000 == 99_999 { // a transaction that fits into memory
			if err := app.Commit(); err != nil {
				return err
			}
			app = f.db.AppenderV2(ctx)
		}
	}
	if err := app.Commit(); err != nil {
		return err
	}
	return ctx.Err()
}

// bins writes a metric of bins, already added up over pods.
func (f *filler) bins(ctx context.Context, at time.Time, metric string, value func(i int) float64) error {
	return f.write(ctx, at, f.columns*costBins, metric, func(i int) (func() labels.Labels, float64) {
		return func() labels.Labels { return f.labels(metric, i/costBins, "bin", fmt.Sprintf("%02d", i%costBins)) }, value(i)
	})
}

func (f *filler) features(ctx context.Context, at time.Time, metric string, value float64) error {
	return f.write(ctx, at, f.columns, metric, func(i int) (func() labels.Labels, float64) {
		return func() labels.Labels { return f.labels(metric, i) }, value
	})
}

// total is how many rows a bin of a pod has had: five a scrape, now and then one
// more or less, so that nothing drifts.
func total(i, scrape int) float64 { return float64(5*scrape + (i*7+scrape*13)%3) }

// past writes recorded hours of a week and the windows of a day and of a week
// ago, oldest first.
func (f *filler) past(ctx context.Context, ladder []rules.Rung) error {
	longest := time.Duration(0)
	for _, r := range ladder {
		longest = max(longest, time.Duration(r.Window))
	}
	for h := longest; h > 0; h -= time.Hour {
		at := f.now.Add(-h)
		value := func(i int) float64 { return 240*costPods*5 + float64((i+int(h/time.Hour))%3) }
		if err := f.bins(ctx, at, "leeway:feature_bin:rows1h", value); err != nil {
			return err
		}
		for _, r := range ladder {
			if h != 24*time.Hour && h != 7*24*time.Hour || !r.History {
				continue
			}
			w, at := r.Window.String(), at.Add(f.scrape/2) // which is read a scrape later, too
			if err := f.bins(ctx, at, "leeway:feature_bin:share"+w, func(int) float64 { return 1.0 / costBins }); err != nil {
				return err
			}
			if err := f.features(ctx, at, "leeway:feature:rows"+w, 12000*r.Window.Seconds()/3600); err != nil {
				return err
			}
			if err := f.features(ctx, at, "leeway:feature:log_share"+w, -math.Log(costBins)); err != nil {
				return err
			}
			if err := f.features(ctx, at, "leeway:feature:mean_rank"+w, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// scraped writes counters and references as a scrape has them.
func (f *filler) scraped(ctx context.Context, at time.Time) error {
	n := f.columns * costBins * costPods
	scrape := int(at.Sub(f.now)/f.scrape) + scrapes
	err := f.write(ctx, at, n, "raw", func(i int) (func() labels.Labels, float64) {
		bin := i / costPods
		return func() labels.Labels {
			return f.labels("leeway_feature_observations_total", bin/costBins, "bin", fmt.Sprintf("%02d", bin%costBins), "pod", fmt.Sprint(i%costPods))
		}, total(i, scrape)
	})
	if err != nil {
		return err
	}
	if at.Before(f.now.Add(-time.Minute)) {
		return nil // references are the same all the time
	}
	if err := f.bins(ctx, at, "leeway_feature_reference_ratio", func(int) float64 { return 1.0 / costBins }); err != nil {
		return err
	}
	if err := f.bins(ctx, at, "leeway_feature_reference_rank", func(i int) float64 { return (float64(i%costBins) + 0.5) / costBins }); err != nil {
		return err
	}
	return f.features(ctx, at, "leeway_feature_reference_samples", 100_000)
}

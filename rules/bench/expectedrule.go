package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/leeway-dev/leeway/registry/profile"
	"github.com/leeway-dev/leeway/rules"
)

// expectedRule evaluates the shipped rule about the expected error in
// Prometheus' engine, over an hour.
type expectedRule struct {
	dir    string
	values rules.Values
}

// expected is what the rule says of the last prediction of windows, by their
// counts in the bins of each; every window is a model of its own.
func (e expectedRule) expected(ctx context.Context, predictions []profile.Column, windows [][][]int64) ([]float64, error) {
	dir, err := os.MkdirTemp(e.dir, "engine-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	db, err := tsdb.Open(filepath.Join(dir, "data"), nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	end := time.Unix(1_699_920_000, 0)
	app := db.AppenderV2(ctx)
	add := func(at time.Time, name string, window int, c profile.Column, value float64, more ...string) {
		series := labels.FromStrings(append([]string{
			"__name__", name, "namespace", "ml", "model_name", strconv.Itoa(window), "model_version", "1", "output", c.Name,
		}, more...)...)
		_, e := app.Append(0, series, 0, at.UnixMilli(), value, nil, nil, storage.AppendV2Options{})
		err = errors.Join(err, e)
	}
	for i, counts := range windows {
		for j, c := range predictions {
			for k, b := range c.Bins {
				for m := range 13 {
					add(end.Add(time.Duration(m-12)*5*time.Minute), "leeway_prediction_observations_total", i, c, float64(counts[j][k])*float64(m)/12, "bin", b.Name)
				}
				add(end, "leeway_prediction_reference_ratio", i, c, float64(b.Count)/float64(c.Rows), "bin", b.Name)
				if b.Error != nil && b.Error.Rate != nil {
					add(end, "leeway_prediction_bin_expected_error", i, c, *b.Error.Rate, "bin", b.Name, "metric", "error_rate")
				}
				if b.Excess != nil {
					add(end, "leeway_prediction_bin_excess_error", i, c, *b.Excess, "bin", b.Name)
				}
			}
			add(end, "leeway_prediction_reference_samples", i, c, float64(c.Rows))
		}
	}
	if err := errors.Join(err, app.Commit()); err != nil {
		return nil, err
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 50_000_000, Timeout: time.Minute})
	defer engine.Close()
	return e.evaluate(ctx, dir, db, engine, end, len(windows), predictions[len(predictions)-1].Name)
}

func (e expectedRule) evaluate(ctx context.Context, dir string, db *tsdb.DB, engine *promql.Engine, at time.Time, windows int, output string) ([]float64, error) {
	groups, err := load(dir, "expected-error.yaml", e.values, db, engine)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		g.Eval(ctx, at)
		for _, rule := range g.Rules() {
			if err := rule.LastError(); err != nil {
				return nil, fmt.Errorf("%s: %w", rule.Name(), err)
			}
		}
	}
	query, err := engine.NewInstantQuery(ctx, db, nil, fmt.Sprintf("leeway:prediction:expected_error1h{output=%q}", output), at)
	if err != nil {
		return nil, err
	}
	defer query.Close()
	found, err := query.Exec(ctx).Vector()
	if err != nil {
		return nil, err
	}
	if len(found) != windows {
		return nil, fmt.Errorf("the rule says something of %d of %d windows", len(found), windows)
	}
	out := make([]float64, windows)
	for _, s := range found {
		i, err := strconv.Atoi(s.Metric.Get("model_name"))
		if err != nil {
			return nil, err
		}
		out[i] = s.F
	}
	return out, nil
}

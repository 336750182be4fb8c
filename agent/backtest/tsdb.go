package backtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// partTime is how much is read at once: what a querier decodes for it, and a
// server answers, stays small.
const partTime = 2 * time.Hour

// TSDB is a History in the data folder of a Prometheus, or of a controller.
type TSDB struct {
	db *tsdb.DBReadOnly
	q  storage.Querier
}

// OpenTSDB opens a folder without writing to it; scratch is for what it has to
// put somewhere. A server may have the folder open.
func OpenTSDB(ctx context.Context, dir, scratch string, q Query) (*TSDB, Span, error) {
	var span Span
	db, err := tsdb.OpenDBReadOnly(dir, scratch, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, span, fmt.Errorf("TSDB %s: %w", dir, err)
	}
	querier, err := db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		return nil, span, errors.Join(fmt.Errorf("TSDB %s: %w", dir, err), db.Close())
	}
	t := &TSDB{db, querier}
	q.Metrics = []string{infoMetric}
	err = t.Read(ctx, q, time.UnixMilli(math.MinInt64/2), time.UnixMilli(math.MaxInt64/2), func(ls labels.Labels, ms int64, _ float64) error {
		at := time.UnixMilli(ms).UTC()
		if span.From.IsZero() || at.Before(span.From) {
			span.From = at
		}
		if at.After(span.To) {
			span.To = at
		}
		span.add(Model{ls.Get("namespace"), ls.Get("model_name")})
		return nil
	})
	if err == nil && span.From.IsZero() {
		err = fmt.Errorf("%w: not one sample of %s", ErrNoHistory, q.selector(infoMetric))
	}
	if err != nil {
		return nil, span, errors.Join(fmt.Errorf("TSDB %s: %w", dir, err), t.Close())
	}
	return t, span, nil
}

// Close closes what was opened.
func (t *TSDB) Close() error { return errors.Join(t.q.Close(), t.db.Close()) }

// Part implements History.
func (t *TSDB) Part() time.Duration { return partTime }

// Metrics implements History.
func (t *TSDB) Metrics(ctx context.Context) ([]string, error) {
	names, _, err := t.q.LabelValues(ctx, model.MetricNameLabel, nil)
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasPrefix(n, "leeway_") }), err
}

// Read implements History. Native histograms are left out: no rule reads them.
func (t *TSDB) Read(ctx context.Context, q Query, from, to time.Time, sink Sink) error {
	for _, name := range q.Metrics {
		m := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, name)}
		if q.Namespace != "" {
			m = append(m, labels.MustNewMatcher(labels.MatchEqual, "namespace", q.Namespace))
		}
		if q.Model != "" {
			m = append(m, labels.MustNewMatcher(labels.MatchEqual, "model_name", q.Model))
		}
		set := t.q.Select(ctx, false, &storage.SelectHints{Start: from.UnixMilli(), End: to.UnixMilli()}, m...)
		var it chunkenc.Iterator
		for set.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			s := set.At()
			it = s.Iterator(it)
			if err := floats(it, s.Labels(), from.UnixMilli(), to.UnixMilli(), sink); err != nil {
				return err
			}
		}
		if err := set.Err(); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	return nil
}

// floats gives the samples of a series after from and up to to.
func floats(it chunkenc.Iterator, ls labels.Labels, from, to int64, sink Sink) error {
	for kind := it.Seek(from + 1); kind != chunkenc.ValNone; kind = it.Next() {
		if it.AtT() > to {
			break
		}
		if kind != chunkenc.ValFloat {
			continue
		}
		at, v := it.At()
		if err := sink(ls, at, v); err != nil {
			return err
		}
	}
	return it.Err()
}

package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage"
)

// batch is one request on its way into the TSDB.
type batch struct {
	receiver *receiver
	request  *writev2.Request
	now      time.Time

	series  []labels.Labels // aligned with request.Timeseries; empty when invalid
	written remoteapi.WriteResponseStats
	refused int
	first   error
	node    string
	newest  int64
}

// admit reads all labels and asks whether the sender may write them.
func (b *batch) admit(ctx context.Context) error {
	admit := b.receiver.engine.cfg.Admit
	builder := labels.NewScratchBuilder(16)
	b.series = make([]labels.Labels, len(b.request.Timeseries))
	for i, ts := range b.request.Timeseries {
		ls, err := ts.ToLabels(&builder, b.request.Symbols)
		if err == nil {
			err = validLabels(ls)
		}
		if err != nil {
			b.refuse(refusedInvalid, len(ts.Samples)+len(ts.Histograms), err)
			continue
		}
		if admit != nil {
			err := admit(ctx, ls)
			if errors.Is(err, ErrNewSeries) && b.known(ctx, ls) {
				err = nil
			}
			switch {
			case err == nil:
			case errors.Is(err, ErrSeries) && !errors.Is(err, ErrLater):
				b.refuse(refusedForeign, len(ts.Samples)+len(ts.Histograms), err)
				continue
			default:
				return err
			}
		}
		b.series[i] = ls
		if b.node == "" && fromNodeAgent(ls) {
			b.node = ls.Get("node")
		}
	}
	return nil
}

// known says whether the storage has the series, in its head.
func (b *batch) known(ctx context.Context, ls labels.Labels) bool {
	app := b.receiver.engine.db.AppenderV2(ctx)
	defer func() { _ = app.Rollback() }()
	refs, ok := app.(storage.GetRef)
	if !ok {
		return false
	}
	ref, _ := refs.GetRef(ls, ls.Hash())
	return ref != 0
}

// fromNodeAgent tells a node agent's series from those of a peer controller, which
// has a node too and would hide that the agent there is silent.
func fromNodeAgent(ls labels.Labels) bool {
	job := ls.Get("job")
	return job == "leeway-sidecar" || job == "leeway-node"
}

func validLabels(ls labels.Labels) error {
	if !ls.Has(model.MetricNameLabel) || !ls.IsValid(model.UTF8Validation) {
		return fmt.Errorf("labels %s are not valid or have no metric name", ls)
	}
	if name, twice := ls.HasDuplicateLabelNames(); twice {
		return fmt.Errorf("label %q is twice in %s", name, ls)
	}
	return nil
}

func (b *batch) refuse(why refusal, n int, err error) {
	if b.first == nil {
		b.first = err
	}
	b.refused += n
	b.receiver.count(why, n)
}

// append writes what was admitted. An error is one of the storage, and nothing
// is written then.
func (b *batch) append(ctx context.Context) error {
	app := b.receiver.engine.db.AppenderV2(ctx)
	for i := range b.request.Timeseries {
		if b.series[i].IsEmpty() {
			continue
		}
		if err := b.appendSeries(app, b.series[i], &b.request.Timeseries[i]); err != nil {
			return errors.Join(err, app.Rollback())
		}
	}
	return app.Commit()
}

func (b *batch) appendSeries(app storage.AppenderV2, ls labels.Labels, ts *writev2.TimeSeries) error {
	var opts storage.AOptions
	if m, err := ts.ToMetadata(b.request.Symbols); err == nil {
		opts.Metadata = m
		b.receiver.metadata.note(ls.Get(model.MetricNameLabel), m)
	}
	var ref storage.SeriesRef
	var err error
	for _, s := range ts.Samples {
		if b.ahead(ls, s.Timestamp) {
			continue
		}
		ref, err = app.Append(ref, ls, s.StartTimestamp, s.Timestamp, s.Value, nil, nil, opts)
		stored, err := b.settle(ls, s.Timestamp, err)
		if err != nil {
			return err
		}
		b.written.Samples += stored
	}
	for _, h := range ts.Histograms {
		if b.ahead(ls, h.Timestamp) {
			continue
		}
		if h.IsFloatHistogram() {
			ref, err = app.Append(ref, ls, h.StartTimestamp, h.Timestamp, 0, nil, h.ToFloatHistogram(), opts)
		} else {
			ref, err = app.Append(ref, ls, h.StartTimestamp, h.Timestamp, 0, h.ToIntHistogram(), nil, opts)
		}
		stored, err := b.settle(ls, h.Timestamp, err)
		if err != nil {
			return err
		}
		b.written.Histograms += stored
	}
	return nil
}

func (b *batch) ahead(ls labels.Labels, t int64) bool {
	if at := time.UnixMilli(t); at.Sub(b.now) > maxAhead {
		b.refuse(refusedFuture, 1, fmt.Errorf("%s is from %s, after the controller's clock", ls, at.UTC().Format(time.RFC3339)))
		return true
	}
	return false
}

// settle tells samples that can never be stored from a storage that fails, and
// says how many samples this one was: 1 or 0.
func (b *batch) settle(ls labels.Labels, t int64, err error) (stored int, failure error) {
	why := refusal("")
	switch {
	case err == nil:
		b.newest = max(b.newest, t)
		return 1, nil
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		why = refusedDuplicate
	case errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrOutOfBounds), errors.Is(err, storage.ErrOutOfOrderSample):
		why = refusedTooOld
	default:
		return 0, fmt.Errorf("store %s: %w", ls, err)
	}
	b.refuse(why, 1, fmt.Errorf("%s: %w", ls, err))
	return 0, nil
}

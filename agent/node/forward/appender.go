package forward

import (
	"context"
	"fmt"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/leeway-dev/leeway/agent/node/buffer"
)

var _ storage.AppendableV2 = (*Forwarder)(nil)

// AppenderV2 is for the scrape manager and for own metrics: what is committed is
// on its way to every replica.
func (f *Forwarder) AppenderV2(context.Context) storage.AppenderV2 {
	return &appender{forwarder: f, encoder: f.encoders.Get().(*encoder)}
}

// appender holds the requests of one transaction.
type appender struct {
	forwarder *Forwarder
	encoder   *encoder
	full      []buffer.Record
}

// Append takes one sample. The reference it returns is a hash of the labels: the
// scrape loop needs one that differs per series to notice series that end.
func (a *appender) Append(_ storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, o storage.AOptions) (storage.SeriesRef, error) {
	if a.encoder.samples() >= a.forwarder.cfg.MaxSamples {
		if err := a.cut(); err != nil {
			return 0, err
		}
	}
	a.encoder.add(ls, st, t, v, h, fh, o.Metadata)
	return storage.SeriesRef(max(ls.Hash(), 1)), nil
}

func (a *appender) cut() error {
	rec, err := a.encoder.record()
	if err != nil {
		return fmt.Errorf("forward: encode: %w", err)
	}
	a.full = append(a.full, rec)
	return nil
}

// Commit puts the transaction into the buffer.
func (a *appender) Commit() error {
	defer a.release()
	if a.encoder.samples() > 0 {
		if err := a.cut(); err != nil {
			return err
		}
	}
	for _, rec := range a.full {
		if err := a.forwarder.buffer.Append(rec); err != nil {
			a.forwarder.metrics.lost.Add(float64(rec.Samples))
			return err
		}
	}
	return nil
}

// Rollback forgets the transaction.
func (a *appender) Rollback() error {
	a.release()
	return nil
}

func (a *appender) release() {
	a.encoder.reset()
	a.forwarder.encoders.Put(a.encoder)
	a.encoder, a.full = nil, nil
}

package forward

import (
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/leeway-dev/leeway/agent/node/buffer"
)

// encoder gathers samples into one remote-write request.
type encoder struct {
	symbols writev2.SymbolsTable
	request writev2.Request
	newest  int64
	raw     []byte
}

func newEncoder() *encoder {
	return &encoder{symbols: writev2.NewSymbolTable()}
}

func (e *encoder) samples() int { return len(e.request.Timeseries) }

func (e *encoder) reset() {
	e.symbols.Reset()
	e.request.Timeseries = e.request.Timeseries[:0]
	e.newest = 0
}

// add puts one sample in. Each is a series of its own: a scrape has one sample a
// series, and the symbols are shared anyway.
func (e *encoder) add(ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, m metadata.Metadata) {
	ts := e.grow()
	ts.LabelsRefs = e.symbols.SymbolizeLabels(ls, ts.LabelsRefs)
	ts.Metadata = writev2.Metadata{
		Type:    writev2.FromMetadataType(m.Type),
		HelpRef: e.symbols.Symbolize(m.Help),
		UnitRef: e.symbols.Symbolize(m.Unit),
	}
	switch {
	case fh != nil:
		ts.Histograms = append(ts.Histograms, writev2.FromFloatHistogram(st, t, fh))
	case h != nil:
		ts.Histograms = append(ts.Histograms, writev2.FromIntHistogram(st, t, h))
	default:
		ts.Samples = append(ts.Samples, writev2.Sample{Value: v, Timestamp: t, StartTimestamp: st})
	}
	e.newest = max(e.newest, t)
}

// grow extends the request by an empty series, with the memory of an earlier one.
func (e *encoder) grow() *writev2.TimeSeries {
	n := len(e.request.Timeseries)
	if n < cap(e.request.Timeseries) {
		e.request.Timeseries = e.request.Timeseries[:n+1]
		ts := &e.request.Timeseries[n]
		*ts = writev2.TimeSeries{LabelsRefs: ts.LabelsRefs[:0], Samples: ts.Samples[:0]}
		return ts
	}
	e.request.Timeseries = append(e.request.Timeseries, writev2.TimeSeries{})
	return &e.request.Timeseries[n]
}

// record is the finished request. The encoder is empty afterwards.
func (e *encoder) record() (buffer.Record, error) {
	e.request.Symbols = e.symbols.Symbols()
	size := e.request.Size()
	if cap(e.raw) < size {
		e.raw = make([]byte, size)
	}
	raw := e.raw[:size]
	if _, err := e.request.MarshalToSizedBuffer(raw); err != nil {
		return buffer.Record{}, err
	}
	rec := buffer.Record{
		Time:    time.UnixMilli(e.newest),
		Samples: e.samples(),
		Body:    snappy.Encode(nil, raw),
	}
	e.reset()
	return rec, nil
}

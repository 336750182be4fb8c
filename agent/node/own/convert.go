package own

import (
	"math"
	"strconv"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Sample is one value of one series.
type Sample struct {
	Labels   labels.Labels
	Value    float64
	Created  int64 // ms since 1970 of a counter's zero; 0 when not known
	Family   string
	Metadata metadata.Metadata
}

// appendFamily turns a family into samples as a text scrape would: histograms
// and summaries become their _bucket, _sum and _count series.
func appendFamily(to []Sample, f *dto.MetricFamily, extra map[string]string) []Sample {
	c := converter{family: f, extra: extra, builder: labels.NewBuilder(labels.EmptyLabels())}
	for _, m := range f.GetMetric() {
		to = c.appendMetric(to, m)
	}
	return to
}

type converter struct {
	family  *dto.MetricFamily
	extra   map[string]string
	builder *labels.Builder
}

func (c *converter) appendMetric(to []Sample, m *dto.Metric) []Sample {
	switch c.family.GetType() {
	case dto.MetricType_COUNTER:
		return append(to, c.sample(m, "", model.MetricTypeCounter, m.GetCounter().GetValue(), m.GetCounter().GetCreatedTimestamp()))
	case dto.MetricType_GAUGE:
		return append(to, c.sample(m, "", model.MetricTypeGauge, m.GetGauge().GetValue(), nil))
	case dto.MetricType_UNTYPED:
		return append(to, c.sample(m, "", model.MetricTypeUnknown, m.GetUntyped().GetValue(), nil))
	case dto.MetricType_HISTOGRAM:
		return c.appendHistogram(to, m)
	case dto.MetricType_SUMMARY:
		return c.appendSummary(to, m)
	default:
		return to
	}
}

func (c *converter) appendHistogram(to []Sample, m *dto.Metric) []Sample {
	h := m.GetHistogram()
	created := h.GetCreatedTimestamp()
	typ := model.MetricTypeHistogram
	inf := false
	for _, b := range h.GetBucket() {
		inf = inf || math.IsInf(b.GetUpperBound(), 1)
		to = append(to, c.sample(m, "_bucket", typ, float64(b.GetCumulativeCount()), created, "le", formatFloat(b.GetUpperBound())))
	}
	if !inf {
		to = append(to, c.sample(m, "_bucket", typ, float64(h.GetSampleCount()), created, "le", "+Inf"))
	}
	return append(to,
		c.sample(m, "_sum", typ, h.GetSampleSum(), created),
		c.sample(m, "_count", typ, float64(h.GetSampleCount()), created))
}

func (c *converter) appendSummary(to []Sample, m *dto.Metric) []Sample {
	s := m.GetSummary()
	typ := model.MetricTypeSummary
	for _, q := range s.GetQuantile() {
		to = append(to, c.sample(m, "", typ, q.GetValue(), nil, "quantile", formatFloat(q.GetQuantile())))
	}
	return append(to,
		c.sample(m, "_sum", typ, s.GetSampleSum(), s.GetCreatedTimestamp()),
		c.sample(m, "_count", typ, float64(s.GetSampleCount()), s.GetCreatedTimestamp()))
}

func (c *converter) sample(m *dto.Metric, suffix string, typ model.MetricType, v float64, created *timestamppb.Timestamp, more ...string) Sample {
	c.builder.Reset(labels.EmptyLabels())
	for name, value := range c.extra {
		c.builder.Set(name, value)
	}
	for _, l := range m.GetLabel() {
		c.builder.Set(l.GetName(), l.GetValue())
	}
	for i := 0; i < len(more); i += 2 {
		c.builder.Set(more[i], more[i+1])
	}
	c.builder.Set(model.MetricNameLabel, c.family.GetName()+suffix)
	s := Sample{
		Labels: c.builder.Labels(), Value: v, Family: c.family.GetName(),
		Metadata: metadata.Metadata{Type: typ, Help: c.family.GetHelp(), Unit: c.family.GetUnit()},
	}
	if created != nil {
		s.Created = created.AsTime().UnixMilli()
	}
	return s
}

// formatFloat writes bounds as the text format does, so that they join with
// scraped ones.
func formatFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "+Inf"
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return strconv.FormatFloat(f, 'f', 1, 64)
	default:
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
}

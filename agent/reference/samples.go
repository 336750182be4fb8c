package reference

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/leeway-dev/leeway/registry/profile"
)

// Sample is one exported value with its series.
type Sample struct {
	Series labels.Labels
	Value  float64
}

// Samples are what a controller exports of one version, for those who write
// samples without one.
func Samples(v Version, p *profile.Profile, f Facts) ([]Sample, error) {
	e := New()
	e.Set(v, p, f)
	reg := prometheus.NewRegistry()
	if err := reg.Register(e); err != nil {
		return nil, err
	}
	families, err := reg.Gather()
	if err != nil {
		return nil, err
	}
	var out []Sample
	for _, family := range families {
		for _, m := range family.GetMetric() {
			b := labels.NewScratchBuilder(8)
			b.Add(model.MetricNameLabel, family.GetName())
			for _, l := range m.GetLabel() {
				if l.GetValue() != "" {
					b.Add(l.GetName(), l.GetValue())
				}
			}
			b.Sort()
			out = append(out, Sample{b.Labels(), m.GetGauge().GetValue()})
		}
	}
	return out, nil
}

package node

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	pods       prometheus.Gauge
	targets    prometheus.Gauge
	references *prometheus.CounterVec
}

func newMetrics() *metrics {
	return &metrics{
		pods: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "leeway_node_pods", Help: "Model pods on this node.",
		}),
		targets: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "leeway_node_targets", Help: "Model pods on this node whose sidecar is scraped.",
		}),
		references: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leeway_node_reference_pushes_total", Help: "Reference profiles pushed to sidecars, by result.",
		}, []string{"result"}),
	}
}

func (m *metrics) register(reg prometheus.Registerer) error {
	for _, r := range pushResults() {
		m.references.WithLabelValues(string(r))
	}
	for _, c := range []prometheus.Collector{m.pods, m.targets, m.references} {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}

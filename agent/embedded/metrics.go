package embedded

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	reloads  *prometheus.CounterVec
	received prometheus.Counter
	refused  *prometheus.CounterVec
	series   prometheus.GaugeFunc
	rulesOK  prometheus.GaugeFunc
}

func newMetrics(series, rulesOK func() float64) *metrics {
	m := &metrics{
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leeway_controller_rule_reloads_total", Help: "Changed rule files that were loaded, by result.",
		}, []string{"result"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leeway_controller_received_samples_total", Help: "Samples taken by remote write.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leeway_controller_refused_samples_total", Help: "Samples refused by remote write, by reason.",
		}, []string{"reason"}),
		series: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "leeway_controller_series", Help: "Series in the head of the TSDB.",
		}, series),
		rulesOK: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "leeway_controller_rules_current", Help: "1 when the rule files on disk are the ones in force.",
		}, rulesOK),
	}
	for _, r := range []string{"ok", "refused"} {
		m.reloads.WithLabelValues(r)
	}
	for _, r := range refusals() {
		m.refused.WithLabelValues(string(r))
	}
	return m
}

func (m *metrics) register(reg prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.reloads, m.received, m.refused, m.series, m.rulesOK} {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}

package forward

import "github.com/prometheus/client_golang/prometheus"

// Reasons for which samples never reach a replica.
const (
	// ReasonExpired: they left the buffer before the replica was back.
	ReasonExpired = "expired"
	// ReasonRefused: the replica said that it will never take them.
	ReasonRefused = "refused"
)

type metrics struct {
	sent    *prometheus.CounterVec
	dropped *prometheus.CounterVec
	retries *prometheus.CounterVec
	lag     *prometheus.GaugeVec
	pending *prometheus.GaugeVec
	bytes   prometheus.GaugeFunc
	lost    prometheus.Counter
}

func newMetrics(role string, bytes func() float64) *metrics {
	name := func(s string) string { return "leeway_" + role + "_forward_" + s }
	vec := func(n, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name(n), Help: help}, labels)
	}
	gauge := func(n, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name(n), Help: help}, []string{"replica"})
	}
	return &metrics{
		sent:    vec("sent_samples_total", "Samples that a controller replica has taken.", "replica"),
		dropped: vec("dropped_samples_total", "Samples that a controller replica will never have, by reason.", "replica", "reason"),
		retries: vec("retries_total", "Requests that are sent again, by the answer: a status code, or error.", "replica", "answer"),
		lag:     gauge("lag_seconds", "Age of the oldest sample that waits for a controller replica."),
		pending: gauge("pending_samples", "Samples in the buffer that wait for a controller replica."),
		bytes: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: name("buffer_bytes"), Help: "Size of the buffer on disk.",
		}, bytes),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: name("unbuffered_samples_total"), Help: "Samples that could not be written to the buffer.",
		}),
	}
}

func (m *metrics) register(reg prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.sent, m.dropped, m.retries, m.lag, m.pending, m.bytes, m.lost} {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}

package auth

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// newRefused counts what was refused, by what was asked for and why. Series are
// counted where they are taken.
func newRefused() *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "leeway_controller_refused_requests_total",
		Help: "Requests, or namespaces of one, that were refused, by what was asked for and why.",
	}, []string{"to", "reason"})
	for _, to := range []string{"queries", "snapshots", "writes", "versions", "feedback"} {
		for _, reason := range []string{"unauthenticated", "forbidden", "unavailable"} {
			v.WithLabelValues(to, reason)
		}
	}
	return v
}

// count counts a refusal, and passes it on.
func (a *Authority) count(to string, err error) error {
	switch {
	case err == nil:
	case errors.Is(err, ErrUnauthenticated):
		a.refused.WithLabelValues(to, "unauthenticated").Inc()
	case errors.Is(err, ErrForbidden):
		a.refused.WithLabelValues(to, "forbidden").Inc()
	default:
		a.refused.WithLabelValues(to, "unavailable").Inc()
	}
	return err
}

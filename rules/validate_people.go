package rules

import (
	"math"
	"slices"
	"time"
)

// people checks the topics that are for people, and what is estimated.
func (c *checks) people(v Values) {
	if s := v.SLO; s.Enabled {
		c.slo(s)
	}
	if e := v.ExpectedError; e.Enabled {
		c.window("expectedError", v, e.Window, e.For, e.Interval, e.Severity)
		c.within("expectedError.minEffectiveRows", e.MinEffectiveRows, 1, math.MaxFloat64)
		c.within("expectedError.factor", e.Factor, 1, 1000)
		c.within("expectedError.points", e.Points, 0, 1)
		c.within("expectedError.sigmas", e.Sigmas, 0, 100)
		if e.Window > hour && e.Window%hour != 0 {
			c.add("expectedError.window: %s is over 1h and not whole hours; it is built from recorded hours", e.Window)
		}
		if e.Interval > lookback {
			c.add("expectedError.interval: %s is more than the %s that an instant query looks back", e.Interval, lookback)
		}
	}
	if b := v.Feedback; b.Enabled {
		c.within("feedback.for", b.For.Seconds(), 0, math.MaxFloat64)
		c.within("feedback.factor", b.Factor, 1, 1000)
		c.within("feedback.margin", b.Margin.Seconds(), 0, math.MaxFloat64)
		c.severity("feedback", b.Severity)
	}
	if n := v.Freshness; n.Enabled {
		c.window("freshness", v, n.Window, n.For, n.Interval, n.Severity)
		c.within("freshness.minRequests", n.MinRequests, 1, math.MaxFloat64)
		c.within("freshness.maxTrainingAge", n.MaxTrainingAge.Seconds(), 0, math.MaxFloat64)
		c.severity("freshness.training", n.TrainingSeverity)
		if n.Window >= day {
			c.add("freshness.window: %s overlaps itself a day before; use less than 24h", n.Window)
		}
	}
	if h := v.Health; h.Enabled {
		c.window("health", v, h.Window, h.For, h.Interval, h.Severity)
		c.positive("health.maxLag", h.MaxLag.Seconds())
		c.within("health.maxDropped", h.MaxDropped, 0, 1)
		c.within("health.minRequests", h.MinRequests, 1, math.MaxFloat64)
		c.positive("health.maxSeries", h.MaxSeries)
		c.positive("health.stuckAfter", h.StuckAfter.Seconds())
	}
}

func (c *checks) slo(s SLO) {
	c.within("slo.availability", s.Availability, 0.5, 0.99999)
	c.within("slo.latency.target", s.Latency.Target, 0.5, 0.99999)
	c.within("slo.minRequests", s.MinRequests, 1, math.MaxFloat64)
	c.positive("slo.interval", s.Interval.Seconds())
	if s.Interval > lookback {
		c.add("slo.interval: %s is more than the %s that an instant query looks back", s.Interval, lookback)
	}
	c.severity("slo.page", s.PageSeverity)
	c.severity("slo.ticket", s.TicketSeverity)
	if !slices.Contains(durationEdges, s.Latency.Threshold) {
		edges := make([]string, len(durationEdges))
		for i, edge := range durationEdges {
			edges[i] = time.Duration(edge).String()
		}
		c.add("slo.latency.threshold: %s is no bound of the duration histogram; use one of %v", time.Duration(s.Latency.Threshold), edges)
	}
}

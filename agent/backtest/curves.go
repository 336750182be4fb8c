package backtest

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/leeway-dev/leeway/agent/embedded"
)

const (
	// curvePoints is the most points of a curve: a terminal is not wider.
	curvePoints = 480
	// maxCurves bounds the memory for them, to 64 MB.
	maxCurves = 8000
)

// Curve is what one alert was about, over time: the value of its series, and
// the threshold that it was held against.
type Curve struct {
	Alert  string            `json:"alert"`
	Labels map[string]string `json:"labels"`
	// Below says that the alert is for values below the limit.
	Below bool `json:"below,omitempty"`
	// Points are StepSeconds apart.
	From        time.Time `json:"from"`
	StepSeconds float64   `json:"stepSeconds"`
	Points      []Point   `json:"points"`
}

// Point of a curve; null where there was nothing to compare.
type Point struct {
	Value *float64 `json:"value"`
	Limit *float64 `json:"limit"`
}

// curves samples what the rules compare.
type curves struct {
	run        *run
	thresholds []embedded.Threshold
	step       time.Duration
	next       time.Time
	list       map[string]*Curve
}

func (c *curves) begin(r *run) {
	c.run, c.thresholds, c.list = r, r.replay.Thresholds(), map[string]*Curve{}
	c.step = max(r.To.Sub(r.From)/curvePoints, r.replay.Step(), time.Second)
	c.next = r.From
}

// see samples at the first evaluation in each step.
func (c *curves) see(ctx context.Context, at time.Time) error {
	if at.Before(c.next) {
		return nil
	}
	c.next = c.next.Add((at.Sub(c.next)/c.step + 1) * c.step)
	for _, t := range c.thresholds {
		values, err := c.run.replay.Query(ctx, t.Value, at)
		if err != nil {
			return err
		}
		limits, err := c.run.replay.Query(ctx, t.Limit, at)
		if err != nil {
			return err
		}
		for _, v := range values {
			if limit, ok := limitOf(v.Metric, limits); ok && !math.IsNaN(v.F) && !math.IsInf(v.F, 0) {
				c.put(t, v, limit, at)
			}
		}
	}
	return nil
}

// limitOf is the threshold of a series: the one without a label that the series
// has otherwise.
func limitOf(series labels.Labels, limits promql.Vector) (float64, bool) {
	for _, l := range limits {
		fits := true
		l.Metric.Range(func(x labels.Label) {
			fits = fits && (x.Name == model.MetricNameLabel || series.Get(x.Name) == x.Value)
		})
		if fits {
			return l.F, !math.IsNaN(l.F) && !math.IsInf(l.F, 0)
		}
	}
	return 0, false
}

func (c *curves) put(t embedded.Threshold, v promql.Sample, limit float64, at time.Time) {
	all := v.Metric.Map()
	delete(all, model.MetricNameLabel)
	for name, value := range t.Labels {
		all[name] = value
	}
	key := t.Alert + "\x00" + labelsKey(all)
	x := c.list[key]
	if x == nil {
		if len(c.list) >= maxCurves {
			return
		}
		x = &Curve{Alert: t.Alert, Labels: all, Below: !t.Above, From: c.run.From.UTC(), StepSeconds: c.step.Seconds()}
		c.list[key] = x
	}
	i := int(at.Sub(c.run.From) / c.step)
	for len(x.Points) <= i {
		x.Points = append(x.Points, Point{})
	}
	value := v.F
	x.Points[i] = Point{&value, &limit}
}

// of are the curves of alerts, in their order, each once.
func (c *curves) of(alerts []Episode) []Curve {
	var out []Curve
	for _, e := range alerts {
		x := c.list[e.Alert+"\x00"+labelsKey(e.Labels)]
		if x != nil && !slices.ContainsFunc(out, func(o Curve) bool { return o.Alert == x.Alert && labelsKey(o.Labels) == labelsKey(x.Labels) }) {
			out = append(out, *x)
		}
	}
	return out
}

package lint

import (
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/leeway-dev/leeway/rules"
)

// GroupCost is what one rule group costs in an installation of the given size.
type GroupCost struct {
	File     string `json:"file"`
	Group    string `json:"group"`
	Interval string `json:"interval"`
	// SeriesIn and SamplesIn are read by one evaluation, SeriesOut recorded by it.
	SeriesIn  int64 `json:"seriesIn"`
	SamplesIn int64 `json:"samplesIn"`
	SeriesOut int64 `json:"seriesOut"`
	// SamplesPerSecond are read, at the group's interval.
	SamplesPerSecond float64 `json:"samplesPerSecond"`
}

// costs estimates every group. Alerts that fire are few, and not counted as
// written.
func (l *linter) costs() []GroupCost {
	var out []GroupCost
	for _, r := range l.rules {
		if len(out) == 0 || out[len(out)-1].File != r.file || out[len(out)-1].Group != r.group {
			out = append(out, GroupCost{File: r.file, Group: r.group, Interval: rules.Duration(l.every(r)).String()})
		}
		g := &out[len(out)-1]
		series, samples := l.reads(r)
		g.SeriesIn += series
		g.SamplesIn += samples
		if !r.alert {
			g.SeriesOut += l.cardinality(l.labelsOf(r.expr))
		}
		g.SamplesPerSecond = float64(g.SamplesIn) / l.every(r).Seconds()
	}
	return out
}

// every is how often a rule is evaluated.
func (l *linter) every(r ruleAt) time.Duration {
	if r.interval > 0 {
		return r.interval
	}
	return l.options.ScrapeInterval
}

// reads counts the series and samples that one evaluation of a rule reads.
func (l *linter) reads(r ruleAt) (series, samples int64) {
	parser.Inspect(r.expr, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		c := l.cardinality(l.labelsOf(s))
		each := int64(1)
		for _, p := range path {
			switch p := p.(type) {
			case *parser.MatrixSelector:
				each *= max(int64(p.Range/l.sampled(s.Name)), 1)
			case *parser.SubqueryExpr:
				step := p.Step
				if step == 0 {
					step = l.options.ScrapeInterval
				}
				each *= max(int64(p.Range/step), 1)
			}
		}
		series += c
		samples += c * each
		return nil
	})
	return series, samples
}

// sampled is how far apart the samples of a series are.
func (l *linter) sampled(name string) time.Duration {
	for _, r := range l.records[name] {
		return l.every(r)
	}
	return l.options.ScrapeInterval
}

// cardinality is how many series have these labels. Labels of one thing (a pod's
// name and its node) count once.
func (l *linter) cardinality(s labelSet) int64 {
	size := l.options.Size
	n := int64(1)
	times := func(count int, names ...string) {
		for _, name := range names {
			if s.known && s.has(name) {
				n *= int64(count)
				return
			}
		}
	}
	times(size.Models, "model_name", "model_version", "namespace", "guard", "workload")
	times(size.Pods, "pod", "instance", "node")
	times(size.Columns, "feature")
	times(size.Bins, "bin", "lower", "upper", "category")
	times(4, "window")
	times(15, "le") // edges of the duration histogram, and +Inf
	times(len(rules.LabelValues("code")), "code")
	times(3, "actual")
	times(3, "predicted")
	times(10, "reason", "result", "phase", "metric", "limit")
	return n
}

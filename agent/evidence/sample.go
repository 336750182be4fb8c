package evidence

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/leeway-dev/leeway/agent/decide"
	"github.com/leeway-dev/leeway/agent/v1alpha1"
)

// Sample reads what a version showed over the window that ends now.
func (r Reader) Sample(ctx context.Context, version string, window time.Duration) (decide.Sample, error) {
	var errs []error
	one := func(format string, args ...any) float64 {
		x, ok, err := r.Number(ctx, format, args...)
		errs = append(errs, err)
		if !ok {
			return math.NaN()
		}
		return x
	}
	s, w := r.Selector(version), Duration(window)
	out := decide.Sample{
		Requests: zero(one("sum(increase(%s{%s}[%s]))", requestCount, s, w)),
		Errors:   zero(one("sum(increase(%s{%s,code=\"5xx\"}[%s]))", requestCount, s, w)),
		P99:      one("histogram_quantile(0.99, sum by (le) (rate(leeway_request_duration_seconds_bucket{%s,code=\"2xx\"}[%s])))", s, w),

		PredictionZ:        one("max(leeway:prediction_drift:z%s{%s})", r.PageWindow, s),
		PredictionCritical: zero(one("max(leeway:prediction_model_drift:z_critical%s{%s})", r.PageWindow, s)),
		PredictionJS:       one("max(leeway:prediction_drift:js_distance%s{%s})", r.PageWindow, s),
	}
	return out, errors.Join(append(errs, r.Labels(ctx, &out, version, window))...)
}

// Labels reads what the labels that came in over the window that ends now say
// of a version.
func (r Reader) Labels(ctx context.Context, s *decide.Sample, version string, window time.Duration) error {
	of := func(counter string) (float64, error) {
		x, _, err := r.Number(ctx, "sum(increase(leeway_feedback_%s_total{%s}[%s]))", counter, r.Selector(version), Duration(window))
		return zero(x), err
	}
	rows, err := of("rows")
	if err != nil {
		return err
	}
	if rows == 0 {
		s.Labels, s.ErrorSum, err = r.outcomes(ctx, version, window)
		s.ErrorSquares = s.ErrorSum
		return err
	}
	s.Labels = rows
	if s.ErrorSum, err = of("absolute_error"); err != nil {
		return err
	}
	s.ErrorSquares, err = of("squared_error")
	return err
}

// outcomes counts the labelled rows of a classifier, and the wrong answers: two
// labels of one series can't be compared in PromQL.
func (r Reader) outcomes(ctx context.Context, version string, window time.Duration) (rows, wrong float64, err error) {
	vector, err := r.Source.Query(ctx, "sum by (actual, predicted) (increase(leeway_feedback_outcomes_total{"+
		r.Selector(version)+"}["+Duration(window)+"]))", r.Now)
	if err != nil {
		return 0, 0, err
	}
	for _, s := range vector {
		if math.IsNaN(s.F) {
			continue
		}
		rows += s.F
		if s.Metric.Get("actual") != s.Metric.Get("predicted") {
			wrong += s.F
		}
	}
	return rows, wrong, nil
}

func zero(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}

// Baseline writes a sample as the record keeps it; SampleOf reads it again,
// so that a verdict can be made again from the record alone.
func Baseline(s decide.Sample) *v1alpha1.Baseline {
	b := &v1alpha1.Baseline{Requests: decimal(s.Requests), P99Seconds: decimal(s.P99), Labels: decimal(s.Labels)}
	if s.Requests > 0 {
		b.ErrorRatio = decimal(s.Errors / s.Requests)
	}
	if s.Labels > 0 {
		b.Error, b.ErrorSquares = decimal(s.ErrorSum/s.Labels), decimal(s.ErrorSquares/s.Labels)
	}
	if s.PredictionCritical > 0 {
		b.PredictionZ, b.PredictionThreshold, b.PredictionDistance = decimal(s.PredictionZ), decimal(s.PredictionCritical), decimal(s.PredictionJS)
	}
	return b
}

// SampleOf reads what Baseline wrote.
func SampleOf(b *v1alpha1.Baseline) decide.Sample {
	if b == nil {
		return decide.Sample{P99: math.NaN()}
	}
	s := decide.Sample{Requests: zero(parse(b.Requests)), P99: parse(b.P99Seconds), Labels: zero(parse(b.Labels))}
	s.Errors = zero(parse(b.ErrorRatio)) * s.Requests
	s.ErrorSum = zero(parse(b.Error)) * s.Labels
	s.ErrorSquares = zero(parse(b.ErrorSquares)) * s.Labels
	s.PredictionZ, s.PredictionCritical, s.PredictionJS = parse(b.PredictionZ), zero(parse(b.PredictionThreshold)), parse(b.PredictionDistance)
	return s
}

// decimal writes a number exactly, and what is not known as nothing.
func decimal(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return ""
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func parse(s string) float64 {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return x
}
